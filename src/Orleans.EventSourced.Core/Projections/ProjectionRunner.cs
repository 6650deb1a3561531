using Orleans.EventSourced.Core.Log;

namespace Orleans.EventSourced.Core.Projections;

/// <summary>
/// Stage 8 of the data's way: brings the rows of one slice of a view up to the log, step by step. A step is one transaction of rows, routes and checkpoint, and writes only where
/// the checkpoint is still where this runner left it; so two runners of one slice can disturb each other, but never the rows. Far from the head the next step is read, decoded and
/// folded while this one is written. Not safe for concurrent use.
/// </summary>
/// <typeparam name="TRow">The class of a row.</typeparam>
public sealed class ProjectionRunner<TRow>
    where TRow : class
{
    private readonly Projection<TRow> _projection;
    private readonly Slice _slice;
    private readonly IViewTable<TRow> _table;
    private readonly LogTail _tail;
    private readonly ParkedRetry<TRow> _retry;
    private readonly Queue<string> _retries = new();
    private OpenedSlice? _opened;
    private HashSet<LogPosition> _skipped = [];
    private ParkedRows _parked = new([]);
    private KnownRows<TRow> _known;
    private Task<PreparedStep?>? _ahead;
    private bool _indexed;

    // What is parked is taken up again by each new runner: its program may be a mended one.
    private int _asked = 1;
    private int _heard;

    /// <param name="projection">The view.</param>
    /// <param name="slice">The share of its rows.</param>
    /// <param name="table">Where they are.</param>
    /// <param name="tail">The log. A step folds one of its pages.</param>
    public ProjectionRunner(Projection<TRow> projection, Slice slice, IViewTable<TRow> table, LogTail tail)
    {
        ArgumentNullException.ThrowIfNull(projection);
        ArgumentNullException.ThrowIfNull(table);
        ArgumentNullException.ThrowIfNull(tail);
        (_projection, _slice, _table, _tail, _retry) = (projection, slice, table, tail, new ParkedRetry<TRow>(projection, slice, table, tail));
        _known = new KnownRows<TRow>(table, slice);
    }

    /// <summary>How many rows stand still at an event that their fold refuses.</summary>
    public int Parked => _parked.Count;

    /// <summary>The first event at which a row stands still; null: none does.</summary>
    public ParkedEvent? FirstParked => _parked.First;

    /// <summary>Lets the next steps take up the rows that are parked again: each step one of them, before it goes on with the log. Any thread may call it.</summary>
    public void RetryParked() => Interlocked.Increment(ref _asked);

    /// <summary>Lets the next step open the table again and go on from its checkpoint: the log did not answer meanwhile, and may be another one when it does.</summary>
    public void Reopen() => _opened = null;

    /// <summary>Takes one step that stops where the fold refuses an event: <see cref="StepAsync(PoisonPolicy, CancellationToken)"/>.</summary>
    public Task<ProjectionStep> StepAsync(CancellationToken cancellationToken) => StepAsync(PoisonPolicy.Stop, cancellationToken);

    /// <summary>Takes one step. After an exception the next step opens the table again and goes on from its checkpoint.</summary>
    /// <param name="poison">What to do where the fold refuses the next event.</param>
    /// <param name="cancellationToken">Ends it; the step may have been written.</param>
    /// <exception cref="LogUnavailableException">The log or the table could not answer; the step may have been written.</exception>
    /// <exception cref="LogMisconfiguredException">The table does not fit, or was folded further than the log reaches.</exception>
    /// <exception cref="LogCorruptException">The log has a gap.</exception>
    public async Task<ProjectionStep> StepAsync(PoisonPolicy poison, CancellationToken cancellationToken)
    {
        try
        {
            if ((_opened ??= await OpenAsync(cancellationToken).ConfigureAwait(false)) is not { Position: var from })
            {
                return new ProjectionStep.Gone();
            }

            if (!await RetryAsync(cancellationToken).ConfigureAwait(false))
            {
                return await OvertakenAsync(cancellationToken).ConfigureAwait(false);
            }

            var ahead = await TakeAheadAsync(from).ConfigureAwait(false);
            var page = ahead?.Page ?? await _tail.ReadAsync(from, cancellationToken).ConfigureAwait(false);
            if (page.Events.Count < _tail.PageEvents && !_indexed)
            {
                await _table.IndexAsync(cancellationToken).ConfigureAwait(false);
                _indexed = true;
            }

            if (page.Events.Count == 0)
            {
                return _retries.Count == 0 ? new ProjectionStep.AtHead(from) : new ProjectionStep.Advanced(from, 0);
            }

            var step = await FoldAsync(page, page.Events.Count, ahead, poison, cancellationToken).ConfigureAwait(false);
            if (step is ProjectionStep.Poisoned && await HasMovedAsync(cancellationToken).ConfigureAwait(false))
            {
                // The fold was given rows that another runner had taken further: what it refused says nothing of the event.
                return await OvertakenAsync(cancellationToken).ConfigureAwait(false);
            }

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

        (_indexed, _known, _ahead) = (false, new KnownRows<TRow>(_table, _slice), null);
        _skipped = await ReadSkippedAsync(cancellationToken).ConfigureAwait(false);
        _parked = new ParkedRows(await _table.ReadParkedAsync(_slice, cancellationToken).ConfigureAwait(false));
        return await _tail.DiffersAsync(position, opened.Mark, cancellationToken).ConfigureAwait(false) is { } difference
            ? throw new LogMisconfiguredException($"The view table {_projection.View.Table}, slice {_slice}, was folded up to position {position}, but {difference}: the log went back, as from a backup. Rebuild the view.")
            : opened;
    }

    /// <summary>Takes up the next of the parked rows that are to be, in a transaction of its own; one that fails stays the next. False: another runner has the slice.</summary>
    private async Task<bool> RetryAsync(CancellationToken cancellationToken)
    {
        if (Volatile.Read(ref _asked) is var asked && asked != _heard)
        {
            _skipped = await ReadSkippedAsync(cancellationToken).ConfigureAwait(false);
            _retries.Clear();
            foreach (var key in _parked.Keys)
            {
                _retries.Enqueue(key);
            }

            _heard = asked;
        }

        if (!_retries.TryPeek(out var next))
        {
            return true;
        }

        // It was prepared without what this changes, and may be reading what this adds to.
        await TakeAheadAsync(null).ConfigureAwait(false);
        if (_parked.Of(next) is { Count: > 0 } waiting && await _retry.RunAsync(waiting, _opened!, _skipped, cancellationToken).ConfigureAwait(false) is { } commit)
        {
            if (!await _table.CommitAsync(commit, cancellationToken).ConfigureAwait(false))
            {
                return false;
            }

            _known.Add(commit);
            _opened = _opened! with { Retries = commit.NextRetries };
            _parked.Replace(next, commit.Parked);
        }

        _retries.Dequeue();
        return true;
    }

    private async Task<HashSet<LogPosition>> ReadSkippedAsync(CancellationToken cancellationToken) =>
        [.. from s in await _table.ReadSkippedAsync(cancellationToken).ConfigureAwait(false) select s.Position];

    /// <summary>Folds the first <paramref name="count"/> events of a page.</summary>
    private async Task<ProjectionStep> FoldAsync(TailPage page, int count, PreparedStep? prepared, PoisonPolicy poison, CancellationToken cancellationToken)
    {
        try
        {
            prepared ??= await PrepareAsync(page, count, _known, _skipped, cancellationToken).ConfigureAwait(false);
            return prepared is { Passed: 0, Missing: { } unknown } ? new ProjectionStep.Unknown(page.After, unknown) : await CommitAsync(prepared, poison, cancellationToken).ConfigureAwait(false);
        }
        catch (ViewFoldException e) when (e.Recorded.Position == page.After + 1)
        {
            return new ProjectionStep.Poisoned(page.After, e);
        }
        catch (ViewFoldException e)
        {
            // What comes before the event is good: it is folded without it, and the next step begins at it.
            return await FoldAsync(page, (int)(e.Recorded.Position.Value - page.After.Value - 1), null, poison, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>What the events of a step do, and the rows as they are before it.</summary>
    /// <exception cref="ViewFoldException">An event cannot be read, or the view's code refuses it before its row is known.</exception>
    private async Task<PreparedStep> PrepareAsync(TailPage page, int count, KnownRows<TRow> known, HashSet<LogPosition> skipped, CancellationToken cancellationToken)
    {
        var (events, missing) = Decode(page, count, skipped);
        var routes = new Dictionary<StreamId, ViewRoute?>();
        var steps = await _projection.RouteAsync(events, _slice, known, routes, cancellationToken).ConfigureAwait(false);
        var before = await known.ReadRowsAsync(steps.Select(s => s.Key).ToHashSet(StringComparer.Ordinal), cancellationToken).ConfigureAwait(false);
        return new PreparedStep(page, missing?.Index ?? count, missing?.Type, steps, before, routes);
    }

    /// <summary>Prepares the step behind one that is being written. Null: it could not; the step itself meets the reason, if that lasts.</summary>
    private async Task<PreparedStep?> PrepareAheadAsync(LogPosition after, KnownRows<TRow> known, HashSet<LogPosition> skipped, CancellationToken cancellationToken)
    {
        // Beside the commit, not before it.
        await _tail.Dispatch.YieldAsync().ConfigureAwait(false);
        try
        {
            var page = await _tail.ReadAsync(after, cancellationToken).ConfigureAwait(false);
            var prepared = await PrepareAsync(page, page.Events.Count, known, skipped, cancellationToken).ConfigureAwait(false);
            return _parked.Count == 0 ? prepared with { Rows = Fold(prepared.Steps, prepared.Before, null, []) } : prepared;
        }
        catch (Exception)
        {
            return null;
        }
    }

    /// <summary>What was prepared for the step that begins here, once it is; null: nothing.</summary>
    private async Task<PreparedStep?> TakeAheadAsync(LogPosition? from)
    {
        var ahead = _ahead is null ? null : await _ahead.ConfigureAwait(false);
        _ahead = null;
        return ahead?.Page.After == from ? ahead : null;
    }

    private async Task<ProjectionStep> CommitAsync(PreparedStep step, PoisonPolicy poison, CancellationToken cancellationToken)
    {
        var (from, opened) = (step.Page.After, _opened!);
        var next = from + step.Passed;
        var parked = new List<ParkedEvent>();
        var rows = step.Rows ?? Fold(step.Steps, step.Before, poison == PoisonPolicy.Park ? from + 1 : null, parked);
        var commit = new ViewCommit<TRow>(_slice, opened.Edition, from, next, rows, [.. step.Routes.Select(r => new RouteChange(r.Key, r.Value))]) { Retries = opened.Retries, Parked = parked, Mark = LogMark.Of(step.Page.Events[step.Passed - 1]) };
        _known.Add(commit);
        if (step.Passed >= _tail.PageEvents && parked.Count == 0 && commit.Rows.Count <= KnownRows<TRow>.MaxYoung && commit.Routes.Count <= KnownRows<TRow>.MaxYoung)
        {
            // A larger commit would not be known whole, and what is read of its rows beside it is as they were before.
            _ahead = PrepareAheadAsync(next, _known, _skipped, cancellationToken);
        }

        if (await _table.CommitAsync(commit, cancellationToken).ConfigureAwait(false))
        {
            _parked.Add(parked);
            _opened = opened with { Position = next };
            return new ProjectionStep.Advanced(next, step.Passed);
        }

        return await OvertakenAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Whether the slice is not any more as this runner opened it, or left it.</summary>
    private async Task<bool> HasMovedAsync(CancellationToken cancellationToken) =>
        await _table.OpenAsync(_slice, cancellationToken).ConfigureAwait(false) is not { } now || (now.Edition, now.Position, now.Retries) != (_opened!.Edition, _opened.Position, _opened.Retries);

    private async Task<ProjectionStep> OvertakenAsync(CancellationToken cancellationToken)
    {
        _opened = await OpenAsync(cancellationToken).ConfigureAwait(false);
        return _opened is null ? new ProjectionStep.Gone() : new ProjectionStep.Overtaken(_opened.Position);
    }

    /// <param name="steps">What the events do.</param>
    /// <param name="before">The rows as the table has them.</param>
    /// <param name="parksAt">The event whose row is parked where its fold refuses it; null: none is.</param>
    /// <param name="parked">Gets the events that wait for parked rows.</param>
    private List<RowChange<TRow>> Fold(List<RowStep<TRow>> steps, IReadOnlyDictionary<string, TRow> before, LogPosition? parksAt, List<ParkedEvent> parked)
    {
        var rows = new Dictionary<string, RowChange<TRow>>(steps.Count, StringComparer.Ordinal);
        var waiting = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (var step in steps)
        {
            if (IsParked(step, waiting))
            {
                parked.Add(new ParkedEvent(step.Key, step.Recorded.Position, null));
                continue;
            }

            var row = rows.TryGetValue(step.Key, out var changed) ? changed.Row : before.GetValueOrDefault(step.Key);
            try
            {
                rows[step.Key] = ViewFoldException.Guard(step.Recorded, () => new RowChange<TRow>(step.Key, step.Apply(row), step.Recorded.Position), step.Key);
            }
            catch (ViewFoldException e) when (step.Recorded.Position == parksAt && _parked.Count < ParkedEvent.MaxRows)
            {
                waiting[step.Key] = 1;
                parked.Add(new ParkedEvent(step.Key, step.Recorded.Position, e.Message));
            }
        }

        return [.. rows.Values];
    }

    /// <summary>Whether the row stands still already; the event is counted to those that wait for it.</summary>
    /// <exception cref="ViewFoldException">Too many wait.</exception>
    private bool IsParked(RowStep<TRow> step, Dictionary<string, int> waiting)
    {
        if (_parked.Count == 0 && waiting.Count == 0)
        {
            return false;
        }

        var before = waiting.TryGetValue(step.Key, out var counted) ? counted : _parked.Of(step.Key).Count;
        if (before == 0)
        {
            return false;
        }

        if (before >= ParkedEvent.MaxWaiting)
        {
            throw ViewFoldException.Of(step.Recorded, new InvalidOperationException($"The row '{step.Key}' is parked, and {before} events wait for it, the most allowed."));
        }

        waiting[step.Key] = before + 1;
        return true;
    }

    /// <summary>The events that the view reads and does not pass over, up to the first that this program does not know.</summary>
    private (List<DecodedEvent> Events, (int Index, UnknownEventTypeException Type)? Missing) Decode(TailPage page, int count, HashSet<LogPosition> skipped)
    {
        var events = new List<DecodedEvent>(count);
        for (var i = 0; i < count; i++)
        {
            if (!page.MayBe(i, _projection.Events) || skipped.Contains(page.Events[i].Position))
            {
                continue;
            }

            try
            {
                events.Add(new DecodedEvent(page.Events[i], page.Decode(i, _projection.Events)));
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

    /// <summary>A step before it is written.</summary>
    /// <param name="Page">The events.</param>
    /// <param name="Passed">How many of them the step passes, from the first on.</param>
    /// <param name="Missing">What this program does not know of the next one; null: that is not what ends the step.</param>
    /// <param name="Steps">What they do.</param>
    /// <param name="Before">The rows as they are.</param>
    /// <param name="Routes">What changes of the routes.</param>
    private sealed record PreparedStep(
        TailPage Page, int Passed, UnknownEventTypeException? Missing, List<RowStep<TRow>> Steps, IReadOnlyDictionary<string, TRow> Before, Dictionary<StreamId, ViewRoute?> Routes)
    {
        /// <summary>The rows after it, where it is folded already.</summary>
        public List<RowChange<TRow>>? Rows { get; init; }
    }
}
