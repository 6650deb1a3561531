using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Projections;
using Orleans.EventSourced.Operations;

namespace Orleans.EventSourced.Projections;

/// <summary>The projections of this program's views, wherever in the cluster they run. Safe for concurrent use.</summary>
public sealed class ProjectionControl
{
    private readonly RegisteredViews _views;
    private readonly IGrainFactory _grains;
    private readonly Deferral _deferral;
    private readonly OperationsLog _operations;
    private readonly TimeProvider _time;

    internal ProjectionControl(RegisteredViews views, IGrainFactory grains, Deferral deferral, OperationsLog operations, TimeProvider time) =>
        (_views, _grains, _deferral, _operations, _time) = (views, grains, deferral, operations, time);

    /// <summary>How many events one version of a view passes over at most: a fold that fails at more of them is to be mended.</summary>
    public const int MaxSkipped = 1_000;

    /// <summary>Ends what <see cref="Hosting.EventSourcingOptions.DefersViews"/> began: from now on this silo runs the projections of views that no other silo knows. Nothing changes elsewhere.</summary>
    public void StartDeferred() => _deferral.End();

    /// <summary>Whether this program has a view with this name, in whatever version.</summary>
    public bool Knows(string view) => _views.Named(view) is not null;

    /// <summary>The version that this program has of a view; null: it has none with this name.</summary>
    public int? VersionOf(string view) => _views.Named(view)?.View.Version;

    /// <summary>Where each slice of each view stands, views by name.</summary>
    public async Task<IReadOnlyList<SliceReport>> ListAsync() => await Task.WhenAll(
        from view in _views.All
        orderby view.View.Name
        from slice in Enumerable.Range(0, view.Slices)
        select ReportAsync(view, slice));

    /// <summary>Lets a slice that stands still at an event, or waits before its next try, try again at once, and its parked rows too; also that of the table that is built beside the live one.</summary>
    /// <param name="view">The view and its version.</param>
    /// <param name="slice">The number of the slice.</param>
    /// <param name="reason">Why: 1 to <see cref="SkippedEvent.MaxText"/> characters.</param>
    /// <param name="actor">Who says so; null: not known.</param>
    /// <param name="cancellationToken">Ends the wait; the slice may be resumed then.</param>
    /// <exception cref="ArgumentException">This program has no such view or slice, or the reason is empty or too long.</exception>
    /// <exception cref="LogException">Resumed or not: resume it again.</exception>
    public async Task ResumeAsync(ViewId view, int slice, string reason, string? actor, CancellationToken cancellationToken)
    {
        OperationsLog.Check(reason, actor);
        var registered = Registered(view);
        if (slice < 0 || slice >= registered.Slices)
        {
            throw new ArgumentException($"The view {view} has {registered.Slices} slices, numbered from 0; got {slice}.", nameof(slice));
        }

        var roles = await RolesAsync(registered, cancellationToken);
        var before = await Task.WhenAll(roles.Select(role => StandAsync(registered, role, slice)));
        await PerformAsync(OperationActions.ProjectionResume, view, reason, actor, before, new { view.Version, Resumed = slice }, () => Task.WhenAll(before.Select(s => s.Grain.ResumeAsync())));
    }

    /// <summary>
    /// Passes over the event that slices of the view, or parked rows, stand at, in the live table or the one that is built beside it, and lets them go on. The event stays in the log, and other views read it; this version of this view never does, nor does a table of it
    /// that is folded anew. What was decided is kept: <see cref="ListSkippedAsync"/>.
    /// </summary>
    /// <param name="view">The view and its version.</param>
    /// <param name="position">The event's place in the log.</param>
    /// <param name="reason">Why: 1 to <see cref="SkippedEvent.MaxText"/> characters.</param>
    /// <param name="actor">Who says so; null: not known.</param>
    /// <param name="cancellationToken">Ends the wait; the event may be skipped then.</param>
    /// <exception cref="ArgumentException">This program has no such view, or the reason is empty or too long.</exception>
    /// <exception cref="LogRequestRefusedException">No slice stands at the event, or the view passes over too many already.</exception>
    /// <exception cref="LogException">Kept or not: skip it again.</exception>
    public async Task SkipAsync(ViewId view, LogPosition position, string reason, string? actor, CancellationToken cancellationToken)
    {
        var registered = Registered(view);
        var skipped = new SkippedEvent(position, reason, actor, _time.GetUtcNow());
        var known = await registered.ReadSkippedAsync(cancellationToken);
        var standing = new List<Stand>();
        foreach (var role in await RolesAsync(registered, cancellationToken))
        {
            standing.AddRange(await StandingAsync(registered, role, position, cancellationToken));
        }

        var isNew = known.All(k => k.Position != position);
        if (standing.Count == 0 && isNew)
        {
            throw new LogRequestRefusedException($"No slice or row of view {view} stands at position {position}; only an event that the view cannot fold can be skipped.");
        }

        if (known.Count >= MaxSkipped && isNew)
        {
            throw new LogRequestRefusedException($"View {view} passes over {known.Count} events already, which is the most: mend its fold.");
        }

        await PerformAsync(OperationActions.ProjectionSkip, view, reason, actor, standing, new { view.Version, Skipped = position.Value }, async () =>
        {
            await registered.SkipAsync(skipped, cancellationToken);
            await Task.WhenAll(standing.Select(s => s.Grain.ResumeAsync()));
        });
    }

