using Orleans.EventSourced.Grains;
using Orleans.EventSourced.IntegrationTests.Grains;
using Orleans.Streams;

namespace Orleans.EventSourced.IntegrationTests.History;

/// <summary>Counts, and reaches out of itself as grains can: to another entity, to a stream, for a reminder.</summary>
[GrainType("roving")]
public sealed class RovingGrain : EventSourcedGrain<Counter, CounterEvent>, IRovingGrain, IRemindable
{
    public Task<CommandResult<CounterEvent>> AddAsync(int amount) => ExecuteAsync(amount, Counter.Decide);

    public Task<CommandResult<CounterEvent>> AddToAsync(string key, int amount) => GrainFactory.GetGrain<IRovingGrain>(key).AddAsync(amount);

    public Task<CommandResult<CounterEvent>> AddOutsideAsync(string key, int amount)
    {
        var other = GrainFactory.GetGrain<IRovingGrain>(key);
        return Task.Run(() => other.AddAsync(amount));
    }

    public Task<CommandResult<CounterEvent>> AddBesideAsync(string key, int amount) => GrainFactory.GetGrain<IRovingGrain>(KeyBeside(key)).AddAsync(amount);

    public async Task<string> AddToEachOtherAsync(string key, int amount)
    {
        await ExecuteAsync(amount, Counter.Decide);
        await GrainFactory.GetGrain<IRovingGrain>(KeyBeside(key)).AddAsync(amount);
        return EntityKey;
    }

    public Task TellAsync(string text) => this.GetStreamProvider("memory").GetStream<string>("told", EntityKey).OnNextAsync(text);

    public Task RemindAsync() => this.RegisterOrUpdateReminder("later", TimeSpan.FromMinutes(5), TimeSpan.FromMinutes(5));

    public Task<(string Key, int Total, int Version)> GetAsync() => Task.FromResult((EntityKey, State.Total, Version));

    public Task ReceiveReminder(string reminderName, TickStatus status) => Task.CompletedTask;
}

[Alias("tests.IRovingGrain")]
public interface IRovingGrain : IGrainWithStringKey
{
    Task<CommandResult<CounterEvent>> AddAsync(int amount);

    Task<CommandResult<CounterEvent>> AddToAsync(string key, int amount);

    Task<CommandResult<CounterEvent>> AddOutsideAsync(string key, int amount);

    Task<CommandResult<CounterEvent>> AddBesideAsync(string key, int amount);

    Task<string> AddToEachOtherAsync(string key, int amount);

    Task TellAsync(string text);

    Task RemindAsync();

    Task<(string Key, int Total, int Version)> GetAsync();
}
