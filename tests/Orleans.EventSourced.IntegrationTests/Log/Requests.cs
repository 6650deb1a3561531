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

    /// <summary>
    /// As many commands of one instant as a hostile caller likes, one event each; the event ids rise with the commands, as no honest ones would.
    /// </summary>
    public static IEnumerable<(CommandId Command, AppendRequest Request)> OfOneInstant(int commands) => Enumerable.Range(0, commands).Select(i =>
    {
        var (command, stream) = (new CommandId(new Guid($"01a20875-18cd-7bec-a3aa-{i:x12}")), new StreamId($"instant/{i}"));
        var id = new EventId(new Guid($"01a20875-18cd-8bec-a3aa-{i:x12}"));
        return (command, new AppendRequest(stream, ExpectedVersion.NoStream, [new NewEvent(id, "tested", 1, "{}"u8.ToArray(), new EventMetadata(command).ToJson())]));
    });

    public static ExpectedVersion At(int version) => ExpectedVersion.Exactly(new StreamVersion(version));
}
