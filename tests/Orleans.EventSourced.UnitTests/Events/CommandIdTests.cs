using Orleans.EventSourced.Core.Events;
using Xunit;

namespace Orleans.EventSourced.UnitTests.Events;

public sealed class CommandIdTests
{
    [Theory]
    [InlineData("01a20875-18cd-7bec-a3aa-b099ba97cc6f")]
    [InlineData("01A20875-18CD-7BEC-A3AA-B099BA97CC6F")]
    [InlineData("{01a20875-18cd-7bec-a3aa-b099ba97cc6f}")]
    [InlineData("01a2087518cd7beca3aab099ba97cc6f")]
    public void a_UUID_of_version_7_is_taken_as_it_is(string text) =>
        Assert.Equal(new Guid("01a20875-18cd-7bec-a3aa-b099ba97cc6f"), CommandId.FromText(text).Value);

    [Theory]
    [InlineData("00000000-0000-0000-0000-000000000000")]
    [InlineData("ffffffff-ffff-ffff-ffff-ffffffffffff")]
    [InlineData("6ba7b810-9dad-11d1-80b4-00c04fd430c8")]
    [InlineData("7d444840-9dc0-41d1-b245-5ffdce74fad2")]
    [InlineData("01a20875-18cd-8bec-a3aa-b099ba97cc6f")]
    [InlineData("01a20875-18cd-7bec-03aa-b099ba97cc6f")]
    [InlineData("01a20875-18cd-7bec-e3aa-b099ba97cc6f")]
    public void any_other_UUID_is_hashed_so_that_its_writer_does_not_choose_its_place_in_the_index(string text)
    {
        var id = CommandId.FromText(text).Value;
        Assert.Equal(8, id.Version);
        Assert.NotEqual(text[..8], id.ToString("D")[..8]);
    }

    [Fact]
    public void a_UUID_is_one_command_however_it_is_written() =>
        Assert.Equal(CommandId.FromText("7d444840-9dc0-41d1-b245-5ffdce74fad2"), CommandId.FromText("7D4448409DC041D1B2455FFDCE74FAD2"));

    [Fact]
    public void a_text_is_always_the_same_command() =>
        Assert.Equal(new Guid("e999a614-8fa4-8f18-9612-eee79046df84"), CommandId.FromText("first-fine").Value);
}
