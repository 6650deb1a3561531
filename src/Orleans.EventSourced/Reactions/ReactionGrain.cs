using Orleans.Concurrency;
using Orleans.EventSourced.Core.Reactions;
using Orleans.EventSourced.Projections;
using Orleans.Placement;

namespace Orleans.EventSourced.Reactions;

/// <summary>Owns the loop of a reaction in the cluster. Its key is the reaction's name.</summary>
[Alias("Orleans.EventSourced.IReactionGrain")]
internal interface IReactionGrain : IGrainWithStringKey
{
    /// <summary>Runs the loop, at the silo that should have it: elsewhere the grain moves there.</summary>
    [Alias("Wake")]
    Task WakeAsync(SiloAddress owner);

    /// <summary>Where the reaction stands.</summary>
    [Alias("GetStatus"), AlwaysInterleave]
    Task<ReactionProgress> GetStatusAsync();

    /// <summary>Tries again at once what it stands still at or waits for.</summary>
    [Alias("Resume")]
    Task ResumeAsync();
}

/// <summary>A reaction's status, as it travels between silos.</summary>
[GenerateSerializer, Immutable, Alias("Orleans.EventSourced.ReactionProgress")]
internal sealed record ReactionProgress(
    [property: Id(0)] ReactionState State,
    [property: Id(1)] long Position,
    [property: Id(2)] long Head,
    [property: Id(3)] string? Fault,
    [property: Id(4)] long FaultAt,
    [property: Id(5)] int Attempts,
    [property: Id(6)] DateTimeOffset Since,
    [property: Id(7)] SiloAddress Silo);

/// <summary>Thin: the loop runs beside it on the thread pool, so that handlers do not hold up the grain's turns.</summary>
[GrainType("es-reaction"), PreferLocalPlacement, KeepAlive]
internal sealed class ReactionGrain(RegisteredReactions reactions, ILocalSiloDetails silo) : Grain, IReactionGrain, IDisposable
{
    private readonly Beside _beside = new();
    private ReactionLoop? _loop;

    public override Task OnActivateAsync(CancellationToken cancellationToken)
    {
        var name = this.GetPrimaryKeyString();
        _loop = (reactions.FindReaction(name) ?? throw new InvalidOperationException($"This silo's program does not know the reaction '{name}'.")).Loop();
        _beside.Run(_loop.RunAsync);
        return Task.CompletedTask;
    }

    public override Task OnDeactivateAsync(DeactivationReason reason, CancellationToken cancellationToken) => _beside.EndAsync();

    public Task WakeAsync(SiloAddress owner) => Beside.MoveAsync(this, silo, owner);

    public Task<ReactionProgress> GetStatusAsync()
    {
        var s = _loop!.Status;
        return Task.FromResult(new ReactionProgress(s.State, s.Position.Value, s.Head.Value, s.Fault, s.FaultAt.Value, s.Attempts, s.Since, silo.SiloAddress));
    }

    public Task ResumeAsync()
    {
        _loop!.Resume();
        return Task.CompletedTask;
    }

    public void Dispose() => _beside.Dispose();
}
