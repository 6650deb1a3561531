using Orleans.Concurrency;
using Orleans.EventSourced.Core.Deciding;
using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Grains;

namespace Orleans.EventSourced.IntegrationTests.Grains;

/// <summary>A counter with a limit; its state is kept as snapshots.</summary>
[GrainType("counter")]
public sealed class CounterGrain : EventSourcedGrain<Counter, CounterEvent>, ICounterGrain
{
    public Task<CommandResult<CounterEvent>> AddAsync(int amount) => ExecuteAsync(amount, Counter.Decide);

    public async Task<(int First, int Second)> AddTwiceAsync(int first, int second)
    {
        var one = (Accepted<CounterEvent>)await ExecuteAsync(first, Counter.Decide);
        var two = (Accepted<CounterEvent>)await ExecuteAsync(second, Counter.Decide);
        return (one.Version, two.Version);
    }

    public Task<CommandResult<CounterEvent>> AddAtOnceAsync(int amount) => ExecuteAsync(amount, Counter.Decide);

    public async Task<CommandResult<CounterEvent>> RaiseAndAddAsync(int raised, int added)
    {
        RaiseEvent(new Added(raised));
        return await ExecuteAsync(added, Counter.Decide);
    }

    public async Task AddAndRaiseAsync(int added, int raised)
    {
        await ExecuteAsync(added, Counter.Decide);
        if (raised > 0)
        {
            RaiseEvent(new Added(raised));
            await ConfirmEvents();
        }
    }

    public Task<(int Total, int Version, long Position)> GetAsync() => Task.FromResult((State.Total, Version, Position));

    public Task MoveAsync()
    {
        MigrateOnIdle();
        return Task.CompletedTask;
    }

    public Task LeaveAsync()
    {
        DeactivateOnIdle();
        return Task.CompletedTask;
    }
}

[Alias("tests.ICounterGrain")]
public interface ICounterGrain : IGrainWithStringKey
{
    Task<CommandResult<CounterEvent>> AddAsync(int amount);

    Task<(int First, int Second)> AddTwiceAsync(int first, int second);

    [AlwaysInterleave]
    Task<CommandResult<CounterEvent>> AddAtOnceAsync(int amount);

    Task<CommandResult<CounterEvent>> RaiseAndAddAsync(int raised, int added);

    Task AddAndRaiseAsync(int added, int raised);

    Task<(int Total, int Version, long Position)> GetAsync();

    Task MoveAsync();

    Task LeaveAsync();
}

/// <summary>Adds what it is told, one event for each 10 of it, up to 5,000; 0 changes nothing.</summary>
[FoldVersion(1, SnapshotEvery = 100), GenerateSerializer, Alias("tests.Counter")]
public sealed record Counter([property: Id(0)] int Total) : IDecider<Counter, int, CounterEvent>
{
    public const int Limit = 5_000;

    public static Counter Initial { get; } = new(0);

    public static Decision<CounterEvent> Decide(Counter state, int command) =>
        state.Total + command > Limit ? Core.Deciding.Decide.Refuse<CounterEvent>("limit", $"The limit is {Limit}.")
        : command <= 10 ? Core.Deciding.Decide.Accept<CounterEvent>(command == 0 ? [] : [new Added(command)])
        : Core.Deciding.Decide.Accept<CounterEvent>([.. Enumerable.Range(0, (command + 9) / 10).Select(i => new Added(Math.Min(10, command - (i * 10))))]);

    public static Counter Evolve(Counter state, CounterEvent @event) => new(state.Total + ((Added)@event).Amount);
}

[GenerateSerializer, Alias("tests.CounterEvent")]
public abstract record CounterEvent;

[EventType("counter-added"), GenerateSerializer, Alias("tests.Added")]
public sealed record Added([property: Id(0)] int Amount) : CounterEvent;
