using Orleans.EventSourced.Core.Deciding;
using Orleans.EventSourced.Grains;
using Orleans.EventSourcing;
using Xunit;

namespace Orleans.EventSourced.IntegrationTests.Grains;

/// <summary>A counter that goes to another silo when told to. No state here has snapshots, so that a load that is not a move reads every event.</summary>
[Alias("tests.IMovingGrain")]
public interface IMovingGrain : IGrainWithStringKey
{
    /// <summary>Adds, and answers the version behind it.</summary>
    Task<int> AddAsync(int amount);

    Task<(int Total, int Version)> GetAsync();

    Task<SiloAddress> WhereAsync();

    Task MoveAsync();

    /// <summary>Adds without waiting for the log, and asks to be moved in the same turn.</summary>
    Task AddAndMoveAsync(int amount);
}

/// <summary>An immutable state that can go along.</summary>
[GrainType("tally")]
public sealed class TallyGrain : MovingDecider<Tally>;

[GenerateSerializer, Alias("tests.Tally")]
public sealed record Tally([property: Id(0)] int Total) : ITally<Tally>
{
    public static Tally Initial { get; } = new(0);

    public static Tally Evolve(Tally state, CounterEvent @event) => new(state.Total + ((Added)@event).Amount);
}

/// <summary>An immutable state that no serializer knows.</summary>
[GrainType("plain-tally")]
public sealed class PlainTallyGrain : MovingDecider<PlainTally>;

public sealed record PlainTally(int Total) : ITally<PlainTally>
{
    public static PlainTally Initial { get; } = new(0);

    public static PlainTally Evolve(PlainTally state, CounterEvent @event) => new(state.Total + ((Added)@event).Amount);
}

/// <summary>An immutable state whose silo says, before the provider does, that another build of the program folded it.</summary>
[GrainType("foreign-tally")]
public sealed class ForeignTallyGrain : MovingDecider<Tally>, IGrainMigrationParticipant
{
    public void OnDehydrate(IDehydrationContext dehydrationContext) => Assert.True(dehydrationContext.TryAddValue("orleans.eventsourced.fold", "of another build"));

    public void OnRehydrate(IRehydrationContext rehydrationContext)
    {
    }
}

/// <summary>A mutable state that can go along.</summary>
[GrainType("purse")]
public sealed class PurseGrain : MovingJournal<Purse>;

[GenerateSerializer, Alias("tests.Purse")]
public sealed class Purse : IPurse
{
    [Id(0)]
    public int Total { get; set; }

    public void Apply(Added e) => Total += e.Amount;
}

/// <summary>A mutable state that no serializer knows.</summary>
[GrainType("plain-purse")]
public sealed class PlainPurseGrain : MovingJournal<PlainPurse>;

public sealed class PlainPurse : IPurse
{
    public int Total { get; set; }

    public void Apply(Added e) => Total += e.Amount;
}

public interface ITally<TSelf> : IFold<TSelf, CounterEvent>
    where TSelf : ITally<TSelf>
{
    int Total { get; }
}

public interface IPurse
{
    int Total { get; }
}

public abstract class MovingDecider<TState> : EventSourcedGrain<TState, CounterEvent>, IMovingGrain
    where TState : class, ITally<TState>
{
    public async Task<int> AddAsync(int amount) =>
        ((Accepted<CounterEvent>)await ExecuteAsync(amount, (_, command) => Decide.Accept<CounterEvent>([new Added(command)]))).Version;

    public Task<(int Total, int Version)> GetAsync() => Task.FromResult((State.Total, Version));

    public Task<SiloAddress> WhereAsync() => Task.FromResult(GrainContext.Address.SiloAddress!);

    public Task MoveAsync()
    {
        MigrateOnIdle();
        return Task.CompletedTask;
    }

    public Task AddAndMoveAsync(int amount)
    {
        RaiseEvent(new Added(amount));
        return MoveAsync();
    }
}

public abstract class MovingJournal<TState> : JournaledGrain<TState, CounterEvent>, IMovingGrain
    where TState : class, IPurse, new()
{
    public async Task<int> AddAsync(int amount)
    {
        RaiseEvent(new Added(amount));
        await ConfirmEvents();
        return Version;
    }

    public Task<(int Total, int Version)> GetAsync() => Task.FromResult((State.Total, Version));

    public Task<SiloAddress> WhereAsync() => Task.FromResult(GrainContext.Address.SiloAddress!);

    public Task MoveAsync()
    {
        MigrateOnIdle();
        return Task.CompletedTask;
    }

    public Task AddAndMoveAsync(int amount)
    {
        RaiseEvent(new Added(amount));
        return MoveAsync();
    }
}
