using System.Text.Json;
using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Snapshots;

namespace Orleans.EventSourced.Core.History;

/// <summary>
/// The states that entities had: at a version, a position or a time, from the nearest snapshot on; what differs between two of them, and which event set each field. It only reads.
/// Safe for concurrent use.
/// </summary>
/// <param name="log">The log.</param>
/// <param name="snapshots">Where folds may begin; null: at the first event.</param>
/// <param name="codec">What reads the events.</param>
/// <param name="options">Limits; validated by whoever made them.</param>
public sealed class TimeTravel(IEventLog log, ISnapshotStore? snapshots, JsonEventCodec codec, HistoryOptions options)
{
    private const int PageEvents = 1_000;

    /// <summary>How many versions of a stream are looked at in one round trip.</summary>
    private const int Looks = 16;
    private const int MaxPageBytes = 4 * 1024 * 1024;

    /// <summary>Whatever is the last version.</summary>
    private static readonly StreamVersion Last = new(int.MaxValue);
    private int _maxEvents = options.MaxEventsAtOnce;
    private Action<long>? _folded;
    private IHistoryWorker? _worker;

    /// <summary>The same, for work that nobody waits for.</summary>
    /// <param name="maxEvents">The most events that are folded.</param>
    /// <param name="folded">Told of how many events were folded, page by page.</param>
    /// <param name="worker">Where they are folded.</param>
    public TimeTravel UpTo(int maxEvents, Action<long> folded, IHistoryWorker worker) => new(log, snapshots, codec, options) { _maxEvents = maxEvents, _folded = folded, _worker = worker };

    /// <summary>The state as it was then.</summary>
    /// <param name="fold">The fold of the stream's type.</param>
    /// <param name="stream">Whose state.</param>
    /// <param name="at">When; null: as it is now.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="HistoryException">There is no such point in the stream, too many events would be folded, or the fold refuses one.</exception>
    /// <exception cref="LogException">The log could not answer, or has an event of a type that this program does not know.</exception>
    public async Task<StateReading> ReadAsync(EntityFold fold, StreamId stream, PointInTime? at, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(fold);
        if (fold.Type != stream.Type)
        {
            throw new HistoryException(HistoryFault.NoSuchStream, $"The fold is of streams of type '{fold.Type}'; '{stream}' is none.");
        }

        if (at is PointInTime.AtBusiness(var business))
        {
            return await FoldAsync(fold, Start(fold, stream), Last, business, cancellationToken).ConfigureAwait(false) is { Folded: > 0 } reading
                ? reading
                : throw await NotThereAsync(stream, $"had no event that happened at or before {business:O}", cancellationToken).ConfigureAwait(false);
        }

        var (version, isFinal) = await VersionAtAsync(stream, at, cancellationToken).ConfigureAwait(false);
        var found = await FoldAsync(fold, await NearestAsync(fold, stream, version, cancellationToken).ConfigureAwait(false), version, null, cancellationToken).ConfigureAwait(false);
        RefuseShort(found, version);
        return found with { IsFinal = isFinal };
    }

    /// <summary>For every field of the state, as it was then, the event that set its value. It folds the stream from its beginning.</summary>
    /// <exception cref="HistoryException">As for <see cref="ReadAsync"/>; of a business time there is no blame.</exception>
    /// <exception cref="LogException">As for <see cref="ReadAsync"/>.</exception>
    public async Task<IReadOnlyList<BlamedField>> BlameAsync(EntityFold fold, StreamId stream, PointInTime? at, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(fold);
        if (at is PointInTime.AtBusiness)
        {
            throw new HistoryException(HistoryFault.BadPoint, "Which event set a field is asked of a version, a position or a time of recording, not of a business time.");
        }

        var (version, _) = await VersionAtAsync(stream, at, cancellationToken).ConfigureAwait(false);
        var blame = new Blame(fold.Show(fold.Initial));
        var reached = await FoldAsync(fold, Start(fold, stream), version, null, cancellationToken, (recorded, state) => blame.Follow(recorded, fold.Show(state))).ConfigureAwait(false);
        RefuseShort(reached, version);
        return blame.Fields;
    }

