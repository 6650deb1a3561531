using System.Security.Cryptography;
using Npgsql;
using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Faults.Clients;
using Orleans.EventSourced.IntegrationTests;
using Orleans.EventSourced.IntegrationTests.Servers;
using Orleans.EventSourced.Postgres;
using Orleans.EventSourced.Testing.Faults;

namespace Orleans.EventSourced.Faults.Cluster;

/// <summary>A PostgreSQL, and silos in processes of their own that reach it each through a network of its own.</summary>
internal sealed class FaultCluster : IAsyncDisposable
{
    private const string Healthy = "healthy";
    private static readonly TimeSpan StartsWithin = TimeSpan.FromSeconds(120);
    private static readonly TimeSpan LookInterval = TimeSpan.FromMilliseconds(100);

    // The disk is small: the write-ahead log must not take it all.
    private static readonly Dictionary<string, string> ServerSettings = new() { ["max_connections"] = "400", ["max_wal_size"] = "256MB", ["shared_buffers"] = "256MB", ["logging_collector"] = "off" };

    private readonly Watchdog _watchdog;
    private readonly Lock _gate = new();
    private readonly string _marker;
    private readonly string _folder;

    private FaultCluster(string folder, SmallDisk? disk, PrivatePostgres server, string admin)
    {
        (_folder, Disk, Server, AdminConnectionString) = (folder, disk, server, admin);
        _marker = "es-faults-" + RandomNumberGenerator.GetHexString(16, lowercase: true);
        _watchdog = new Watchdog(_marker, Path.Combine(folder, _marker));
        Admin = NpgsqlDataSource.Create(new NpgsqlConnectionStringBuilder(admin) { MaxPoolSize = 20, Timeout = 5, CommandTimeout = 60, ApplicationName = "faults" });
    }

    public PrivatePostgres Server { get; }

    /// <summary>The disk of the server, where it is a small one of its own.</summary>
    public SmallDisk? Disk { get; }

    /// <summary>An administrator's connection string to the log's database, past all networks.</summary>
    public string AdminConnectionString { get; }

    /// <summary>The connection string of who may append and no more, past all networks.</summary>
    public string WriterConnectionString => new NpgsqlConnectionStringBuilder(AdminConnectionString) { Username = "fines", Password = "fines" }.ConnectionString;

    /// <summary>The connections of that administrator.</summary>
    public NpgsqlDataSource Admin { get; }

    public IReadOnlyList<SupervisedSilo> Silos { get; private set; } = [];

    /// <summary>Where clients may go: the silos, and a twin as long as there is one.</summary>
    public IReadOnlyList<Uri> Addresses { get; private set; } = [];

    /// <summary>Starts all, and waits until every silo is healthy.</summary>
    /// <param name="silos">How many silos.</param>
    /// <param name="folder">Where their output goes.</param>
    /// <param name="programs">What they run.</param>
    public static async Task<FaultCluster> StartAsync(int silos, string folder, FaultPrograms programs)
    {
        var disk = await SmallDisk.TryMakeAsync();
        var server = await PrivatePostgres.StartAsync(PrivatePostgres.FindPrograms() ?? throw new InvalidOperationException("No PostgreSQL: install its server programs (initdb, postgres)."), ServerSettings, disk?.Folder);
        var admin = await server.CreateDatabaseAsync("fines");
        var cluster = new FaultCluster(folder, disk, server, admin);
        await cluster.ExecuteAsync("create role fines login password 'fines'");
        cluster.Silos = [.. Enumerable.Range(1, silos).Select(n => cluster.Make($"silo{n}", programs, [], new FaultProxy("127.0.0.1", new NpgsqlConnectionStringBuilder(admin).Port)))];
        cluster.Addresses = [.. cluster.Silos.Select(s => s.Address)];
        foreach (var silo in cluster.Silos)
        {
            silo.Start();
            await cluster.UntilHealthyAsync([silo], StartsWithin);
        }

        return cluster;
    }

    /// <summary>A silo that is not started, of another cluster on the same store.</summary>
    public SupervisedSilo MakeTwin(FaultPrograms programs) => Make("twin", programs, new() { ["Orleans__ClusterId"] = "twin" }, network: null);

