using System.Text;
using System.Text.Json;
using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.Log;
using Xunit;
using StreamId = Orleans.EventSourced.Core.Log.StreamId;

namespace Orleans.EventSourced.Testing.Conformance;

/// <summary>
/// What every <see cref="IEventLog"/> does, one fact a behaviour. A store's tests derive from it and say how a log is opened; xunit then runs all facts against it.
/// </summary>
/// <remarks>The file by this name holds what the facts are written with; the facts stand in its other parts, by what is asked of the log.</remarks>
public abstract partial class EventLogConformance
{
    private const int MaxRaces = 200;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    /// <summary>
    /// Opens a log that nobody else writes to while the fact runs. It may hold events already. Whoever derives closes it after the fact.
    /// </summary>
    protected abstract Task<IEventLog> OpenAsync();

    private static CommandId NewCommand() => CommandId.New(TimeProvider.System);

    /// <summary>A stream that no other fact uses.</summary>
    private static StreamId NewStream(string key = "1") => new($"conformance-{NewCommand().Value:N}", key);

    private static NewEvent Event(CommandId command, StreamId stream, int ordinal, string? hash = null, string data = """{"amount":"1.00"}""") =>
        new(EventId.Derive(command, stream, ordinal), "thing-happened", 1, Encoding.UTF8.GetBytes(data), new EventMetadata(command, RequestHash: hash).ToJson());

    /// <summary>What a command writes to a stream: <paramref name="count"/> events.</summary>
    private static AppendRequest Request(StreamId stream, ExpectedVersion expected, CommandId command, int count = 1, string? hash = null) =>
        new(stream, expected, [.. Enumerable.Range(0, count).Select(i => Event(command, stream, i, hash))], hash);

    private static AppendRequest Request(StreamId stream, int expected, CommandId command, int count = 1, string? hash = null) =>
        Request(stream, At(expected), command, count, hash);

    private static ExpectedVersion At(int version) => ExpectedVersion.Exactly(new StreamVersion(version));

    /// <summary>Appends as group commit does: a lost race is sent again at once.</summary>
    private static async Task<IReadOnlyList<AppendOutcome>> AppendAsync(IEventLog log, params AppendRequest[] batch)
    {
        for (var races = 0; ; races++)
        {
            try
            {
                var outcomes = await log.AppendAsync(batch, Token);
                Assert.Equal(batch.Length, outcomes.Count);
                return outcomes;
            }
            catch (LogRaceException) when (races < MaxRaces)
            {
                continue;
            }
        }
    }

    private static async Task<AppendOutcome> AppendOneAsync(IEventLog log, AppendRequest request) => Assert.Single(await AppendAsync(log, request));

    private static async Task<AppendOutcome.Appended> AppendedAsync(IEventLog log, AppendRequest request) =>
        Assert.IsType<AppendOutcome.Appended>(await AppendOneAsync(log, request));

    private static async Task<IReadOnlyList<RecordedEvent>> ReadStreamAsync(IEventLog log, StreamId stream, int after = 0, int maxEvents = int.MaxValue) =>
        Assert.Single(await log.ReadStreamsAsync([new StreamRead(stream, new StreamVersion(after), maxEvents)], Token));

    private static async Task<LogPosition> HeadAsync(IEventLog log) => (await log.ReadHeadAsync(Token)).Position;

    /// <summary>All events after a position, page by page; each page continues where the one before ended.</summary>
    private static async Task<List<RecordedEvent>> ReadAllAsync(IEventLog log, LogPosition after, int pageSize)
    {
        var all = new List<RecordedEvent>();
        while (true)
        {
            var page = await log.ReadLogAsync(after, pageSize, Token);
            if (page.Count == 0)
            {
                return all;
            }

            foreach (var e in page)
            {
                Assert.Equal(after + 1, e.Position);
                after = e.Position;
            }

            all.AddRange(page);
        }
    }

    private static AppendOutcome.Duplicate AsDuplicate(AppendOutcome.Appended first) => new(first.Version, first.Position, first.RecordedAt);

    private static string Json(ReadOnlyMemory<byte> utf8) => Encoding.UTF8.GetString(utf8.Span);

    private static string? HashOf(RecordedEvent e)
    {
        using var metadata = JsonDocument.Parse(e.Metadata);
        return metadata.RootElement.TryGetProperty(EventMetadata.RequestHashName, out var hash) ? hash.GetString() : null;
    }
}
