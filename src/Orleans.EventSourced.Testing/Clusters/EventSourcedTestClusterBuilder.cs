using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Orleans.Configuration;
using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Hosting;
using Orleans.EventSourced.Testing.Time;
using Orleans.TestingHost;

namespace Orleans.EventSourced.Testing.Clusters;

/// <summary>
/// Builds a cluster of real silos in this process, for tests: with event sourcing, by default over a log and views in memory that all silos share, and with memory storage for grains' own state and
/// for subscriptions of streams. Not safe for concurrent use.
/// </summary>
public sealed class EventSourcedTestClusterBuilder
{
    /// <summary>The most silos of a cluster.</summary>
    public const int MaxSilos = 16;

    private readonly List<Action<ISiloBuilder>> _configure = [];
    private readonly List<Func<IEventLog, IEventLog>> _wrap = [];
    private Action<IServiceCollection>? _store;
    private EventTypeMap? _types;
    private Action<ILoggingBuilder>? _logging;
    private DateTimeOffset? _start;

    /// <summary>One silo, until <see cref="WithSilos"/> says otherwise.</summary>
    public EventSourcedTestClusterBuilder()
    {
    }

    private EventSourcedTestClusterBuilder(EventSourcedTestClusterBuilder other)
    {
        (_store, _types, _logging, _start, Silos) = (other._store, other._types, other._logging, other._start, other.Silos);
        _configure.AddRange(other._configure);
        _wrap.AddRange(other._wrap);
    }

    internal int Silos { get; private set; } = 1;

    /// <summary>How many silos the cluster begins with.</summary>
    /// <param name="silos">1 to <see cref="MaxSilos"/>.</param>
    public EventSourcedTestClusterBuilder WithSilos(int silos)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(silos, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(silos, MaxSilos);
        Silos = silos;
        return this;
    }

    /// <summary>The event types of the application, as <see cref="EventSourcingOptions.EventTypes"/>.</summary>
    public EventSourcedTestClusterBuilder UseEventTypes(EventTypeMap types)
    {
        ArgumentNullException.ThrowIfNull(types);
        _types = types;
        return this;
    }

    /// <summary>Configures each silo: views, reactions, deadlines, streams, options, services. It is called once a silo, behind what the kit adds itself.</summary>
    public EventSourcedTestClusterBuilder ConfigureSilo(Action<ISiloBuilder> configure)
    {
        ArgumentNullException.ThrowIfNull(configure);
        _configure.Add(configure);
        return this;
    }

    /// <summary>
    /// Uses another store than memory: <c>UseLog(services => services.AddSqliteEventLog(o => o.Path = file))</c>. It is called once a silo. The store's own rules hold: a SQLite file serves one silo; the
    /// schema of PostgreSQL is migrated before.
    /// </summary>
    /// <param name="store">Registers <see cref="IEventLog"/> and what else the store has.</param>
    public EventSourcedTestClusterBuilder UseLog(Action<IServiceCollection> store)
    {
        ArgumentNullException.ThrowIfNull(store);
        _store = store;
        return this;
    }

    /// <summary>Puts something between each silo and its log: a log that fails when it is told to, or that counts. Of several, the last one is the outermost. <see cref="TestSilo.LogAs{TLog}"/> finds it again.</summary>
    public EventSourcedTestClusterBuilder WrapLog(Func<IEventLog, IEventLog> wrap)
    {
        ArgumentNullException.ThrowIfNull(wrap);
        _wrap.Add(wrap);
        return this;
    }

    /// <summary>Lets the time of day stand still until <see cref="EventSourcedTestCluster.AdvanceAsync"/> moves it; the documentation of that says what goes by it.</summary>
    /// <param name="start">The time at the beginning; null: the machine's when the cluster starts.</param>
    public EventSourcedTestClusterBuilder UseVirtualTime(DateTimeOffset? start = null)
    {
        _start = start ?? TimeProvider.System.GetUtcNow();
        return this;
    }

    /// <summary>Where the silos' log messages go; without it, nowhere.</summary>
    public EventSourcedTestClusterBuilder ConfigureLogging(Action<ILoggingBuilder> logging)
    {
        ArgumentNullException.ThrowIfNull(logging);
        _logging = logging;
        return this;
    }

    /// <summary>Starts the cluster, and waits until its silos know each other. Whoever started it disposes it.</summary>
    /// <param name="cancellationToken">Ends the start.</param>
    /// <exception cref="Exception">What kept a silo from starting; nothing of the cluster is left.</exception>
    public Task<EventSourcedTestCluster> StartAsync(CancellationToken cancellationToken = default)
    {
        var time = _start is { } start ? new VirtualTime(start) : null;
        var memory = new MemoryStores(time?.Clock ?? TimeProvider.System);
        return StartAsync(Path.GetRandomFileName(), memory, time, cancellationToken);
    }

    internal Task<EventSourcedTestCluster> StartAsync(string service, MemoryStores memory, VirtualTime? time, CancellationToken cancellationToken) =>
        EventSourcedTestCluster.StartAsync(new EventSourcedTestClusterBuilder(this), service, memory, time, cancellationToken);

    internal void Configure(InProcessTestClusterBuilder builder, MemoryStores memory, VirtualTime? time, Func<IGrainFactory> grains)
    {
        builder.ConfigureSiloHost((_, host) => _logging?.Invoke(host.Logging));
        builder.ConfigureSilo((_, silo) =>
        {
            var life = new SiloLife();
            silo.Services.AddSingleton(life);
            (_store ?? memory.AddTo)(silo.Services);
            silo.AddMemoryGrainStorageAsDefault().AddMemoryGrainStorage("PubSubStore");

            // A killed silo is given up within a second, as the tests that kill one wait for it.
            silo.Configure<ClusterMembershipOptions>(o => (o.ProbeTimeout, o.NumMissedProbesLimit, o.NumVotesForDeathDeclaration) = (TimeSpan.FromSeconds(1), 2, 1));
            silo.AddEventSourcing(o => o.EventTypes = _types);
            _configure.ForEach(configure => configure(silo));
            Wrap(silo.Services, life);
            time?.AddTo(silo, life, grains);
        });
    }

    private void Wrap(IServiceCollection services, SiloLife life)
    {
        var store = services.LastOrDefault(s => s.ServiceType == typeof(IEventLog)) ?? throw new InvalidOperationException($"{nameof(UseLog)} registered no {nameof(IEventLog)}.");
        services.Remove(store);
        services.AddSingleton<IEventLog>(provider =>
        {
            var log = (IEventLog)(store.ImplementationInstance ?? store.ImplementationFactory?.Invoke(provider) ?? ActivatorUtilities.CreateInstance(provider, store.ImplementationType!));
            return new MortalLog(_wrap.Aggregate(log, (inner, wrap) => wrap(inner)), store.ImplementationInstance is null ? log : null, life);
        });
    }
}