    /// <summary>Lets clients go to a silo too, or no more.</summary>
    public void SetReachable(SupervisedSilo silo, bool isReachable)
    {
        lock (_gate)
        {
            Addresses = isReachable ? [.. Addresses, silo.Address] : [.. Addresses.Where(a => a != silo.Address)];
        }
    }

    /// <summary>Waits until silos say of themselves that all is well.</summary>
    /// <exception cref="TimeoutException">They do not within <paramref name="limit"/>; it says what they say.</exception>
    public async Task UntilHealthyAsync(IReadOnlyList<SupervisedSilo> silos, TimeSpan limit)
    {
        using var http = new HttpClient { Timeout = TimeSpan.FromSeconds(10) };
        var began = TimeProvider.System.GetTimestamp();
        foreach (var silo in silos)
        {
            var said = "";
            var left = limit - TimeProvider.System.GetElapsedTime(began);
            await Eventually.Async($"{silo.Name} is healthy", async () => (said = await AskAsync(http, silo)) == Healthy, () => said, (int)left.TotalSeconds, LookInterval);
        }
    }

    /// <summary>Executes a statement as the administrator.</summary>
    public async Task<int> ExecuteAsync(string sql)
    {
        await using var command = Admin.CreateCommand(sql);
        return await command.ExecuteNonQueryAsync();
    }

    /// <summary>The rows of a query, as the administrator.</summary>
    public async Task<List<T>> QueryAsync<T>(string sql, Func<NpgsqlDataReader, T> row)
    {
        await using var command = Admin.CreateCommand(sql);
        command.CommandTimeout = 300;
        await using var reader = await command.ExecuteReaderAsync();
        var rows = new List<T>();
        while (await reader.ReadAsync())
        {
            rows.Add(row(reader));
        }

        return rows;
    }

    /// <summary>How far the log has come.</summary>
    public async Task<LogPosition> ReadHeadAsync()
    {
        await using var log = new PostgresEventLog(new PostgresOptions { ConnectionString = AdminConnectionString });
        return (await log.ReadHeadAsync(CancellationToken.None)).Position;
    }

    /// <summary>The whole log.</summary>
    public async Task<IReadOnlyList<RecordedEvent>> ReadLogAsync()
    {
        await using var log = new PostgresEventLog(new PostgresOptions { ConnectionString = AdminConnectionString });
        return await HistoryChecker.ReadAllAsync(log, CancellationToken.None);
    }

    /// <summary>Starts the server again if it has ended, as its own supervisor would.</summary>
    public async Task ReviveServerAsync()
    {
        try
        {
            await Eventually.Async("the server takes connections", ServerAnswersAsync, seconds: 15, LookInterval);
        }
        catch (TimeoutException)
        {
            await Server.RestartAsync();
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var silo in Silos)
        {
            await silo.DisposeAsync();
        }

        await Admin.DisposeAsync();
        await _watchdog.DisposeAsync();
        await Server.DisposeAsync();
        if (Disk is not null)
        {
            await Disk.DisposeAsync();
        }
    }

    private static async Task<string> AskAsync(HttpClient http, SupervisedSilo silo)
    {
        try
        {
            using var answer = await http.GetAsync(new Uri(silo.Address, "health"));
            return answer.IsSuccessStatusCode ? Healthy : $"{(int)answer.StatusCode} {await answer.Content.ReadAsStringAsync()}";
        }
        catch (Exception e) when (Tries.IsNoAnswer(e))
        {
            return e.Message;
        }
    }

    private async Task<bool> ServerAnswersAsync()
    {
        try
        {
            await ExecuteAsync("select 1");
            return true;
        }
        catch (NpgsqlException)
        {
            return false;
        }
    }

    private SupervisedSilo Make(string name, FaultPrograms programs, Dictionary<string, string> own, FaultProxy? network)
    {
        var environment = new Dictionary<string, string>(programs.Settings.Concat(own))
        {
            ["ASPNETCORE_ENVIRONMENT"] = "Development",
            ["DOTNET_gcServer"] = "0",
            ["DOTNET_TieredPGO"] = "0",
            ["ConnectionStrings__eventlog"] = WriterConnectionString,
            ["ConnectionStrings__eventlog-admin"] = AdminConnectionString,
        };
        environment.TryAdd("Orleans__ClusterId", "fines");
        return new SupervisedSilo(name, new SiloSettings(programs.Newer, _folder, _marker, environment), network);
    }
}
