using System.Text;
using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.Log;

namespace Orleans.EventSourced.IntegrationTests.Log;

/// <summary>Append requests for tests.</summary>
internal static class Requests
{
    public static AppendRequest One(string stream, ExpectedVersion? expected = null, CommandId? command = null, string? hash = null) => Of(stream, 1, expected, command, hash);

    public static AppendRequest Of(string stream, int events, ExpectedVersion? expected = null, CommandId? command = null, string? hash = null)
    {
        var id = command ?? CommandId.New(TimeProvider.System);
        var name = new StreamId(stream);
        var metadata = new EventMetadata(id, RequestHash: hash).ToJson();
        return new AppendRequest(
            name,
            expected ?? ExpectedVersion.Any,
            [.. Enumerable.Range(0, events).Select(i => new NewEvent(EventId.Derive(id, name, i), "tested", 1, Encoding.UTF8.GetBytes($$"""{"n":{{i}}}"""), metadata))],
            hash);
    }

    public static ExpectedVersion At(int version) => ExpectedVersion.Exactly(new StreamVersion(version));
}
