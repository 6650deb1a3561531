using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Projections;
using Orleans.EventSourced.Operations;

namespace Orleans.EventSourced.Projections;

/// <summary>
/// Folds views anew while the cluster goes on: a second table is filled beside the live one, can be compared with the fold of the log, and takes the live one's place in one transaction. Until then
/// it can be given up, and afterwards gone back on. Safe for concurrent use, from any silo.
/// </summary>
public sealed class RebuildControl
{
    private static readonly TimeSpan BetweenTries = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan LongestHold = TimeSpan.FromSeconds(5);
    private readonly RegisteredViews _views;
    private readonly IGrainFactory _grains;
    private readonly IViewStore? _store;
    private readonly LogTail _tail;
    private readonly OperationsLog _operations;
    private readonly TimeProvider _time;

    internal RebuildControl(RegisteredViews views, IGrainFactory grains, IViewStore? store, LogTail tail, OperationsLog operations, TimeProvider time) =>
        (_views, _grains, _store, _tail, _operations, _time) = (views, grains, store, tail, operations, time);

    /// <summary>The longest wait of <see cref="SwitchAsync"/>.</summary>
    public static TimeSpan LongestWait { get; } = TimeSpan.FromMinutes(1);

    /// <summary>Begins to fill a new table of the view. Null: one is being filled already.</summary>
    /// <param name="view">The view and its version.</param>
    /// <param name="reason">Why: 1 to <see cref="ViewEdition.MaxText"/> characters; it is kept.</param>
    /// <param name="actor">Who says so; null: not known.</param>
    /// <param name="cancellationToken">Ends the wait; it may have begun then.</param>
    /// <exception cref="ArgumentException">This program has no such view, or a text is empty or too long.</exception>
    /// <exception cref="LogRequestRefusedException">There is no live table yet.</exception>
    /// <exception cref="LogException">Begun or not: list them and see.</exception>
    public async Task<ViewEdition?> BeginAsync(ViewId view, string reason, string? actor, CancellationToken cancellationToken)
    {
        async Task<ViewEdition?> BeginAsync(RegisteredView registered, Tables _)
        {
            var begun = await registered.Editions.BeginAsync(registered.Slices, reason, actor, cancellationToken);
            await WakeAsync(registered);
            return begun;
        }

        async Task<ViewEdition?> BegunAsync(RegisteredView registered, Tables now) =>
            now.Building is { } number ? (await registered.Editions.ListAsync(cancellationToken)).FirstOrDefault(e => e.Number == number) : null;

        return await ChangeAsync(
            OperationActions.RebuildBegin, view, reason, actor, BeginAsync, (before, begun) => begun is null ? null : before with { Building = begun.Number, Retired = null }, BegunAsync, cancellationToken);
    }

    /// <summary>The tables that are built or retired, by view, and how far their slices are.</summary>
    /// <exception cref="LogUnavailableException">The store could not answer.</exception>
    public async Task<IReadOnlyList<RebuildReport>> ListAsync(CancellationToken cancellationToken)
    {
        if (_store is null)
        {
            return [];
        }

        var head = (await _tail.ReadHeadAsync(cancellationToken)).Position;
        var reports = new List<RebuildReport>();
        foreach (var table in (await _store.ReadCheckpointsAsync(cancellationToken)).Where(c => c.Role != ViewRole.Live).GroupBy(c => (c.View, c.Edition)))
        {
            if (_views.Find(table.Key.View.Table) is not { } view)
            {
                continue;
            }

            var edition = (await view.Editions.ListAsync(cancellationToken)).FirstOrDefault(e => e.Number == table.Key.Edition);
            if (edition?.Role is { } role)
            {
                var fault = role == ViewRole.Building ? await FaultAsync(view) : null;
                reports.Add(new RebuildReport(view.View, edition, [.. table.OrderBy(c => c.Slice.Index).Select(c => c.Position)], head, fault));
            }
        }

        return reports;
    }

    /// <summary>Compares the table that is built with the fold of the log; see <see cref="ViewComparison"/>. Without one, every row is missing.</summary>
    /// <exception cref="ArgumentException">This program has no such view.</exception>
    /// <exception cref="LogException">Log or table could not answer.</exception>
    /// <exception cref="ViewFoldException">The fold refuses an event.</exception>
    public Task<ViewComparisonReport> CompareAsync(ViewId view, CancellationToken cancellationToken) => Registered(view).CompareAsync(ViewRole.Building, cancellationToken);

