using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Projections;

namespace Orleans.EventSourced.Projections;

/// <summary>The projections of this program's views, wherever in the cluster they run. Safe for concurrent use.</summary>
public sealed class ProjectionControl
{
    private readonly RegisteredViews _views;
    private readonly IGrainFactory _grains;
    private readonly Deferral _deferral;

    internal ProjectionControl(RegisteredViews views, IGrainFactory grains, Deferral deferral) => (_views, _grains, _deferral) = (views, grains, deferral);

    /// <summary>Ends what <see cref="Hosting.EventSourcingOptions.DefersViews"/> began: from now on this silo runs the projections of views that no other silo knows. Nothing changes elsewhere.</summary>
    public void StartDeferred() => _deferral.End();

    /// <summary>Where each slice of each view stands, views by name.</summary>
    public async Task<IReadOnlyList<SliceReport>> ListAsync() => await Task.WhenAll(
        from view in _views.All
        orderby view.View.Name
        from slice in Enumerable.Range(0, view.Slices)
        select ReportAsync(view, slice));

    /// <summary>Lets a slice that stands still at an event, or waits before its next try, try again at once.</summary>
    /// <exception cref="ArgumentException">This program has no such view or slice.</exception>
    public Task ResumeAsync(ViewId view, int slice)
    {
        var registered = Registered(view);
        return slice >= 0 && slice < registered.Slices
            ? _grains.GetGrain<IProjectionGrain>(ProjectionGrain.KeyOf(view, slice)).ResumeAsync()
            : throw new ArgumentException($"The view {view} has {registered.Slices} slices, numbered from 0; got {slice}.", nameof(slice));
    }

    /// <summary>Compares all rows of a view with the fold of the log, on this silo; see <see cref="ViewComparison"/>.</summary>
    /// <exception cref="ArgumentException">This program has no such view.</exception>
    /// <exception cref="LogException">Log or table could not answer.</exception>
    /// <exception cref="ViewFoldException">The fold refuses an event.</exception>
    public Task<ViewComparisonReport> CompareAsync(ViewId view, CancellationToken cancellationToken) => Registered(view).CompareAsync(cancellationToken);

    private RegisteredView Registered(ViewId view) => _views.Find(view.Table) ?? throw new ArgumentException($"This program has no view {view}.", nameof(view));

    private async Task<SliceReport> ReportAsync(RegisteredView view, int slice)
    {
        var report = await _grains.GetGrain<IProjectionGrain>(ProjectionGrain.KeyOf(view.View, slice)).GetStatusAsync();
        var status = new ProjectionStatus(
            view.View, new Slice(slice, view.Slices), report.State, new LogPosition(report.Position), new LogPosition(report.Head), report.Fault, new LogPosition(report.FaultAt), report.Attempts, report.Since);
        return new SliceReport(status, report.Silo);
    }
}

/// <summary>Where a slice stands, and on which silo it runs.</summary>
/// <param name="Status">Where it stands.</param>
/// <param name="Silo">The silo.</param>
public sealed record SliceReport(ProjectionStatus Status, SiloAddress Silo);
