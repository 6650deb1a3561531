using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Hosting;
using Orleans.EventSourced.IntegrationTests.Servers;
using Orleans.EventSourced.Mutations;
using Orleans.EventSourced.Postgres;
using Orleans.EventSourced.Sqlite;
using EventId = Orleans.EventSourced.Core.Events.EventId;

namespace Orleans.EventSourced.IntegrationTests.Grains;

/// <summary>A real silo on free loopback ports, over the store that a test chooses. Each is a cluster of its own, unless it is started beside another.</summary>
public sealed class TestNode : IAsyncDisposable
{
    private readonly IHost _host;

    private TestNode(IHost host) => _host = host;

    public IGrainFactory Grains => _host.Services.GetRequiredService<IGrainFactory>();

    public IEventLog Log => _host.Services.GetRequiredService<IEventLog>();

    public StreamLoader Loader => _host.Services.GetRequiredService<StreamLoader>();

    public CountingLog Reads => (CountingLog)Log;

    public IServiceProvider Services => _host.Services;

    public ILocalSiloDetails Silo => _host.Services.GetRequiredService<ILocalSiloDetails>();

    public static EventTypeMap Types { get; } = new EventTypeMap.Builder()
        .AddFamily<LedgerEvent>(System.Text.Json.JsonSerializerOptions.Web)
        .AddFamily<CounterEvent>(System.Text.Json.JsonSerializerOptions.Web)
        .AddSessionEvents()
        .Build();

    public static Task<TestNode> StartAsync(string path) => StartAsync(services => services.AddSqliteEventLog(o => o.Path = path));

    public static async Task<TestNode> StartPostgresAsync(string connectionString, TestNode? beside = null, Action<ISiloBuilder>? views = null)
    {
        await PostgresSchema.MigrateAsync(new PostgresOptions { ConnectionString = connectionString }, CancellationToken.None);
        return await StartAsync(services => services.AddPostgresEventLog(o => o.ConnectionString = connectionString), beside: beside, views: views);
    }

    public static async Task<TestNode> StartAsync(Action<IServiceCollection> store, Action<EventSourcingOptions>? configure = null, TestNode? beside = null, Action<ISiloBuilder>? views = null)
    {
        var builder = Microsoft.Extensions.Hosting.Host.CreateEmptyApplicationBuilder(null);
        builder.Logging.SetMinimumLevel(LogLevel.None);
        var cluster = beside?.Silo.ClusterId ?? Path.GetRandomFileName();
        builder.UseOrleans(silo =>
        {
            silo.UseLocalhostClustering(LoopbackPort.Free(), LoopbackPort.Free(), beside?.Silo.SiloAddress.Endpoint, serviceId: "tests", clusterId: cluster);
            store(silo.Services);
            CountingLog.Wrap(silo.Services);
            silo.AddEventSourcing(o =>
            {
                o.EventTypes = Types;
                configure?.Invoke(o);
            });
            views?.Invoke(silo);
        });
        var host = builder.Build();
        await host.StartAsync();
        return new TestNode(host);
    }

    public async ValueTask DisposeAsync()
    {
        await _host.StopAsync();
        await ((IAsyncDisposable)_host).DisposeAsync();
    }
}

/// <summary>Counts what is read through it, can let something happen just before a read or an append, and can come to stand for another log.</summary>
public sealed class CountingLog(IEventLog inner) : IEventLog, IAsyncDisposable
{
    private IEventLog _inner = inner;
    private Task? _held;
    private long _streamReads;
    private long _eventsRead;
    private Func<Task>? _beforeNextRead;
    private Func<Task>? _beforeNextAppend;

    public long StreamReads => Interlocked.Read(ref _streamReads);

    public long EventsRead => Interlocked.Read(ref _eventsRead);

    /// <summary>Does something once, when a stream is about to be read.</summary>
    public void BeforeNextRead(Func<Task> action) => Interlocked.Exchange(ref _beforeNextRead, action);

    /// <summary>Does something once, when a batch is about to be appended.</summary>
    public void BeforeNextAppend(Func<Task> action) => Interlocked.Exchange(ref _beforeNextAppend, action);

    /// <summary>Who reads the log from its beginning waits until then.</summary>
    public void HoldFromTheBeginning(Task until) => _held = until;

    /// <summary>From now on the store holds what <paramref name="other"/> holds, as after a backup was restored beneath a running silo.</summary>
    public void TurnInto(IEventLog other) => _inner = other;

    public static void Wrap(IServiceCollection services)
    {
        var store = services.Last(s => s.ServiceType == typeof(IEventLog));
        services.Remove(store);
        services.AddSingleton<IEventLog>(provider => new CountingLog((IEventLog)store.ImplementationFactory!(provider)));
    }

    public async Task<IReadOnlyList<AppendOutcome>> AppendAsync(IReadOnlyList<AppendRequest> batch, CancellationToken cancellationToken)
    {
        if (Interlocked.Exchange(ref _beforeNextAppend, null) is { } before)
        {
            await before();
        }

        return await _inner.AppendAsync(batch, cancellationToken);
    }

    public async Task<IReadOnlyList<IReadOnlyList<RecordedEvent>>> ReadStreamsAsync(IReadOnlyList<StreamRead> reads, CancellationToken cancellationToken)
    {
        if (Interlocked.Exchange(ref _beforeNextRead, null) is { } before)
        {
            await before();
        }

        var pages = await _inner.ReadStreamsAsync(reads, cancellationToken);
        Interlocked.Add(ref _streamReads, reads.Count);
        Interlocked.Add(ref _eventsRead, pages.Sum(p => p.Count));
        return pages;
    }

    public async Task<IReadOnlyList<RecordedEvent>> ReadLogAsync(LogPosition after, int maxEvents, CancellationToken cancellationToken)
    {
        if (after == LogPosition.Start && _held is { } held)
        {
            await held.WaitAsync(cancellationToken);
        }

        return await _inner.ReadLogAsync(after, maxEvents, cancellationToken);
    }

    public Task<LogHead> ReadHeadAsync(CancellationToken cancellationToken) => _inner.ReadHeadAsync(cancellationToken);

    public Task<RecordedEvent?> FindCommandAsync(CommandId command, CancellationToken cancellationToken) => _inner.FindCommandAsync(command, cancellationToken);

    public Task<RecordedEvent?> FindEventAsync(EventId id, CancellationToken cancellationToken) => _inner.FindEventAsync(id, cancellationToken);

    public ValueTask DisposeAsync() => _inner is IAsyncDisposable d ? d.DisposeAsync() : ValueTask.CompletedTask;
}

/// <summary>A folder for one test's files, removed afterwards.</summary>
public sealed class TestFolder : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("eventlog-").FullName;

    public string Database => System.IO.Path.Combine(Path, "eventlog.db");

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