    /// <summary>The events that wait for parked rows of the table that is built, by slice, key and position; of each row the first is the one that its fold refuses. None without one.</summary>
    /// <exception cref="ArgumentException">This program has no such view.</exception>
    /// <exception cref="LogUnavailableException">The store could not answer.</exception>
    public Task<IReadOnlyList<ParkedEvent>> ListParkedAsync(ViewId view, CancellationToken cancellationToken) => Registered(view).ReadParkedAsync(ViewRole.Building, cancellationToken);

    /// <summary>
    /// Makes the table that is built the live one, as soon as it is as far. Under load the two take turns in being ahead: once the new one is near, the live one's slices stand still until the
    /// switch, for 5 s at most. Readers go over at once and see no row go back; the table that was live retires and stays until it is dropped or the next
    /// one begins.
    /// </summary>
    /// <param name="view">The view and its version.</param>
    /// <param name="atMost">How long to wait for it to be as far; up to <see cref="LongestWait"/>.</param>
    /// <param name="reason">Why: 1 to <see cref="SkippedEvent.MaxText"/> characters.</param>
    /// <param name="actor">Who says so; null: not known.</param>
    /// <param name="cancellationToken">Ends the wait; it may have been switched to then.</param>
    /// <exception cref="ArgumentException">This program has no such view, the wait is too long, or the reason is empty or too long.</exception>
    /// <exception cref="LogException">Switched or not: list them and see.</exception>
    public async Task<SwitchOutcome> SwitchAsync(ViewId view, TimeSpan atMost, string reason, string? actor, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(atMost, TimeSpan.Zero);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(atMost, LongestWait);
        return await ChangeAsync(
            OperationActions.RebuildSwitch,
            view,
            reason,
            actor,
            (registered, tables) => tables.Building is { } edition ? SwitchWithinAsync(registered, edition, atMost, cancellationToken) : Task.FromResult<SwitchOutcome>(new SwitchOutcome.NothingBuilt()),
            (before, outcome) => outcome is SwitchOutcome.Switched(var edition) ? before with { Live = edition, Building = null, Retired = before.Live } : null,
            (_, now) => Task.FromResult<SwitchOutcome>(now.Live is { } live ? new SwitchOutcome.Switched(live) : new SwitchOutcome.NothingBuilt()),
            cancellationToken);
    }

    private async Task<SwitchOutcome> SwitchWithinAsync(RegisteredView registered, int edition, TimeSpan atMost, CancellationToken cancellationToken)
    {
        var started = _time.GetTimestamp();
        var isHeld = false;
        try
        {
            while (true)
            {
                var outcome = await registered.Editions.SwitchAsync(edition, cancellationToken);
                if (outcome is not SwitchOutcome.Behind(_, var position, var live) || _time.GetElapsedTime(started) >= atMost)
                {
                    // One that stands at an event may find it folded in the other table.
                    isHeld |= outcome is SwitchOutcome.Switched;
                    return outcome;
                }

                if (!isHeld && live.Value - position.Value <= _tail.PageEvents)
                {
                    isHeld = true;
                    await Task.WhenAll(Live(registered).Select(s => s.HoldAsync(LongestHold)));
                }

                await Task.Delay(BetweenTries, _time, cancellationToken);
            }
        }
        finally
        {
            if (isHeld)
            {
                await Task.WhenAll(Live(registered).Select(s => s.ResumeAsync()));
            }
        }
    }

    /// <summary>Gives up the table that is built. False: there is none.</summary>
    /// <param name="view">The view and its version.</param>
    /// <param name="reason">Why: 1 to <see cref="SkippedEvent.MaxText"/> characters.</param>
    /// <param name="actor">Who says so; null: not known.</param>
    /// <param name="cancellationToken">Ends the wait; it may be done then.</param>
    /// <exception cref="ArgumentException">This program has no such view, or the reason is empty or too long.</exception>
    /// <exception cref="LogException">Given up or not: list them and see.</exception>
    public Task<bool> CancelAsync(ViewId view, string reason, string? actor, CancellationToken cancellationToken) => ChangeAsync(
        OperationActions.RebuildCancel, view, reason, actor, v => v.Editions.CancelAsync(cancellationToken), before => before with { Building = null }, cancellationToken);

