using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.Log;

namespace Orleans.EventSourced.Core.Projections;

/// <summary>What one of a reader's own commands wrote to a stream.</summary>
/// <param name="Stream">The stream.</param>
/// <param name="First">The version of its first event, 1 or more.</param>
/// <param name="Last">The version of its last event.</param>
public sealed record OwnEvents(StreamId Stream, StreamVersion First, StreamVersion Last);

/// <summary>A row with what its reader did on top.</summary>
/// <param name="Row">The row; null: there is none.</param>
/// <param name="Reflects">Everything up to it is in the row, whoever did it.</param>
/// <param name="IsPending">Whether something is folded on top that the table does not hold yet.</param>
public sealed record OverlaidRow<TRow>(KeyedRow<TRow>? Row, LogPosition Reflects, bool IsPending)
    where TRow : class;

/// <summary>A page of rows with what their reader did on top.</summary>
/// <param name="Page">The rows, in the order asked for. Where it has a next page it may have fewer than asked for.</param>
/// <param name="Pending">The keys of rows on which something is folded that the table does not hold yet.</param>
public sealed record OverlaidPage<TRow>(RowPage<TRow> Page, IReadOnlySet<string> Pending)
    where TRow : class;

/// <summary>
/// Folds what a reader did on top of rows that lag behind it, with the view's own fold; nothing is written, and nothing waited for. Folded are the events of the streams that the reader wrote to, from
/// where the row stands up to the reader's last one: those of others between them too, because a fold takes a stream in its order. A row of many streams so holds of some what it lacks of others:
/// it is no state that ever was, and is marked. Safe for concurrent use.
/// </summary>
/// <typeparam name="TRow">The class of a row.</typeparam>
public sealed class ViewOverlay<TRow>
    where TRow : class
{
    /// <summary>The most streams, and the most rows of a page, that are folded for one read.</summary>
    public const int MaxStreams = 200;

    /// <summary>The most events that are read for one read.</summary>
    public const int MaxEvents = 10_000;

    // Where the events that a row lacks begin in its stream is not known: it is looked for this far before the reader's own, then ten times as far.
    private const int EventsBefore = 100;

    private static readonly IReadOnlyDictionary<StreamId, ViewRoute> NoRoutes = new Dictionary<StreamId, ViewRoute>();
    private readonly Projection<TRow> _projection;
    private readonly IViewTable<TRow> _table;
    private readonly IViewReader<TRow> _reader;
    private readonly LogTail _tail;
    private readonly int _slices;

    /// <param name="projection">The view.</param>
    /// <param name="table">Says what the view passes over.</param>
    /// <param name="reader">Its rows.</param>
    /// <param name="tail">The log.</param>
    /// <param name="slices">Into how many slices the view is divided.</param>
    public ViewOverlay(Projection<TRow> projection, IViewTable<TRow> table, IViewReader<TRow> reader, LogTail tail, int slices)
    {
        ArgumentNullException.ThrowIfNull(projection);
        ArgumentNullException.ThrowIfNull(table);
        ArgumentNullException.ThrowIfNull(reader);
        ArgumentNullException.ThrowIfNull(tail);
        (_projection, _table, _reader, _tail, _slices) = (projection, table, reader, tail, slices);
    }

    /// <summary>A row. Where its fold refuses what is to be folded on top, it is answered as the table has it.</summary>
    /// <param name="key">The row's key.</param>
    /// <param name="own">Gives what the reader's commands wrote behind a position.</param>
    /// <param name="cancellationToken">Ends the read.</param>
    /// <returns>The row; null: more than <see cref="MaxStreams"/> streams or <see cref="MaxEvents"/> events are to be folded.</returns>
    /// <exception cref="LogUnavailableException">The store or the log could not answer.</exception>
    public async Task<OverlaidRow<TRow>?> ReadAsync(string key, Func<LogPosition, Task<IReadOnlyList<OwnEvents>>> own, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(own);
        var (row, reflects) = await _reader.ReadAsync(key, Slice.Of(key, _slices), cancellationToken).ConfigureAwait(false);
        return await StepsAsync(await own(reflects).ConfigureAwait(false), reflects, cancellationToken).ConfigureAwait(false) is { } steps ? Fold(key, row, reflects, steps) : null;
    }

    /// <summary>A page of rows. Filters and order see the rows as they are answered.</summary>
    /// <param name="query">What is wanted.</param>
    /// <param name="own">Gives what the reader's commands wrote behind a position.</param>
    /// <param name="cancellationToken">Ends the read.</param>
    /// <returns>The page; null: too much is to be folded, as for a row, or it concerns more than <see cref="MaxStreams"/> rows.</returns>
    /// <exception cref="RowQueryException">The query names what the view does not allow.</exception>
    /// <exception cref="LogUnavailableException">The store or the log could not answer.</exception>
    public async Task<OverlaidPage<TRow>?> QueryAsync(RowQuery query, Func<LogPosition, Task<IReadOnlyList<OwnEvents>>> own, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(own);
        var plan = new RowQueryPlan<TRow>(query);
        var page = await _reader.QueryAsync(plan, cancellationToken).ConfigureAwait(false);
        if (await StepsAsync(await own(page.Reflects).ConfigureAwait(false), page.Reflects, cancellationToken).ConfigureAwait(false) is not { } steps)
        {
            return null;
        }

        var byKey = steps.ToLookup(s => s.Key, StringComparer.Ordinal);
        if (byKey.Count > MaxStreams)
        {
            return null;
        }

        var (changed, pending) = (new Dictionary<string, KeyedRow<TRow>?>(StringComparer.Ordinal), new HashSet<string>(StringComparer.Ordinal));
        foreach (var itsSteps in byKey)
        {
            // Read by itself: it may be further than the page's other slices, or have come further since.
            var (row, reflects) = await _reader.ReadAsync(itsSteps.Key, Slice.Of(itsSteps.Key, _slices), cancellationToken).ConfigureAwait(false);
            var overlaid = Fold(itsSteps.Key, row, reflects, itsSteps);
            changed.Add(itsSteps.Key, overlaid.Row);
            if (overlaid.IsPending)
            {
                pending.Add(itsSteps.Key);
            }
        }

        return new OverlaidPage<TRow>(plan.With(page, changed), pending);
    }

    private static OverlaidRow<TRow> Fold(string key, KeyedRow<TRow>? row, LogPosition reflects, IEnumerable<RowStep<TRow>> steps)
    {
        var (folded, isPending) = (row, false);
        try
        {
            foreach (var step in steps.Where(s => s.Key == key && s.Recorded.Position > reflects))
            {
                var before = folded?.Row;
                var after = ViewFoldException.Guard(step.Recorded, () => new RowChange<TRow>(key, step.Apply(before), step.Recorded.Position).Row, key);
                folded = after is null ? null : new KeyedRow<TRow> { Key = key, Position = step.Recorded.Position.Value, Row = after };
                isPending = true;
            }
        }
        catch (ViewFoldException)
        {
            // The projection will stop at it and say so; until then the row is what the table has.
            return new OverlaidRow<TRow>(row, reflects, false);
        }

        return new OverlaidRow<TRow>(folded, reflects, isPending);
    }

    /// <summary>What the reader's streams do to rows behind a position, in the order of the log; null: too much.</summary>
    private async Task<List<RowStep<TRow>>?> StepsAsync(IReadOnlyList<OwnEvents> own, LogPosition after, CancellationToken cancellationToken)
    {
        var steps = new List<RowStep<TRow>>();
        if (own.Count == 0)
        {
            return steps;
        }

        var skipped = (await _table.ReadSkippedAsync(cancellationToken).ConfigureAwait(false)).Select(s => s.Position).ToHashSet();
        var (streams, left) = (own.ToLookup(o => o.Stream), MaxEvents);
        if (streams.Count > MaxStreams)
        {
            return null;
        }

        foreach (var stream in streams)
        {
            var events = await ReadStreamAsync(stream.Key, stream.Min(o => o.First), stream.Max(o => o.Last), after, left, cancellationToken).ConfigureAwait(false);
            if ((left -= events.Count) < 0)
            {
                return null;
            }

            try
            {
                var decoded = from e in events where !skipped.Contains(e.Position) let payload = _tail.Decode(e, _projection.Events) where payload is not null select new DecodedEvent(e, payload);
                steps.AddRange(_projection.Route([.. decoded], Slice.Whole, NoRoutes, []).Where(s => s.Recorded.Position > after));
            }
            catch (Exception e) when (e is ViewFoldException or UnknownEventTypeException or LogCorruptException)
            {
                // As the projection, which tells of it, this program can make nothing of the stream.
            }
        }

        steps.Sort((a, b) => a.Recorded.Position.CompareTo(b.Recorded.Position));
        return steps;
    }

    /// <summary>The stream's events up to a version: for a view with routes all of them, or else those at least that lie behind a position. One more than <paramref name="most"/>: there are more.</summary>
    private async Task<List<RecordedEvent>> ReadStreamAsync(StreamId stream, StreamVersion first, StreamVersion last, LogPosition after, int most, CancellationToken cancellationToken)
    {
        for (var before = EventsBefore; ; before *= 10)
        {
            var from = _projection.HasRoutes ? 0 : Math.Max(0, first.Value - 1 - before);
            var events = new List<RecordedEvent>();
            for (var at = new StreamVersion(from); at < last && events.Count <= most; at = events[^1].Version)
            {
                var page = await _tail.ReadStreamAsync(stream, at, cancellationToken).ConfigureAwait(false);
                if (page.Count == 0)
                {
                    break;
                }

                events.AddRange(page.Where(e => e.Version <= last).Take(most + 1 - events.Count));
            }

            if (from == 0 || events.Count > most || events.Count == 0 || events[0].Position <= after)
            {
                return events;
            }
        }
    }
}
