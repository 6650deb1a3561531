using System.Net;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Npgsql;
using Orleans.Configuration;
using Orleans.EventSourced.IntegrationTests.Servers;
using Xunit;

namespace Orleans.EventSourced.IntegrationTests.Cluster;

/// <summary>Real silos in this process, with ports of their own, that know each other only through the tables in PostgreSQL. Two are up before the first test.</summary>
public sealed class ClusterOfSilos(PostgresFixture postgres) : IAsyncLifetime
{
    /// <summary>The cluster that the silos of this fixture form.</summary>
    public const string ClusterId = "tables";

    /// <summary>The name of the stream provider, whose subscriptions are kept in the storage "PubSubStore".</summary>
    public const string Streams = "memory";

    private const string Invariant = "Npgsql";
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly List<IHost> _silos = [];
    private string? _connectionString;
    private NpgsqlDataSource? _source;

    public IHost First => _silos[0];

    public IHost Second => _silos[1];

    public string ConnectionString => _connectionString ?? throw new InvalidOperationException("The fixture has not been initialised.");

    public async ValueTask InitializeAsync()
    {
        _connectionString = await OrleansDatabase.CreateAsync(postgres, CancellationToken.None);
        _source = NpgsqlDataSource.Create(_connectionString);
        _silos.Add(await StartSiloAsync());
        _silos.Add(await StartSiloAsync());
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var silo in _silos)
        {
            await silo.StopAsync();
            silo.Dispose();
        }

        if (_source is not null)
        {
            await _source.DisposeAsync();
        }
    }

    public async Task<IHost> StartSiloAsync()
    {
        var silo = BuildSilo(ClusterId);
        await silo.StartAsync();
        return silo;
    }

    /// <summary>A silo that is not started: its services know the tables, and nobody else writes to its cluster's rows.</summary>
    public IHost BuildSilo(string clusterId)
    {
        var builder = Host.CreateApplicationBuilder(new HostApplicationBuilderSettings { DisableDefaults = true });
        builder.Logging.SetMinimumLevel(LogLevel.Warning);
        builder.Services.AddSingleton<Ticks>();
        builder.UseOrleans(silo => silo
            .Configure<ClusterOptions>(options => (options.ClusterId, options.ServiceId) = (clusterId, "tables-service"))
            .Configure<ReminderOptions>(options => options.MinimumReminderPeriod = TimeSpan.FromSeconds(1))
            .ConfigureEndpoints(IPAddress.Loopback, LoopbackPort.Free(), LoopbackPort.Free())
            .UseAdoNetClustering(options => (options.Invariant, options.ConnectionString) = (Invariant, ConnectionString))
            .AddAdoNetGrainStorageAsDefault(options => (options.Invariant, options.ConnectionString) = (Invariant, ConnectionString))
            .AddAdoNetGrainStorage("PubSubStore", options => (options.Invariant, options.ConnectionString, options.DeleteStateOnClear) = (Invariant, ConnectionString, true))
            .UseAdoNetReminderService(options => (options.Invariant, options.ConnectionString) = (Invariant, ConnectionString))
            .AddMemoryStreams(Streams));
        return builder.Build();
    }

    public static IGrainFactory Grains(IHost silo) => silo.Services.GetRequiredService<IGrainFactory>();

    public static SiloAddress AddressOf(IHost silo) => silo.Services.GetRequiredService<ILocalSiloDetails>().SiloAddress;

    /// <summary>The status of a silo as the tables have it.</summary>
    public async Task<SiloStatus> StatusOfAsync(SiloAddress silo)
    {
        await using var command = _source!.CreateCommand("select status from silo where cluster_id = $1 and port = $2 and generation = $3");
        command.Parameters.AddWithValue(ClusterId);
        command.Parameters.AddWithValue(silo.Endpoint.Port);
        command.Parameters.AddWithValue(silo.Generation);
        return (SiloStatus)(int)(await command.ExecuteScalarAsync() ?? throw new InvalidOperationException($"The tables know no silo {silo}."));
    }

    /// <summary>Runs a statement with the rights of a silo and returns its first value.</summary>
    public async Task<object?> ScalarAsync(string sql)
    {
        await using var command = _source!.CreateCommand(sql);
        return await command.ExecuteScalarAsync();
    }

    /// <summary>Waits until a condition holds, looking every 50 ms, at most a minute.</summary>
    public static async Task UntilAsync(string expected, Func<Task<bool>> condition)
    {
        using var deadline = new CancellationTokenSource(Patience);
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(50));
        while (!await condition())
        {
            try
            {
                await timer.WaitForNextTickAsync(deadline.Token);
            }
            catch (OperationCanceledException)
            {
                Assert.Fail($"Not within {Patience}: {expected}.");
            }
        }
    }
}