    /// <summary>Fills the retired table further, from where it stood, so that it can be switched back to. False: there is none; the one that is begun after it has dropped it.</summary>
    /// <param name="view">The view and its version.</param>
    /// <param name="reason">Why: 1 to <see cref="SkippedEvent.MaxText"/> characters.</param>
    /// <param name="actor">Who says so; null: not known.</param>
    /// <param name="cancellationToken">Ends the wait; it may be done then.</param>
    /// <exception cref="ArgumentException">This program has no such view, or the reason is empty or too long.</exception>
    /// <exception cref="LogException">Done or not: list them and see.</exception>
    public Task<bool> RevertAsync(ViewId view, string reason, string? actor, CancellationToken cancellationToken)
    {
        async Task<bool> RevertAsync(RegisteredView registered)
        {
            var reverted = await registered.Editions.RevertAsync(cancellationToken);
            if (reverted)
            {
                await WakeAsync(registered);
            }

            return reverted;
        }

        return ChangeAsync(OperationActions.RebuildRevert, view, reason, actor, RevertAsync, before => before with { Building = before.Retired, Retired = null }, cancellationToken);
    }

    /// <summary>Drops the retired table. False: there is none.</summary>
    /// <param name="view">The view and its version.</param>
    /// <param name="reason">Why: 1 to <see cref="SkippedEvent.MaxText"/> characters.</param>
    /// <param name="actor">Who says so; null: not known.</param>
    /// <param name="cancellationToken">Ends the wait; it may be done then.</param>
    /// <exception cref="ArgumentException">This program has no such view, or the reason is empty or too long.</exception>
    /// <exception cref="LogRequestRefusedException">Something outside hangs on it.</exception>
    /// <exception cref="LogException">Dropped or not: list them and see.</exception>
    public Task<bool> DropRetiredAsync(ViewId view, string reason, string? actor, CancellationToken cancellationToken) => ChangeAsync(
        OperationActions.RebuildDropRetired, view, reason, actor, v => v.Editions.DropRetiredAsync(cancellationToken), before => before with { Retired = null }, cancellationToken);

    /// <summary>Lets the view's plain name in SQL show this version. It happens by itself when no silo runs the version shown any more, to newer versions only. False: it does already.</summary>
    /// <param name="view">The view and its version.</param>
    /// <param name="reason">Why: 1 to <see cref="SkippedEvent.MaxText"/> characters.</param>
    /// <param name="actor">Who says so; null: not known.</param>
    /// <param name="cancellationToken">Ends the wait; it may be done then.</param>
    /// <exception cref="ArgumentException">This program has no such view, or the reason is empty or too long.</exception>
    /// <exception cref="LogRequestRefusedException">This version has no table, or something outside hangs on the plain name: it is named.</exception>
    /// <exception cref="LogException">Done or not: do it again.</exception>
    public Task<bool> ShowAsync(ViewId view, string reason, string? actor, CancellationToken cancellationToken) => ChangeAsync(
        OperationActions.ViewShow, view, reason, actor, v => v.Editions.ShowAsync(cancellationToken), before => before with { Shown = view.Version }, cancellationToken);

    private Task<bool> ChangeAsync(string action, ViewId view, string reason, string? actor, Func<RegisteredView, Task<bool>> change, Func<Tables, Tables> after, CancellationToken cancellationToken) =>
        ChangeAsync(action, view, reason, actor, (registered, _) => change(registered), (before, changed) => changed ? after(before) : null, (_, _) => Task.FromResult(true), cancellationToken);

