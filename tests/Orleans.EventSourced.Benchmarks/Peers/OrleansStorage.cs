using Microsoft.Extensions.DependencyInjection;
using Npgsql;
using Orleans.Configuration;
using Orleans.EventSourced.Benchmarks.Compare;
using Orleans.EventSourced.Benchmarks.Measures;
using Orleans.EventSourcing;
using Orleans.Providers;

namespace Orleans.EventSourced.Benchmarks.Peers;

/// <summary>
/// Orleans' own log-consistency providers on its AdoNet storage in PostgreSQL, as they come: StateStorage keeps the newest state alone, LogStorage all events of an entity in one row that is written anew
/// each time.
/// </summary>
internal static class OrleansStorage
{
    public const string Rows = "bench-rows";
    public const string Newest = "StateStorage";
    public const string Whole = "LogStorage";
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(5);

    /// <summary>What the process of one of them does, on the database that its environment names, until its input ends.</summary>
    /// <exception cref="ArgumentException">The name is neither's.</exception>
    public static Task<int> ServeAsync(string contender) => contender switch
    {
        Contenders.StateStorage => ServeAsync<IStateStorageGrain>(),
        Contenders.LogStorage => ServeAsync<ILogStorageGrain>(),
        _ => throw new ArgumentException($"'{contender}' is none of Orleans' own.", nameof(contender)),
    };

    private static async Task<int> ServeAsync<TGrain>()
        where TGrain : IEntity
    {
        // What waits for a connection or an answer is to be slow, not to fail, as with the others.
        var place = new Place(Place.Postgres, Environment.GetEnvironmentVariable(PeerProcess.Connection) ?? throw new InvalidOperationException($"{PeerProcess.Connection} names the database; this is started by the comparison."));
        var connection = new NpgsqlConnectionStringBuilder(place.ForOrleans) { Timeout = (int)Patience.TotalSeconds, CommandTimeout = (int)Patience.TotalSeconds }.ConnectionString;
        using var silo = await LoopbackSilo.StartAsync(s =>
        {
            s.AddAdoNetGrainStorage(Rows, o => (o.Invariant, o.ConnectionString) = ("Npgsql", connection));
            s.Configure<SiloMessagingOptions>(o => o.ResponseTimeout = Patience);
            s.AddStateStorageBasedLogConsistencyProvider(Newest);
            s.AddLogStorageBasedLogConsistencyProvider(Whole);
        });
        var entities = new Entities<TGrain>(silo.Services.GetRequiredService<IGrainFactory>());
        await PeerProtocol.ServeAsync(entities.AppendAsync, streams => entities.FillAsync(streams, CancellationToken.None), streams => entities.ActivateAsync(streams, CancellationToken.None));
        await silo.StopAsync();
        return 0;
    }
}

[Alias("bench.IStateStorageGrain")]
public interface IStateStorageGrain : IEntity;

[Alias("bench.ILogStorageGrain")]
public interface ILogStorageGrain : IEntity;

public abstract class PeerGrain : JournaledGrain<PeerTally, Ticked>, IEntity
{
    public async Task<long> TickAsync(string note, int events)
    {
        RaiseEvents(Enumerable.Range(State.Count + 1, events).Select(n => new Ticked(n, note)));
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

[GrainType("bench-state-storage"), StorageProvider(ProviderName = OrleansStorage.Rows), LogConsistencyProvider(ProviderName = OrleansStorage.Newest)]
public sealed class StateStorageGrain : PeerGrain, IStateStorageGrain;

[GrainType("bench-log-storage"), StorageProvider(ProviderName = OrleansStorage.Rows), LogConsistencyProvider(ProviderName = OrleansStorage.Whole)]
public sealed class LogStorageGrain : PeerGrain, ILogStorageGrain;

/// <summary>The state of these two.</summary>
[GenerateSerializer, Alias("bench.PeerTally")]
public sealed class PeerTally
{
    [Id(0)]
    public int Count { get; set; }

    public void Apply(Ticked @event) => Count = @event.Number;
}
