using Orleans.EventSourced.Core.Events;
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
    private readonly IEventLog _log;
    private readonly JsonEventCodec _codec;
    private readonly ProjectionOptions _options;
    private LogPosition? _position;
    private (LogPosition After, Task<IReadOnlyList<RecordedEvent>> Page)? _ahead;

    /// <param name="projection">The view.</param>
    /// <param name="slice">The share of its rows.</param>
    /// <param name="table">Where they are.</param>
    /// <param name="log">Where the events are.</param>
    /// <param name="codec">What reads them.</param>
    /// <param name="options">Limits; validated by whoever made them.</param>
    public ProjectionRunner(Projection<TRow> projection, Slice slice, IViewTable<TRow> table, IEventLog log, JsonEventCodec codec, ProjectionOptions options)
    {
        ArgumentNullException.ThrowIfNull(projection);
        ArgumentNullException.ThrowIfNull(table);
        ArgumentNullException.ThrowIfNull(log);
        ArgumentNullException.ThrowIfNull(codec);
        ArgumentNullException.ThrowIfNull(options);
        (_projection, _slice, _table, _log, _codec, _options) = (projection, slice, table, log, codec, options);
    }

    /// <summary>Takes one step. After an exception the next step opens the table again and goes on from its checkpoint.</summary>
    /// <exception cref="LogUnavailableException">The log or the table could not answer; the step may have been written.</exception>
    /// <exception cref="LogMisconfiguredException">The table does not fit.</exception>
    /// <exception cref="LogCorruptException">The log has a gap.</exception>
    public async Task<ProjectionStep> StepAsync(CancellationToken cancellationToken)
    {
        try
        {
            var from = _position ??= await _table.OpenAsync(_slice, cancellationToken).ConfigureAwait(false);
            var page = await ReadAsync(from, cancellationToken).ConfigureAwait(false);
            return page.Count == 0 ? new ProjectionStep.AtHead(from) : await FoldAsync(from, page, cancellationToken).ConfigureAwait(false);
        }
        catch
        {
            _position = null;
            throw;
        }
    }

    private async Task<ProjectionStep> FoldAsync(LogPosition from, IReadOnlyList<RecordedEvent> page, CancellationToken cancellationToken)
    {
        try
        {
            var (events, missing) = Decode(page);
            if (missing is not null && missing.Value.At == from + 1)
            {
                return new ProjectionStep.Unknown(from, missing.Value.Type);
            }

            return await CommitAsync(from, missing is null ? page[^1].Position : new LogPosition(missing.Value.At.Value - 1), events, page.Count, cancellationToken).ConfigureAwait(false);
        }
        catch (ViewFoldException e) when (e.Recorded.Position == from + 1)
        {
            return new ProjectionStep.Poisoned(from, e);
        }
        catch (ViewFoldException e)
        {
            // What comes before the event is good: it is folded without it, and the next step begins at it.
            return await FoldAsync(from, [.. page.TakeWhile(r => r.Position < e.Recorded.Position)], cancellationToken).ConfigureAwait(false);
        }
    }

    private async Task<ProjectionStep> CommitAsync(LogPosition from, LogPosition next, List<DecodedEvent> events, int passed, CancellationToken cancellationToken)
    {
        var routes = new Dictionary<StreamId, ViewRoute?>();
        var steps = await _projection.RouteAsync(events, _slice, _table, routes, cancellationToken).ConfigureAwait(false);
        var before = steps.Count == 0 ? new Dictionary<string, TRow>() : await _table.ReadRowsAsync(steps.Select(s => s.Key).ToHashSet(StringComparer.Ordinal), cancellationToken).ConfigureAwait(false);
        var commit = new ViewCommit<TRow>(_slice, from, next, Fold(steps, before), [.. routes.Select(r => new RouteChange(r.Key, r.Value))]);
        if (await _table.CommitAsync(commit, cancellationToken).ConfigureAwait(false))
        {
            _position = next;
            return new ProjectionStep.Advanced(next, passed);
        }

        _position = await _table.OpenAsync(_slice, cancellationToken).ConfigureAwait(false);
        return new ProjectionStep.Overtaken(_position.Value);
    }

    private static List<RowChange<TRow>> Fold(List<RowStep<TRow>> steps, IReadOnlyDictionary<string, TRow> before)
    {
        var rows = new Dictionary<string, RowChange<TRow>>(steps.Count, StringComparer.Ordinal);
        foreach (var step in steps)
        {
            var row = rows.TryGetValue(step.Key, out var changed) ? changed.Row : before.GetValueOrDefault(step.Key);
            rows[step.Key] = new RowChange<TRow>(step.Key, ViewFoldException.Guard(step.Recorded, () => step.Apply(row), step.Key), step.Recorded.Position);
        }

        return [.. rows.Values];
    }

    /// <summary>The events of the page that the view reads, up to the first that this program does not know.</summary>
    private (List<DecodedEvent> Events, (LogPosition At, UnknownEventTypeException Type)? Missing) Decode(IReadOnlyList<RecordedEvent> page)
    {
        var events = new List<DecodedEvent>(page.Count);
        foreach (var recorded in page)
        {
            if (_codec.Types.TryFind(recorded.Type, out var entry) && !entry.Type.IsAssignableTo(_projection.Events))
            {
                continue;
            }

            try
            {
                events.Add(new DecodedEvent(recorded, _codec.Decode(recorded)));
            }
            catch (UnknownEventTypeException e)
            {
                return (events, (recorded.Position, e));
            }
            catch (LogCorruptException e)
            {
                throw ViewFoldException.Of(recorded, e);
            }
        }

        return (events, null);
    }

    /// <summary>The page after <paramref name="from"/>; the one behind it is read meanwhile.</summary>
    private async Task<IReadOnlyList<RecordedEvent>> ReadAsync(LogPosition from, CancellationToken cancellationToken)
    {
        var ahead = _ahead;
        _ahead = null;
        var page = ahead is { } read && read.After == from ? await read.Page.ConfigureAwait(false) : await _log.ReadLogAsync(from, _options.StepEvents, cancellationToken).ConfigureAwait(false);
        for (var i = 0; i < page.Count; i++)
        {
            if (page[i].Position != from + (i + 1))
            {
                throw new LogCorruptException($"position {from + (i + 1)} was expected here: an event is missing.", page[i].Stream, page[i].Version, page[i].Position, page[i].Type);
            }
        }

        if (page.Count >= _options.StepEvents)
        {
            var next = _log.ReadLogAsync(page[^1].Position, _options.StepEvents, cancellationToken);

            // It may never be asked for; its failure then concerns nobody.
            _ = next.ContinueWith(static t => t.Exception, CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted, TaskScheduler.Default);
            _ahead = (page[^1].Position, next);
        }

        return page;
    }
}