    /// <summary>The events that wait for parked rows of a view's live table, by slice, key and position; of each row the first is the one that its fold refuses. Those of a table that is built: <see cref="RebuildControl.ListParkedAsync"/>.</summary>
    /// <exception cref="ArgumentException">This program has no such view.</exception>
    /// <exception cref="LogUnavailableException">The store could not answer.</exception>
    public Task<IReadOnlyList<ParkedEvent>> ListParkedAsync(ViewId view, CancellationToken cancellationToken) => Registered(view).ReadParkedAsync(ViewRole.Live, cancellationToken);

    /// <summary>The events that a view passes over, by position.</summary>
    /// <exception cref="ArgumentException">This program has no such view.</exception>
    /// <exception cref="LogUnavailableException">The store could not answer.</exception>
    public Task<IReadOnlyList<SkippedEvent>> ListSkippedAsync(ViewId view, CancellationToken cancellationToken) => Registered(view).ReadSkippedAsync(cancellationToken);

    /// <summary>Compares all rows of a view with the fold of the log, on this silo; see <see cref="ViewComparison"/>.</summary>
    /// <exception cref="ArgumentException">This program has no such view.</exception>
    /// <exception cref="LogException">Log or table could not answer.</exception>
    /// <exception cref="ViewFoldException">The fold refuses an event.</exception>
    public Task<ViewComparisonReport> CompareAsync(ViewId view, CancellationToken cancellationToken) => Registered(view).CompareAsync(ViewRole.Live, cancellationToken);

    private RegisteredView Registered(ViewId view) => _views.Find(view.Table) ?? throw new ArgumentException($"This program has no view {view}.", nameof(view));

    private IProjectionGrain Grain(RegisteredView view, int slice, ViewRole role) => _grains.GetGrain<IProjectionGrain>(ProjectionGrain.KeyOf(view.View, slice, role));

    /// <summary>What is done may be done again: a command that was sent before is.</summary>
    private Task PerformAsync(string action, ViewId view, string reason, string? actor, IEnumerable<Stand> before, object asked, Func<Task> effect) => _operations.PerformAsync(
        new Operation(action, OperationsLog.ViewTarget(view), reason, actor, new { view.Version, Slices = before.Select(s => s.Shown) }, asked), effect);

    /// <summary>The tables of a view that runners fill.</summary>
    private static async Task<IReadOnlyList<ViewRole>> RolesAsync(RegisteredView view, CancellationToken cancellationToken) =>
        await view.IsBuiltAsync(cancellationToken) ? [ViewRole.Live, ViewRole.Building] : [ViewRole.Live];

    private async Task<Stand> StandAsync(RegisteredView view, ViewRole role, int slice)
    {
        var grain = Grain(view, slice, role);
        return new Stand(role, slice, grain, await grain.GetStatusAsync());
    }

    /// <summary>The slices of the table in a role that stand at an event, or whose rows do.</summary>
    private async Task<IEnumerable<Stand>> StandingAsync(RegisteredView view, ViewRole role, LogPosition position, CancellationToken cancellationToken)
    {
        var parkedIn = (from p in await view.ReadParkedAsync(role, cancellationToken) where p.Position == position && p.Fault is not null select Slice.Of(p.Key, view.Slices).Index).ToHashSet();
        var all = await Task.WhenAll(Enumerable.Range(0, view.Slices).Select(s => StandAsync(view, role, s)));
        return all.Where(s => s.Report.FaultAt == position.Value || parkedIn.Contains(s.Slice));
    }

    private async Task<SliceReport> ReportAsync(RegisteredView view, int slice)
    {
        var report = await Grain(view, slice, ViewRole.Live).GetStatusAsync();
        var status = new ProjectionStatus(
            view.View, new Slice(slice, view.Slices), report.State, new LogPosition(report.Position), new LogPosition(report.Head), report.Fault, new LogPosition(report.FaultAt), report.Attempts, report.Since)
        { Parked = report.Parked };
        return new SliceReport(status, report.Silo);
    }

    /// <summary>Where a slice of a table stands, and who runs it.</summary>
    private sealed record Stand(ViewRole Role, int Slice, IProjectionGrain Grain, ProjectionReport Report)
    {
        /// <summary>As it is recorded.</summary>
        public object Shown => new { Table = Role, Slice, Report.State, Report.Position, Report.FaultAt, Fault = OperationsLog.Fault(Report.Fault), Report.Attempts, Report.Parked };
    }
}

/// <summary>Where a slice stands, and on which silo it runs.</summary>
/// <param name="Status">Where it stands.</param>
/// <param name="Silo">The silo.</param>
public sealed record SliceReport(ProjectionStatus Status, SiloAddress Silo);
