using Orleans.Concurrency;
using Orleans.EventSourced.Core.Projections;
using Orleans.Placement;

namespace Orleans.EventSourced.Projections;

/// <summary>Owns the loop of one slice of a view in the cluster. Its key is <c>table/slice</c>, and <c>table/slice/building</c> for the table that is built beside the live one.</summary>
[Alias("Orleans.EventSourced.IProjectionGrain")]
internal interface IProjectionGrain : IGrainWithStringKey
{
    /// <summary>Runs the loop, at the silo that should have it: elsewhere the grain moves there.</summary>
    [Alias("Wake")]
    Task WakeAsync(SiloAddress owner);

    /// <summary>Where the slice stands.</summary>
    [Alias("GetStatus"), AlwaysInterleave]
    Task<ProjectionReport> GetStatusAsync();

    /// <summary>Tries again at once what it, or a parked row, stands still at or waits for.</summary>
    [Alias("Resume")]
    Task ResumeAsync();

    /// <summary>Takes no further step for so long, or until it is resumed.</summary>
    [Alias("Hold")]
    Task HoldAsync(TimeSpan atMost);
}

/// <summary>A slice's status, as it travels between silos.</summary>
[GenerateSerializer, Immutable, Alias("Orleans.EventSourced.ProjectionReport")]
internal sealed record ProjectionReport(
    [property: Id(0)] ProjectionState State,
    [property: Id(1)] long Position,
    [property: Id(2)] long Head,
    [property: Id(3)] string? Fault,
    [property: Id(4)] long FaultAt,
    [property: Id(5)] int Attempts,
    [property: Id(6)] DateTimeOffset Since,
    [property: Id(7)] SiloAddress Silo,
    [property: Id(8)] int Parked);

/// <summary>Thin: the loop runs beside it on the thread pool, so that folding does not hold up the grain's turns.</summary>
[GrainType("es-projection"), PreferLocalPlacement, KeepAlive]
internal sealed class ProjectionGrain(RegisteredViews views, Checkpoints checkpoints, ILocalSiloDetails silo) : Grain, IProjectionGrain, IDisposable
{
    private const string Building = "/building";
    private readonly Beside _beside = new();
    private ProjectionLoop? _loop;
    private IDisposable? _hurries;

    /// <summary>The key of the grain that owns a slice.</summary>
    public static string KeyOf(ViewId view, int slice, ViewRole role = ViewRole.Live) =>
        string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{view.Table}/{slice}{(role == ViewRole.Live ? "" : Building)}");

    public override Task OnActivateAsync(CancellationToken cancellationToken)
    {
        var key = this.GetPrimaryKeyString().Split('/');
        var role = key.Length > 2 ? ViewRole.Building : ViewRole.Live;
        var view = views.Find(key[0]) ?? throw new InvalidOperationException($"This silo's program does not know the view table '{key[0]}'.");
        _loop = view.Loop(new Slice(int.Parse(key[1], System.Globalization.CultureInfo.InvariantCulture), view.Slices), role, role == ViewRole.Live ? checkpoints.Report : null);
        _hurries = role == ViewRole.Live ? checkpoints.Hurries(view.View.Table, _loop) : null;
        _beside.Run(_loop.RunAsync);
        _ = LeaveAtTheEndAsync();
        return Task.CompletedTask;
    }

    public override Task OnDeactivateAsync(DeactivationReason reason, CancellationToken cancellationToken)
    {
        _hurries?.Dispose();
        return _beside.EndAsync();
    }

    public Task WakeAsync(SiloAddress owner) => Beside.MoveAsync(this, silo, owner);

    public Task<ProjectionReport> GetStatusAsync()
    {
        var s = _loop!.Status;
        return Task.FromResult(new ProjectionReport(s.State, s.Position.Value, s.Head.Value, s.Fault, s.FaultAt.Value, s.Attempts, s.Since, silo.SiloAddress, s.Parked));
    }

    public Task ResumeAsync()
    {
        _loop!.Resume();
        return Task.CompletedTask;
    }

    public Task HoldAsync(TimeSpan atMost)
    {
        _loop!.Hold(atMost);
        return Task.CompletedTask;
    }

    public void Dispose()
    {
        _hurries?.Dispose();
        _beside.Dispose();
    }

    /// <summary>A loop that ends by itself has no table any more; the next one to be built gets another activation.</summary>
    private async Task LeaveAtTheEndAsync()
    {
        await _beside.Ended;
        DeactivateOnIdle();
    }
}
