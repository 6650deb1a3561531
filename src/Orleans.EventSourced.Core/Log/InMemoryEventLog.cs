using System.Text.Json;
using System.Text.Unicode;
using Orleans.EventSourced.Core.Events;

namespace Orleans.EventSourced.Core.Log;

/// <summary>
/// A log in the memory of one process, for tests and models: the semantics of the durable ones in their plainest form, links included. What it holds
/// ends with it. Safe for concurrent use.
/// </summary>
/// <param name="time">The clock of commits.</param>
public sealed partial class InMemoryEventLog(TimeProvider time) : IEventLog, ILogInspector
{
    private readonly Lock _gate = new();
    private readonly DateTimeOffset _createdAt = time.GetUtcNow();
    private readonly Guid _logId = Guid.CreateVersion7(time.GetUtcNow());
    private readonly Dictionary<StreamId, List<RecordedEvent>> _streams = [];
    private readonly Dictionary<EventId, RecordedEvent> _ids = [];
    private readonly Dictionary<string, RecordedEvent> _commands = new(StringComparer.Ordinal);
    private readonly List<RecordedEvent> _events = [];
    private readonly List<int> _commitOf = [];
    private readonly List<Commit> _commits = [];

    private Commit Last => _commits.Count == 0 ? new Commit(LogPosition.Start, 1, null, [], []) : _commits[^1];

    /// <inheritdoc/>
    public Task<IReadOnlyList<AppendOutcome>> AppendAsync(IReadOnlyList<AppendRequest> batch, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(batch);
        cancellationToken.ThrowIfCancellationRequested();
        foreach (var request in batch)
        {
            RefuseUnlessJson(request);
        }

        lock (_gate)
        {
            return Task.FromResult(Append(batch));
        }
    }

    /// <inheritdoc/>
    public Task<IReadOnlyList<IReadOnlyList<RecordedEvent>>> ReadStreamsAsync(IReadOnlyList<StreamRead> reads, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(reads);
        lock (_gate)
        {
            return Task.FromResult<IReadOnlyList<IReadOnlyList<RecordedEvent>>>(
                [.. reads.Select(Page)]);
        }
    }

    /// <inheritdoc/>
    public Task<IReadOnlyList<RecordedEvent>> ReadLogAsync(LogPosition after, int maxEvents, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(maxEvents, 1);
        lock (_gate)
        {
            if (after.Value >= _events.Count)
            {
                return Task.FromResult<IReadOnlyList<RecordedEvent>>([]);
            }

            // The event at position p has the index p - 1.
            var lastWanted = Math.Min(after.Value + maxEvents, _events.Count);
            var commit = _commits[_commitOf[(int)lastWanted - 1]];
            var end = commit.Position.Value + commit.Count - 1;
            return Task.FromResult<IReadOnlyList<RecordedEvent>>(_events.GetRange((int)after.Value, (int)(end - after.Value)));
        }
    }

    /// <inheritdoc/>
    public Task<LogHead> ReadHeadAsync(CancellationToken cancellationToken)
    {
        lock (_gate)
        {
            return Task.FromResult(new LogHead(_logId, Last.Position + (Last.Count - 1), Last.RecordedAt, Last.Link));
        }
    }

    /// <inheritdoc/>
    public Task<RecordedEvent?> FindCommandAsync(CommandId command, CancellationToken cancellationToken)
    {
        lock (_gate)
        {
            return Task.FromResult(_commands.GetValueOrDefault(command.ToString()));
        }
    }

    /// <inheritdoc/>
    public Task<RecordedEvent?> FindEventAsync(EventId id, CancellationToken cancellationToken)
    {
        lock (_gate)
        {
            return Task.FromResult(_ids.GetValueOrDefault(id));
        }
    }