    /// <summary>What changed from one point to another, as a JSON Patch (RFC 6902) of the states' JSON; the points may be in any order.</summary>
    /// <exception cref="HistoryException">As for <see cref="ReadAsync"/>.</exception>
    /// <exception cref="LogException">As for <see cref="ReadAsync"/>.</exception>
    public async Task<(StateReading From, StateReading To, IReadOnlyList<PatchOperation> Patch)> DiffAsync(EntityFold fold, StreamId stream, PointInTime from, PointInTime? to, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(from);
        var (before, after) = (await ReadAsync(fold, stream, from, cancellationToken).ConfigureAwait(false), await ReadAsync(fold, stream, to, cancellationToken).ConfigureAwait(false));
        return (before, after, StateDiff.Between(fold.Show(before.State), fold.Show(after.State)));
    }

    /// <summary>A page of a stream's events, as <see cref="StateCursor"/> walks them.</summary>
    internal async Task<IReadOnlyList<RecordedEvent>> ReadPageAsync(StreamId stream, StreamVersion after, int most, CancellationToken cancellationToken) =>
        (await log.ReadStreamsAsync([new StreamRead(stream, after, most, MaxPageBytes)], cancellationToken).ConfigureAwait(false))[0];

    /// <summary>The state after one more event.</summary>
    internal object Evolve(EntityFold fold, object state, RecordedEvent recorded) => fold.Evolve(state, recorded, codec);

    private static StateReading Start(EntityFold fold, StreamId stream) => new(stream, StreamVersion.None, LogPosition.Start, null, fold.Initial, IsFinal: true);

    private static HistoryException NoSuchStream(StreamId stream) => new(HistoryFault.NoSuchStream, $"There is no stream '{stream}'.");

    /// <exception cref="HistoryException">The stream does not reach to the version, or there is none.</exception>
    private static void RefuseShort(StateReading reached, StreamVersion wanted)
    {
        if (reached.Version < wanted && (wanted != Last || reached.Version == StreamVersion.None))
        {
            throw reached.Version == StreamVersion.None ? NoSuchStream(reached.Stream)
                : new HistoryException(HistoryFault.NoSuchVersion, $"Stream '{reached.Stream}' has no version {wanted}; its last is {reached.Version}.");
        }
    }

    /// <summary>The last version up to a point, or <see cref="Last"/>; and whether it stays so.</summary>
    private async Task<(StreamVersion Version, bool IsFinal)> VersionAtAsync(StreamId stream, PointInTime? at, CancellationToken cancellationToken)
    {
        switch (at)
        {
            case null:
                return (Last, true);
            case PointInTime.AtVersion({ Value: 0 }) when await ReadPageAsync(stream, StreamVersion.None, 1, cancellationToken).ConfigureAwait(false) is []:
                throw NoSuchStream(stream);
            case PointInTime.AtVersion(var version):
                return (version, true);
            case PointInTime.AtPosition(var position):
                var head = await log.ReadHeadAsync(cancellationToken).ConfigureAwait(false);
                return position > head.Position
                    ? throw new HistoryException(HistoryFault.BeyondTheLog, $"The log ends at position {head.Position}; position {position} is behind it.")
                    : (await LastAsync(stream, e => e.Position <= position, $"began behind position {position}", cancellationToken).ConfigureAwait(false), true);
            case PointInTime.AtRecorded(var time):
                // Read before the stream: what is recorded later than this head cannot be at or before the time, if the head is later.
                var last = (await log.ReadHeadAsync(cancellationToken).ConfigureAwait(false)).RecordedAt;
                return (await LastAsync(stream, e => e.RecordedAt <= time, $"began after {time:O}", cancellationToken).ConfigureAwait(false), last > time);
            default:
                throw new InvalidOperationException($"A stream has no version at '{at}'.");
        }
    }

