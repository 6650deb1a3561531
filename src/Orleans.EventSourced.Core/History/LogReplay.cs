using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Projections;

namespace Orleans.EventSourced.Core.History;

/// <summary>
/// Reads the log from its beginning up to a position and hands it on page by page, in order; one page is read while the one before is folded. It shares nothing with those who follow the log, so that it
/// takes no page out of their hands. Safe for concurrent use.
/// </summary>
/// <param name="log">The log.</param>
/// <param name="codec">What reads the events.</param>
/// <param name="options">Limits; validated by whoever made them.</param>
/// <param name="worker">Where pages are decoded and folded.</param>
public sealed class LogReplay(IEventLog log, JsonEventCodec codec, HistoryOptions options, IHistoryWorker worker)
{
    /// <summary>Finds what a point means for the whole log.</summary>
    /// <param name="at">The point; null: the head.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="HistoryException">The log does not reach it, began later, or it is a version, which only streams have.</exception>
    /// <exception cref="LogUnavailableException">The log could not answer.</exception>
    public async Task<ReplayPoint> LocateAsync(PointInTime? at, CancellationToken cancellationToken)
    {
        var head = await log.ReadHeadAsync(cancellationToken).ConfigureAwait(false);
        return at switch
        {
            null => new ReplayPoint(head.LogId, head.Position, null, IsFinal: true),
            PointInTime.AtPosition(var position) when position > head.Position => throw new HistoryException(HistoryFault.BeyondTheLog, $"The log ends at position {head.Position}; position {position} is behind it."),
            PointInTime.AtPosition(var position) => new ReplayPoint(head.LogId, position, null, IsFinal: true),

            // An event that happened before may still be recorded.
            PointInTime.AtBusiness(var time) => new ReplayPoint(head.LogId, head.Position, time, IsFinal: false),
            PointInTime.AtRecorded(var time) => new ReplayPoint(head.LogId, await PositionAtAsync(time, head, cancellationToken).ConfigureAwait(false), null, IsFinal: head.RecordedAt > time),
            _ => throw new HistoryException(HistoryFault.BadPoint, $"'{at}' is the version of one stream; the whole log has positions and times."),
        };
    }

    /// <summary>Reads and hands on all events up to a point.</summary>
    /// <param name="point">What <see cref="LocateAsync"/> gave.</param>
    /// <param name="fold">Gets each page, on the worker; with a business time only what had happened, each stream's versions closed up.</param>
    /// <param name="progress">Told of the position after each page; null: nobody is.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="HistoryException">There are more events than <see cref="HistoryOptions.MaxEvents"/>.</exception>
    /// <exception cref="LogException">The log could not answer, or has an event that this program cannot read.</exception>
    internal async Task RunAsync(ReplayPoint point, Action<ReplayPage> fold, Action<LogPosition>? progress, CancellationToken cancellationToken)
    {
        if (point.Position.Value > options.MaxEvents)
        {
            throw new HistoryException(HistoryFault.TooMuch, $"There are {point.Position} events up to there; {options.MaxEvents} are folded at most.");
        }

        var happened = point.Business is { } time ? new HappenedBy(time, codec) : null;
        var next = ReadAsync(LogPosition.Start, point.Position, cancellationToken);
        for (var at = LogPosition.Start; at < point.Position;)
        {
            var page = await next.ConfigureAwait(false);
            at = page.Last;
            next = ReadAsync(at, point.Position, cancellationToken);
            try
            {
                await worker.RunAsync(() => fold(new ReplayPage(page, happened)), cancellationToken).ConfigureAwait(false);
            }
            catch
            {
                // The read ahead is nobody's any more; its own failure would be told to nobody.
                _ = next.ContinueWith(static t => t.Exception, CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted | TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
                throw;
            }

            progress?.Invoke(at);
        }

        await next.ConfigureAwait(false);
    }

    private async Task<TailPage> ReadAsync(LogPosition after, LogPosition upTo, CancellationToken cancellationToken)
    {
        if (after >= upTo)
        {
            return new TailPage(after, [], codec);
        }

        cancellationToken.ThrowIfCancellationRequested();
        var events = await log.ReadLogAsync(after, (int)Math.Min(options.PageEvents, upTo.Value - after.Value), cancellationToken).ConfigureAwait(false);
        return events.Count == 0
            ? throw new LogUnavailableException($"The log ended behind position {after}, where it went on before to {upTo}.")
            : new TailPage(after, events[^1].Position <= upTo ? events : [.. events.TakeWhile(e => e.Position <= upTo)], codec);
    }

    /// <summary>The last position of the last commit recorded at or before a time. Times never run backward along positions, so the middle tells on which side it is.</summary>
    private async Task<LogPosition> PositionAtAsync(DateTimeOffset time, LogHead head, CancellationToken cancellationToken)
    {
        if (head.RecordedAt is null || head.RecordedAt <= time)
        {
            return head.Position;
        }

        var (before, behind) = (0L, head.Position.Value);
        while (behind - before > 1)
        {
            var middle = before + ((behind - before) / 2);
            var at = (await log.ReadLogAsync(new LogPosition(middle - 1), 1, cancellationToken).ConfigureAwait(false))[0];
            (before, behind) = at.RecordedAt <= time ? (middle, behind) : (before, middle);
        }

        return before > 0 ? new LogPosition(before)
            : (await log.ReadLogAsync(LogPosition.Start, 1, cancellationToken).ConfigureAwait(false)) is [var first, ..] && first.RecordedAt <= time ? first.Position
            : throw new HistoryException(HistoryFault.NoSuchVersion, $"Nothing was recorded at or before {time:O}; the log begins later.");
    }
}

/// <summary>What a point in time means for the whole log.</summary>
/// <param name="LogId">Of which log.</param>
/// <param name="Position">The last event that counts.</param>
/// <param name="Business">Of these only the ones that had happened by then; null: all.</param>
/// <param name="IsFinal">Whether the answer stays the same: not where events may still be recorded that belong to it.</param>
public sealed record ReplayPoint(Guid LogId, LogPosition Position, DateTimeOffset? Business, bool IsFinal);

/// <summary>Where what is folded is folded.</summary>
public interface IHistoryWorker
{
    /// <summary>Runs some work, in the order in which it is given by one caller.</summary>
    Task RunAsync(Action work, CancellationToken cancellationToken);
}

/// <summary>Folds where the caller is: for a program that does nothing else.</summary>
public sealed class InlineWorker : IHistoryWorker
{
    /// <inheritdoc/>
    public Task RunAsync(Action work, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(work);
        cancellationToken.ThrowIfCancellationRequested();
        work();
        return Task.CompletedTask;
    }
}

/// <summary>A page of a replay. Used by one thread at a time.</summary>
internal sealed class ReplayPage(TailPage page, HappenedBy? happened)
{
    private readonly IReadOnlyList<RecordedEvent> _events = happened?.Closed(page) ?? page.Events;
    private readonly IReadOnlyList<int>? _indexes = happened?.Indexes;