    private IReadOnlyList<AppendOutcome> Append(IReadOnlyList<AppendRequest> batch)
    {
        var outcomes = new AppendOutcome[batch.Count];
        var first = Last.Position + Last.Count;
        var now = HashLink.FromMicroseconds(HashLink.Microseconds(time.GetUtcNow()));
        var at = Last.RecordedAt > now ? Last.RecordedAt.Value : now;
        var seen = new HashSet<StreamId>();
        for (var i = 0; i < batch.Count; i++)
        {
            outcomes[i] = seen.Add(batch[i].Stream) ? Refusal(batch[i]) ?? Write(batch[i], at) : new AppendOutcome.Deferred();
        }

        var written = _events.GetRange((int)first.Value - 1, _events.Count - (int)first.Value + 1);
        if (written.Count > 0)
        {
            var digests = written.ConvertAll(HashLink.Digest);
            _commits.Add(new Commit(first, written.Count, at, HashLink.Next(Last.Link, first, at, digests), HashLink.Marks(digests)));
        }

        return outcomes;
    }

    /// <summary>Why a request is not written, or null. Ids come before the version: a retry is behind its own events, yet no conflict.</summary>
    private AppendOutcome? Refusal(AppendRequest request)
    {
        var stream = Stream(request.Stream);
        var known = request.Events.Where(e => _ids.ContainsKey(e.Id)).Select(e => _ids[e.Id]).ToList();
        if (known.Count == 0)
        {
            var actual = new StreamVersion(stream.Count);
            return request.Expected.Accepts(actual) ? null : new AppendOutcome.Conflict(actual);
        }

        // A commit holds one request a stream, so the events of the first one's commit on this stream are the request that was written.
        var commit = CommitOf(known[0]);
        var before = stream.Where(e => CommitOf(e) == commit).ToList();
        return before.Select(e => e.Id).SequenceEqual(request.Events.Select(e => e.Id)) && before.TrueForAll(e => Member(e.Metadata, EventMetadata.RequestHashName) == request.RequestHash)
            ? new AppendOutcome.Duplicate(before[^1].Version, before[^1].Position, before[^1].RecordedAt)
            : new AppendOutcome.IdReused();
    }

    private AppendOutcome Write(AppendRequest request, DateTimeOffset at)
    {
        if (!_streams.TryGetValue(request.Stream, out var stream))
        {
            _streams.Add(request.Stream, stream = []);
        }

        foreach (var e in request.Events)
        {
            var recorded = new RecordedEvent(LogPosition.Start + (_events.Count + 1), request.Stream, new StreamVersion(stream.Count + 1), e.Id, e.Type, e.Schema, e.Data, e.Metadata, at);
            stream.Add(recorded);
            _events.Add(recorded);
            _commitOf.Add(_commits.Count);
            _ids.Add(e.Id, recorded);
            if (Member(e.Metadata, "command") is { } command)
            {
                _commands.TryAdd(command, recorded);
            }
        }

        return new AppendOutcome.Appended(stream[^1].Version, stream[^1].Position, at);
    }

    private List<RecordedEvent> Stream(StreamId stream) => _streams.GetValueOrDefault(stream) ?? [];

    private List<RecordedEvent> Page(StreamRead read)
    {
        var page = new List<RecordedEvent>();
        var bytes = 0L;
        foreach (var e in Stream(read.Stream).Skip(read.After.Value).Take(read.MaxEvents).TakeWhile(_ => bytes < read.MaxBytes))
        {
            page.Add(e);
            bytes += e.Bytes;
        }

        return page;
    }

    private int CommitOf(RecordedEvent e) => _commitOf[(int)e.Position.Value - 1];

    private static string? Member(ReadOnlyMemory<byte> metadata, string name)
    {
        using var document = JsonDocument.Parse(metadata);
        return document.RootElement.ValueKind == JsonValueKind.Object && document.RootElement.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String
            ? value.GetString()
            : null;
    }

    private static void RefuseUnlessJson(AppendRequest request)
    {
        foreach (var e in request.Events)
        {
            try
            {
                JsonDocument.Parse(e.Data).Dispose();
                JsonDocument.Parse(e.Metadata).Dispose();
            }
            catch (JsonException x)
            {
                throw new LogRequestRefusedException($"Event '{e.Type}' for stream '{request.Stream}' is not JSON: {x.Message}", x);
            }

            if (!Utf8.IsValid(e.Data.Span) || !Utf8.IsValid(e.Metadata.Span))
            {
                throw new LogRequestRefusedException($"Event '{e.Type}' for stream '{request.Stream}' is not UTF-8.");
            }
        }
    }

    private sealed record Commit(LogPosition Position, int Count, DateTimeOffset? RecordedAt, byte[] Link, byte[] Marks);
}