    /// <summary>The last version of which something is true that is true of all before it. Many versions are looked at in one round trip: first ever further apart, then between two of them.</summary>
    private async Task<StreamVersion> LastAsync(StreamId stream, Func<RecordedEvent, bool> isBefore, string otherwise, CancellationToken cancellationToken)
    {
        var (before, behind) = await NarrowAsync(0, long.MaxValue, [.. Enumerable.Range(0, Looks).Select(i => 1L << (2 * i)).TakeWhile(v => v <= int.MaxValue)]).ConfigureAwait(false);
        while (behind - before > 1)
        {
            var (from, apart) = (before, Math.Max(1, (behind - before) / (Looks + 1)));
            (before, behind) = await NarrowAsync(before, behind, [.. Enumerable.Range(1, Looks).Select(i => from + (i * apart)).TakeWhile(v => v < behind)]).ConfigureAwait(false);
        }

        return before > 0 ? new StreamVersion((int)before) : throw await NotThereAsync(stream, otherwise, cancellationToken).ConfigureAwait(false);

        async Task<(long Before, long Behind)> NarrowAsync(long low, long high, long[] versions)
        {
            var found = await log.ReadStreamsAsync([.. versions.Select(v => new StreamRead(stream, new StreamVersion((int)v - 1), 1))], cancellationToken).ConfigureAwait(false);
            for (var i = 0; i < versions.Length; i++)
            {
                if (found[i] is not [var e] || !isBefore(e))
                {
                    return (low, versions[i]);
                }

                low = versions[i];
            }

            return (low, Math.Min(high, int.MaxValue));
        }
    }

    private async Task<HistoryException> NotThereAsync(StreamId stream, string otherwise, CancellationToken cancellationToken) =>
        await ReadPageAsync(stream, StreamVersion.None, 1, cancellationToken).ConfigureAwait(false) is [var first]
            ? new HistoryException(HistoryFault.NoSuchVersion, $"Stream '{stream}' {otherwise}: its first event is at position {first.Position}, recorded at {first.RecordedAt:O}.")
            : NoSuchStream(stream);

    /// <summary>The newest snapshot up to a version whose last event is in the log as it was; else the beginning.</summary>
    private async Task<StateReading> NearestAsync(EntityFold fold, StreamId stream, StreamVersion upTo, CancellationToken cancellationToken)
    {
        if (snapshots is null || fold.FoldVersion is not { } foldVersion)
        {
            return Start(fold, stream);
        }

        var logId = (await log.ReadHeadAsync(cancellationToken).ConfigureAwait(false)).LogId;
        if (await snapshots.ReadLatestAsync(logId, stream, foldVersion, upTo, cancellationToken).ConfigureAwait(false) is not { } snapshot
            || await ReadPageAsync(stream, new StreamVersion(snapshot.Version.Value - 1), 1, cancellationToken).ConfigureAwait(false) is not [var own]
            || (own.Id, own.Position) != (snapshot.EventId, snapshot.Position))
        {
            return Start(fold, stream);
        }

        try
        {
            // One that does not fit the class any more is worth nothing; the events are the truth.
            return new StateReading(stream, snapshot.Version, snapshot.Position, own.RecordedAt, fold.FromJson(snapshot.State.Span), IsFinal: true);
        }
        catch (JsonException)
        {
            return Start(fold, stream);
        }
    }

    private async Task<StateReading> FoldAsync(
        EntityFold fold, StateReading from, StreamVersion upTo, DateTimeOffset? business, CancellationToken cancellationToken, Action<RecordedEvent, object>? passed = null)
    {
        var (reading, at, read) = (from, from.Version, 0);
        while (at < upTo)
        {
            var page = await ReadPageAsync(from.Stream, at, Math.Min(PageEvents, upTo.Value - at.Value), cancellationToken).ConfigureAwait(false);
            if (page.Count == 0)
            {
                break;
            }

            read += page.Count;
            if (read > _maxEvents)
            {
                throw new HistoryException(HistoryFault.TooMuch, $"More than {_maxEvents} events of '{from.Stream}' would be folded at once.");
            }

            _folded?.Invoke(read);

            if (_worker is null)
            {
                Fold(page);
            }
            else
            {
                await _worker.RunAsync(() => Fold(page), cancellationToken).ConfigureAwait(false);
            }

            at = page[^1].Version;
        }

        return reading;

        void Fold(IReadOnlyList<RecordedEvent> events)
        {
            foreach (var recorded in events)
            {
                if (business is null || BusinessTime.Of(recorded, codec) <= business)
                {
                    var state = fold.Evolve(reading.State, recorded, codec);
                    passed?.Invoke(recorded, state);
                    reading = new StateReading(from.Stream, recorded.Version, recorded.Position, recorded.RecordedAt, state, IsFinal: business is null) { Folded = reading.Folded + 1 };
                }
            }
        }
    }
}
