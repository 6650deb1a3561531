using System.Text;
using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.Log;
using Xunit;

namespace Orleans.EventSourced.UnitTests.Log;

public sealed class AppendRequestTests
{
    [Fact]
    public void a_request_of_too_many_bytes_is_refused_and_told_its_limit()
    {
        var mebibyte = $"\"{new string('x', (1024 * 1024) - 2)}\"";
        var e = Assert.Throws<LogRequestRefusedException>(() => Request([.. Enumerable.Repeat(mebibyte, 16)]));
        Assert.Contains($"{AppendRequest.MaxBytes}", e.Message, StringComparison.Ordinal);
        Assert.InRange(Request([.. Enumerable.Repeat(mebibyte, 15)]).Bytes, 15 * 1024 * 1024, AppendRequest.MaxBytes);
    }

    [Fact]
    public void a_payload_too_large_or_one_event_too_many_is_refused_and_told_its_limit()
    {
        Assert.Contains($"{AppendRequest.MaxDataBytes}", Assert.Throws<LogRequestRefusedException>(() => Request($"\"{new string('x', AppendRequest.MaxDataBytes)}\"")).Message, StringComparison.Ordinal);
        Assert.Contains($"{AppendRequest.MaxEvents}", Assert.Throws<LogRequestRefusedException>(() => Request([.. Enumerable.Repeat("{}", AppendRequest.MaxEvents + 1)])).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void a_request_without_events_or_payload_is_a_mistake_of_the_program()
    {
        Assert.Throws<ArgumentException>(() => Request());
        Assert.Throws<ArgumentException>(() => Request(""));
    }

    [Theory]
    [InlineData("""{"a":"\u0000"}""")]
    [InlineData("""{"a":"x\u0000"}""")]
    [InlineData("""{"a":"\\\u0000"}""")]
    [InlineData("""{"a":"\\u0000 \u0000"}""")]
    [InlineData("""{"\u0000":1}""")]
    public void a_NUL_character_is_refused(string data) =>
        Assert.Contains("NUL", Assert.Throws<LogRequestRefusedException>(() => Request(data)).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData("""{"a":"\\u0000"}""")]
    [InlineData("""{"a":"\\\\u0000"}""")]
    [InlineData("""{"a":"\\","b":"u0000"}""")]
    [InlineData("""{"a":"\u0001u0000"}""")]
    public void a_backslash_before_u0000_is_a_text_like_any_other(string data) =>
        Assert.Single(Request(data).Events);

    private static AppendRequest Request(params string[] data)
    {
        var (command, stream) = (CommandId.New(TimeProvider.System), new StreamId("s/a"));
        var metadata = new EventMetadata(command).ToJson();
        return new AppendRequest(stream, ExpectedVersion.Any, [.. data.Select((text, i) => new NewEvent(EventId.Derive(command, stream, i), "tested", 1, Encoding.UTF8.GetBytes(text), metadata))]);
    }
}