    /// <summary>What counts, in order.</summary>
    public IReadOnlyList<RecordedEvent> Events => _events;

    /// <summary>The events that are, or may be, of a family, with their payload read once for all who ask.</summary>
    /// <exception cref="LogCorruptException">One of them cannot be read.</exception>
    public List<DecodedEvent> Of(Type family)
    {
        var decoded = new List<DecodedEvent>(_events.Count);
        for (var i = 0; i < _events.Count; i++)
        {
            if (page.MayBe(IndexOf(i), family))
            {
                decoded.Add(new DecodedEvent(_events[i], page.Decode(IndexOf(i), family)));
            }
        }

        return decoded;
    }

    /// <summary>All events, with the payload of those that are wanted, read once for all who ask.</summary>
    /// <exception cref="LogCorruptException">One of them cannot be read.</exception>
    public IEnumerable<(RecordedEvent Recorded, object? Payload)> Each(Func<RecordedEvent, bool> isWanted)
    {
        for (var i = 0; i < _events.Count; i++)
        {
            yield return (_events[i], isWanted(_events[i]) ? page.Decode(IndexOf(i)) : null);
        }
    }

    private int IndexOf(int i) => _indexes is null ? i : _indexes[i];
}

/// <summary>Passes over what had not happened by a time, and closes up the versions of the streams concerned. Used by one thread at a time, in the order of the log.</summary>
internal sealed class HappenedBy(DateTimeOffset time, JsonEventCodec codec)
{
    private readonly Dictionary<StreamId, int> _passedOver = [];

    /// <summary>Where the events of the last page closed up are in that page.</summary>
    public List<int> Indexes { get; private set; } = [];

    public List<RecordedEvent> Closed(TailPage page)
    {
        var (kept, indexes) = (new List<RecordedEvent>(page.Events.Count), new List<int>(page.Events.Count));
        for (var i = 0; i < page.Events.Count; i++)
        {
            var recorded = page.Events[i];

            // What this program does not know says nothing of when it happened.
            var at = codec.Types.TryFind(recorded.Type, out _) ? BusinessTime.Of(recorded, page.Decode(i)) : recorded.RecordedAt;
            if (at > time)
            {
                _passedOver[recorded.Stream] = _passedOver.GetValueOrDefault(recorded.Stream) + 1;
                continue;
            }

            kept.Add(_passedOver.TryGetValue(recorded.Stream, out var gone) ? recorded with { Version = new StreamVersion(recorded.Version.Value - gone) } : recorded);
            indexes.Add(i);
        }

        Indexes = indexes;
        return kept;
    }
}
