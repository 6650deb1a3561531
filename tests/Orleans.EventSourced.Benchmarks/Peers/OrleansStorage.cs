using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Orleans.EventSourced.Benchmarks.Compare;
using Orleans.EventSourced.Benchmarks.Measures;
using Orleans.EventSourcing;
using Orleans.Providers;

namespace Orleans.EventSourced.Benchmarks.Peers;

/// <summary>
/// Orleans' own log-consistency providers on its AdoNet storage in PostgreSQL, as they come: StateStorage keeps the newest state alone, LogStorage all events of an entity in one row that is written anew
/// each time.
/// </summary>
internal sealed class OrleansStorage : IContender, IColdContender
{
    public const string Rows = "bench-rows";
    public const string Newest = "StateStorage";
    public const string Whole = "LogStorage";
    private readonly IHost _silo;
    private readonly Place _place;
    private readonly Func<AppendLoad, Task<Round>> _append;
    private readonly IColdContender _cold;

    private OrleansStorage(IHost silo, Place place, Func<AppendLoad, Task<Round>> append, IColdContender cold) => (_silo, _place, _append, _cold) = (silo, place, append, cold);

    /// <typeparam name="TGrain">Which of the two.</typeparam>
    public static async Task<OrleansStorage> StartAsync<TGrain>(Place place)
        where TGrain : IEntity
    {
        var silo = await LoopbackSilo.StartAsync(s =>
        {
            s.AddAdoNetGrainStorage(Rows, o => (o.Invariant, o.ConnectionString) = ("Npgsql", place.ForOrleans));
            s.AddStateStorageBasedLogConsistencyProvider(Newest);
            s.AddLogStorageBasedLogConsistencyProvider(Whole);
        });
        var entities = new Entities<TGrain>(silo.Services.GetRequiredService<IGrainFactory>());
        return new OrleansStorage(silo, place, entities.AppendAsync, entities);
    }

    public Task<Round> AppendAsync(AppendLoad load, CancellationToken cancellationToken) => _append(load);

    public Task<long> StoredBytesAsync(CancellationToken cancellationToken) => _place.BytesAsync(cancellationToken);

    public Task FillAsync(ColdStreams streams, CancellationToken cancellationToken) => _cold.FillAsync(streams, cancellationToken);

    public Task<Round> ActivateAsync(ColdStreams streams, CancellationToken cancellationToken) => _cold.ActivateAsync(streams, cancellationToken);

    public async ValueTask DisposeAsync()
    {
        await _silo.StopAsync();
        _silo.Dispose();
    }
}

[Alias("bench.IStateStorageGrain")]
public interface IStateStorageGrain : IEntity;

[Alias("bench.ILogStorageGrain")]
public interface ILogStorageGrain : IEntity;

[GrainType("bench-state-storage"), StorageProvider(ProviderName = OrleansStorage.Rows), LogConsistencyProvider(ProviderName = OrleansStorage.Newest)]
public sealed class StateStorageGrain : JournaledGrain<PeerTally, Ticked>, IStateStorageGrain
{
    public async Task<long> TickAsync(string note, int events)
    {
        RaiseEvents(PeerTally.After(State.Count, note, events));
        await ConfirmEvents();
        return Version;
    }

    public Task<int> VersionAsync() => Task.FromResult(Version);

    public Task LeaveAsync()
    {
        DeactivateOnIdle();
        return Task.CompletedTask;
    }
}

[GrainType("bench-log-storage"), StorageProvider(ProviderName = OrleansStorage.Rows), LogConsistencyProvider(ProviderName = OrleansStorage.Whole)]
public sealed class LogStorageGrain : JournaledGrain<PeerTally, Ticked>, ILogStorageGrain
{
    public async Task<long> TickAsync(string note, int events)
    {
        RaiseEvents(PeerTally.After(State.Count, note, events));
        await ConfirmEvents();
        return Version;
    }

    public Task<int> VersionAsync() => Task.FromResult(Version);

    public Task LeaveAsync()
    {
        DeactivateOnIdle();
        return Task.CompletedTask;
    }
}

/// <summary>The state of these two; what holds of a note is held in the events, as with ours.</summary>
[GenerateSerializer, Alias("bench.PeerTally")]
public sealed class PeerTally
{
    [Id(0)]
    public int Count { get; set; }

    public static IEnumerable<Ticked> After(int count, string note, int events) => Enumerable.Range(count + 1, events).Select(n => new Ticked(n, note));

    public void Apply(Ticked @event) => Count = @event.Number;
}
