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
        var e = Assert.Throws<ArgumentException>(() => Request([.. Enumerable.Repeat(mebibyte, 16)]));
        Assert.Contains($"{AppendRequest.MaxBytes}", e.Message, StringComparison.Ordinal);
        Assert.InRange(Request([.. Enumerable.Repeat(mebibyte, 15)]).Bytes, 15 * 1024 * 1024, AppendRequest.MaxBytes);
    }

    private static AppendRequest Request(params string[] data)
    {
        var (command, stream) = (CommandId.New(TimeProvider.System), new StreamId("s/a"));
        var metadata = new EventMetadata(command).ToJson();
        return new AppendRequest(stream, ExpectedVersion.Any, [.. data.Select((text, i) => new NewEvent(EventId.Derive(command, stream, i), "tested", 1, Encoding.UTF8.GetBytes(text), metadata))]);
    }
}
