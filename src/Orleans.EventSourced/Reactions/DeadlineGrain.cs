using Orleans.Concurrency;
using Orleans.EventSourced.Core.Reactions;
using Orleans.EventSourced.Projections;
using Orleans.Placement;

namespace Orleans.EventSourced.Reactions;

/// <summary>Owns the loop of a deadline in the cluster. Its key is the deadline's name.</summary>
[Alias("Orleans.EventSourced.IDeadlineGrain")]
internal interface IDeadlineGrain : IGrainWithStringKey
{
    /// <summary>Runs the loop, at the silo that should have it: elsewhere the grain moves there.</summary>
    [Alias("Wake")]
    Task WakeAsync(SiloAddress owner);

    /// <summary>How the deadline stands.</summary>
    [Alias("GetStatus"), AlwaysInterleave]
    Task<DeadlineProgress> GetStatusAsync();

    /// <summary>Looks for due rows at once, and lets none rest.</summary>
    [Alias("Resume")]
    Task ResumeAsync();
}

/// <summary>A deadline's status, as it travels between silos.</summary>
[GenerateSerializer, Immutable, Alias("Orleans.EventSourced.DeadlineProgress")]
internal sealed record DeadlineProgress(
    [property: Id(0)] DeadlineState State,
    [property: Id(1)] long Handled,
    [property: Id(2)] int Resting,
    [property: Id(3)] string? Fault,
    [property: Id(4)] string? FaultKey,
    [property: Id(5)] int Attempts,
    [property: Id(6)] DateTimeOffset Since,
    [property: Id(7)] SiloAddress Silo,
    [property: Id(8)] long Looks);

/// <summary>Thin: the loop runs beside it on the thread pool.</summary>
[GrainType("es-deadline"), PreferLocalPlacement, KeepAlive]
internal sealed class DeadlineGrain(RegisteredReactions reactions, ILocalSiloDetails silo) : Grain, IDeadlineGrain, IDisposable
{
    private readonly Beside _beside = new();
    private DeadlineLoop? _loop;

    public override Task OnActivateAsync(CancellationToken cancellationToken)
    {
        var name = this.GetPrimaryKeyString();
        _loop = (reactions.FindDeadline(name) ?? throw new InvalidOperationException($"This silo's program does not know the deadline '{name}'.")).Loop();
        _beside.Run(_loop.RunAsync);
        return Task.CompletedTask;
    }

    public override Task OnDeactivateAsync(DeactivationReason reason, CancellationToken cancellationToken) => _beside.EndAsync();

    public Task WakeAsync(SiloAddress owner) => Beside.MoveAsync(this, silo, owner);

    public Task<DeadlineProgress> GetStatusAsync()
    {
        var s = _loop!.Status;
        return Task.FromResult(new DeadlineProgress(s.State, s.Handled, s.Resting, s.Fault, s.FaultKey, s.Attempts, s.Since, silo.SiloAddress, s.Looks));
    }

    public Task ResumeAsync()
    {
        _loop!.Resume();
        return Task.CompletedTask;
    }

    public void Dispose() => _beside.Dispose();
}
