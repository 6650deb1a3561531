using Orleans.Concurrency;
using Orleans.EventSourced.Grains;
using Orleans.Placement;

namespace Fines;

/// <summary>One traffic fine; its key is the fine's id.</summary>
[Alias("Fines.IFineGrain")]
public interface IFineGrain : IGrainWithStringKey
{
    /// <summary>Decides a command; its events are durable when this answers.</summary>
    [Alias("Execute")]
    Task<CommandResult<FineEvent>> ExecuteAsync(FineCommand command);

    /// <summary>The fine as it stands.</summary>
    [Alias("Get"), ReadOnly]
    Task<FineSnapshot> GetAsync();

    /// <summary>Executes a command, and lets the grain go from memory afterwards: no more is to come.</summary>
    [Alias("ExecuteLast")]
    Task<CommandResult<FineEvent>> ExecuteLastAsync(FineCommand command);
}

/// <summary>A fine and where it stands in the log.</summary>
/// <param name="State">The fine.</param>
/// <param name="Version">The version of its last event; 0: there is no such fine.</param>
/// <param name="Position">The position of that event.</param>
[GenerateSerializer, Immutable, Alias("Fines.FineSnapshot")]
public sealed record FineSnapshot([property: Id(0)] Fine State, [property: Id(1)] int Version, [property: Id(2)] long Position);

/// <summary>The grain of one fine: all of its rules are in <see cref="Fine"/>.</summary>
[GrainType("fine"), PreferLocalPlacement]
public sealed class FineGrain : EventSourcedGrain<Fine, FineEvent>, IFineGrain
{
    /// <inheritdoc/>
    public Task<CommandResult<FineEvent>> ExecuteAsync(FineCommand command) => ExecuteAsync(command, Fine.Decide);

    /// <inheritdoc/>
    public Task<FineSnapshot> GetAsync() => Task.FromResult(new FineSnapshot(State, Version, Position));

    /// <inheritdoc/>
    public Task<CommandResult<FineEvent>> ExecuteLastAsync(FineCommand command)
    {
        DeactivateOnIdle();
        return ExecuteAsync(command);
    }
}