    /// <summary>Changes which tables there are, and records it. What a command that was sent before has changed is not changed again.</summary>
    /// <param name="action">What is done.</param>
    /// <param name="view">The view.</param>
    /// <param name="reason">Why.</param>
    /// <param name="actor">Who.</param>
    /// <param name="change">Does it, to these tables.</param>
    /// <param name="after">The tables by an answer, from those before it; null: by that answer nothing changed.</param>
    /// <param name="answerOf">The answer that made the tables what they are.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    private async Task<T> ChangeAsync<T>(
        string action, ViewId view, string reason, string? actor, Func<RegisteredView, Tables, Task<T>> change, Func<Tables, T, Tables?> after, Func<RegisteredView, Tables, Task<T>> answerOf, CancellationToken cancellationToken)
    {
        OperationsLog.Check(reason, actor);
        var registered = Registered(view);
        var asked = await TablesAsync(registered, cancellationToken);
        return await _operations.PerformAsync(
            new Operation(action, OperationsLog.ViewTarget(view), reason, actor, asked, new { view.Version }),
            async earlier =>
            {
                // An earlier try may have been at work until now.
                var (before, now) = earlier is null ? (asked, asked) : (OperationsLog.Read<Tables>(earlier.Before!), await TablesAsync(registered, cancellationToken));
                if (before == now)
                {
                    var answer = await change(registered, now);
                    var tables = after(now, answer);
                    return new Effect<T>(answer, tables, tables is null ? $"Nothing was changed: {answer}" : null);
                }

                var made = await answerOf(registered, now);
                return after(before, made) == now
                    ? new Effect<T>(made, now)
                    : throw new LogOutcomeUnknownException($"{action} of {view} was asked for before, and its tables were changed otherwise since: list them and see, and ask for what is still wanted by another command.");
            },
            performed => answerOf(registered, OperationsLog.Read<Tables>(performed.After!)));
    }

    private async Task<Tables> TablesAsync(RegisteredView view, CancellationToken cancellationToken)
    {
        var editions = (await view.Editions.ListAsync(cancellationToken)).Where(e => e.Role is not null).ToDictionary(e => e.Role!.Value, e => (int?)e.Number);
        var shown = _store is null ? null : (await _store.ReadCheckpointsAsync(cancellationToken)).FirstOrDefault(c => c.IsShown && c.View.Name == view.View.Name)?.View.Version;
        return new Tables(view.View.Version, editions.GetValueOrDefault(ViewRole.Live), editions.GetValueOrDefault(ViewRole.Building), editions.GetValueOrDefault(ViewRole.Retired), shown);
    }

    private RegisteredView Registered(ViewId view) => _views.Find(view.Table) ?? throw new ArgumentException($"This program has no view {view}.", nameof(view));

    /// <summary>A call is enough: the runners live from then on, where the keepers of the silos want them.</summary>
    private Task WakeAsync(RegisteredView view) => Task.WhenAll(Enumerable.Range(0, view.Slices).Select(s => Building(view, s).GetStatusAsync()));

    private async Task<string?> FaultAsync(RegisteredView view) =>
        (await Task.WhenAll(Enumerable.Range(0, view.Slices).Select(s => Building(view, s).GetStatusAsync()))).Select(s => s.Fault).FirstOrDefault(f => f is not null);

    private IEnumerable<IProjectionGrain> Live(RegisteredView view) => Enumerable.Range(0, view.Slices).Select(s => _grains.GetGrain<IProjectionGrain>(ProjectionGrain.KeyOf(view.View, s)));

    private IProjectionGrain Building(RegisteredView view, int slice) => _grains.GetGrain<IProjectionGrain>(ProjectionGrain.KeyOf(view.View, slice, ViewRole.Building));

    /// <summary>The numbers of a version's tables by role, and the version that the plain name shows, as they are recorded.</summary>
    private sealed record Tables(int Version, int? Live, int? Building, int? Retired, int? Shown);
}

/// <summary>A table that is being filled, or that was live before.</summary>
/// <param name="View">The view and its version.</param>
/// <param name="Edition">Which one, why it was made, and its role.</param>
/// <param name="Positions">How far its slices are, by number.</param>
/// <param name="Head">The log's head.</param>
/// <param name="Fault">What keeps a slice from going on; null: nothing does.</param>
public sealed record RebuildReport(ViewId View, ViewEdition Edition, IReadOnlyList<LogPosition> Positions, LogPosition Head, string? Fault)
{
    /// <summary>How many events the slice that is furthest behind has still to pass.</summary>
    public long Behind => Math.Max(0, Head.Value - Positions.Min(p => p.Value));
}
