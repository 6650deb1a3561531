using Orleans.EventSourced.Core.Log;

namespace Orleans.EventSourced.Core.Projections;

/// <summary>
/// Stage 8 of the data's way: brings the rows of one slice of a view up to the log, step by step. A step is one transaction of rows, routes and checkpoint, and writes only where
/// the checkpoint is still where this runner left it; so two runners of one slice can disturb each other, but never the rows. Not safe for concurrent use.
/// </summary>
/// <typeparam name="TRow">The class of a row.</typeparam>
public sealed class ProjectionRunner<TRow>
    where TRow : class
{
    private readonly Projection<TRow> _projection;
    private readonly Slice _slice;
    private readonly IViewTable<TRow> _table;
    private readonly LogTail _tail;
    private OpenedSlice? _opened;
    private HashSet<LogPosition> _skipped = [];
    private bool _indexed;

    /// <param name="projection">The view.</param>
    /// <param name="slice">The share of its rows.</param>
    /// <param name="table">Where they are.</param>
    /// <param name="tail">The log. A step folds one of its pages.</param>
    public ProjectionRunner(Projection<TRow> projection, Slice slice, IViewTable<TRow> table, LogTail tail)
    {
        ArgumentNullException.ThrowIfNull(projection);
        ArgumentNullException.ThrowIfNull(table);
        ArgumentNullException.ThrowIfNull(tail);
        (_projection, _slice, _table, _tail) = (projection, slice, table, tail);
    }

    /// <summary>Takes one step. After an exception the next step opens the table again and goes on from its checkpoint.</summary>
    /// <exception cref="LogUnavailableException">The log or the table could not answer; the step may have been written.</exception>
    /// <exception cref="LogMisconfiguredException">The table does not fit, or was folded further than the log reaches.</exception>
    /// <exception cref="LogCorruptException">The log has a gap.</exception>
    public async Task<ProjectionStep> StepAsync(CancellationToken cancellationToken)
    {
        try
        {
            if ((_opened ??= await OpenAsync(cancellationToken).ConfigureAwait(false)) is not { Position: var from })
            {
                return new ProjectionStep.Gone();
            }

            var page = await _tail.ReadAsync(from, cancellationToken).ConfigureAwait(false);
            if (page.Events.Count < _tail.PageEvents && !_indexed)
            {
                await _table.IndexAsync(cancellationToken).ConfigureAwait(false);
                _indexed = true;
            }

            if (page.Events.Count == 0)
            {
                return new ProjectionStep.AtHead(from);
            }

            var step = await FoldAsync(page, page.Events.Count, cancellationToken).ConfigureAwait(false);
            if (step is ProjectionStep.Poisoned or ProjectionStep.Unknown)
            {
                // By the next step somebody may have said that the event is to be passed over.
                _opened = null;
            }

            return step;
        }
        catch
        {
            _opened = null;
            throw;
        }
    }

    private async Task<OpenedSlice?> OpenAsync(CancellationToken cancellationToken)
    {
        if (await _table.OpenAsync(_slice, cancellationToken).ConfigureAwait(false) is not { Position: var position } opened)
        {
            return null;
        }

        _indexed = false;
        _skipped = [.. from s in await _table.ReadSkippedAsync(cancellationToken).ConfigureAwait(false) select s.Position];
        var head = (await _tail.ReadHeadAsync(cancellationToken).ConfigureAwait(false)).Position;
        return position <= head
            ? opened
            : throw new LogMisconfiguredException($"The view table {_projection.View.Table}, slice {_slice}, was folded up to position {position}, but the log ends at {head}: the log went back, as from a backup. Rebuild the view.");
    }

    /// <summary>Folds the first <paramref name="count"/> events of a page.</summary>
    private async Task<ProjectionStep> FoldAsync(TailPage page, int count, CancellationToken cancellationToken)
    {
        try
        {
            var (events, missing) = Decode(page, count);
            return missing is { } unknown && unknown.Index == 0
                ? new ProjectionStep.Unknown(page.After, unknown.Type)
                : await CommitAsync(page.After, missing?.Index ?? count, events, cancellationToken).ConfigureAwait(false);
        }
        catch (ViewFoldException e) when (e.Recorded.Position == page.After + 1)
        {
            return new ProjectionStep.Poisoned(page.After, e);
        }
        catch (ViewFoldException e)
        {
            // What comes before the event is good: it is folded without it, and the next step begins at it.
            return await FoldAsync(page, (int)(e.Recorded.Position.Value - page.After.Value - 1), cancellationToken).ConfigureAwait(false);
        }
    }

    private async Task<ProjectionStep> CommitAsync(LogPosition from, int passed, List<DecodedEvent> events, CancellationToken cancellationToken)
    {
        var next = from + passed;
        var routes = new Dictionary<StreamId, ViewRoute?>();
        var steps = await _projection.RouteAsync(events, _slice, _table, routes, cancellationToken).ConfigureAwait(false);
        var before = steps.Count == 0 ? new Dictionary<string, TRow>() : await _table.ReadRowsAsync(steps.Select(s => s.Key).ToHashSet(StringComparer.Ordinal), cancellationToken).ConfigureAwait(false);
        var opened = _opened!;
        var commit = new ViewCommit<TRow>(_slice, opened.Edition, from, next, Fold(steps, before), [.. routes.Select(r => new RouteChange(r.Key, r.Value))]);
        if (await _table.CommitAsync(commit, cancellationToken).ConfigureAwait(false))
        {
            _opened = opened with { Position = next };
            return new ProjectionStep.Advanced(next, passed);
        }

        _opened = await OpenAsync(cancellationToken).ConfigureAwait(false);
        return _opened is null ? new ProjectionStep.Gone() : new ProjectionStep.Overtaken(_opened.Position);
    }

    private static List<RowChange<TRow>> Fold(List<RowStep<TRow>> steps, IReadOnlyDictionary<string, TRow> before)
    {
        var rows = new Dictionary<string, RowChange<TRow>>(steps.Count, StringComparer.Ordinal);
        foreach (var step in steps)
        {
            var row = rows.TryGetValue(step.Key, out var changed) ? changed.Row : before.GetValueOrDefault(step.Key);
            rows[step.Key] = ViewFoldException.Guard(step.Recorded, () => new RowChange<TRow>(step.Key, step.Apply(row), step.Recorded.Position), step.Key);
        }

        return [.. rows.Values];
    }

    /// <summary>The events that the view reads and does not pass over, up to the first that this program does not know.</summary>
    private (List<DecodedEvent> Events, (int Index, UnknownEventTypeException Type)? Missing) Decode(TailPage page, int count)
    {
        var events = new List<DecodedEvent>(count);
        for (var i = 0; i < count; i++)
        {
            if (!page.MayBe(i, _projection.Events) || _skipped.Contains(page.Events[i].Position))
            {
                continue;
            }

            try
            {
                events.Add(new DecodedEvent(page.Events[i], page.Decode(i)));
            }
            catch (UnknownEventTypeException e)
            {
                return (events, (i, e));
            }
            catch (LogCorruptException e)
            {
                throw ViewFoldException.Of(page.Events[i], e);
            }
        }

        return (events, null);
    }
}
