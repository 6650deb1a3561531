using System.Data.Common;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Npgsql;
using Orleans.Configuration;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Projections;
using Orleans.EventSourced.Core.Snapshots;
using Orleans.EventSourced.Postgres;
using Orleans.EventSourced.Sqlite;

namespace Fines.Host;

/// <summary>Where the log is, by the connection string <c>eventlog</c>: none or <c>Data Source=FILE</c> (also written <c>DataSource</c> or <c>Filename</c>) means SQLite, <c>Host=...</c> means PostgreSQL.</summary>
internal abstract record Store
{
    private const string LogName = "eventlog";
    private const string AdminName = "eventlog-admin";
    private const string NamesNoStore = "names neither a file (Data Source=FILE) nor a server (Host=...).";
    private static readonly string[] FileNames = ["Data Source", "DataSource", "Filename"];
    private static readonly string[] HostNames = ["Host", "Server"];

    private Store()
    {
    }

    /// <exception cref="LogMisconfiguredException">A connection string names no store.</exception>
    public static Store From(IConfiguration configuration)
    {
        var text = configuration.GetConnectionString(LogName);
        if (string.IsNullOrWhiteSpace(text))
        {
            return new Embedded("data/eventlog.db");
        }

        var given = Parse(LogName, () => new DbConnectionStringBuilder { ConnectionString = text });
        return FileNames.Any(given.ContainsKey) ? new Embedded(FileOf(Parse(LogName, () => new SqliteConnectionStringBuilder(text))))
            : HostNames.Any(given.ContainsKey) ? new Server(OptionsOf(text, configuration.GetConnectionString(AdminName), configuration.GetSection("Postgres")))
            : throw Fault(LogName, NamesNoStore);
    }

    /// <summary>Brings the store to the schema of this program, makes it ready for a node at its place in the cluster, and says in one line what it is and how durable.</summary>
    /// <exception cref="LogException">It cannot be reached, or may not be used.</exception>
    public abstract Task<string> PrepareAsync(ClusterSettings cluster, CancellationToken cancellationToken);

    /// <summary>Registers the log, and what a silo needs to find its cluster.</summary>
    public abstract void Configure(ISiloBuilder silo, ClusterSettings cluster);

    /// <summary>Starts a host whose silo was configured by <see cref="Configure"/>.</summary>
    /// <exception cref="LogUnavailableException">The store went away meanwhile; the message says where it is.</exception>
    public async Task StartAsync(IHost host, CancellationToken cancellationToken)
    {
        try
        {
            await host.StartAsync(cancellationToken);
        }
        catch (Exception e) when (AwayOf(e) is { } away)
        {
            throw away;
        }
    }

    /// <summary>The store for verbs that only read, beside nodes that may be running; what is not there is not made. Where a file of views was never made, neither they nor snapshots are there.</summary>
    /// <exception cref="LogException">There is no log, or it may not be used.</exception>
    public abstract ServiceProvider OpenToRead();

    /// <summary>What an exception says of the store, if that is that it is away; null: something else.</summary>
    private protected virtual LogUnavailableException? AwayOf(Exception e) => null;

    private static string FileOf(SqliteConnectionStringBuilder given) => given switch
    {
        { Mode: SqliteOpenMode.Memory } or { DataSource: ":memory:" } => throw Fault(LogName, "names a database in memory, which every connection would have for itself; name a file."),
        _ => given.DataSource,
    };

    private static PostgresOptions OptionsOf(string text, string? admin, IConfigurationSection settings)
    {
        Parse(LogName, () => new NpgsqlConnectionStringBuilder(text));
        if (admin is not null)
        {
            Parse(AdminName, () => new NpgsqlConnectionStringBuilder(admin));
        }

        PostgresOptions options;
        try
        {
            options = settings.Get<PostgresOptions>() ?? new PostgresOptions();
        }
        catch (InvalidOperationException e)
        {
            throw new LogMisconfiguredException($"The settings of {settings.Path} cannot be read: {e.Message}", e);
        }

        (options.ConnectionString, options.AdminConnectionString, options.AllowUnsafeDurabilityUNSAFE) = (text, admin, false);
        return options;
    }

    private static T Parse<T>(string name, Func<T> parse)
    {
        try
        {
            return parse();
        }
        catch (Exception e) when (e is ArgumentException or KeyNotFoundException)
        {
            // Npgsql meets a word it does not know, without a value, with the second.
            throw Fault(name, $"cannot be read: {e.Message}", e);
        }
    }

    private static LogMisconfiguredException Fault(string name, string fault, Exception? cause = null) => new($"ConnectionStrings:{name} {fault}", cause);

    /// <summary>A file, for one process.</summary>
    public sealed record Embedded(string Path) : Store
    {
        public override async Task<string> PrepareAsync(ClusterSettings cluster, CancellationToken cancellationToken) =>
            $"SQLite file {System.IO.Path.GetFullPath(Path)}, {await SqliteSchema.PrepareAsync(new SqliteOptions { Path = Path }, cancellationToken)}";

        public override ServiceProvider OpenToRead()
        {
            if (!File.Exists(Path))
            {
                throw new LogMisconfiguredException($"There is no log '{System.IO.Path.GetFullPath(Path)}'.");
            }

            var services = new ServiceCollection().AddSingleton(TimeProvider.System).AddSqliteEventLog(o => (o.Path, o.ReadOnly) = (Path, true));
            return (SqliteViewStore.Exists(new SqliteOptions { Path = Path }) ? services : services.RemoveAll<ISnapshotStore>().RemoveAll<IViewStore>()).BuildServiceProvider();
        }

        public override void Configure(ISiloBuilder silo, ClusterSettings cluster)
        {
            silo.UseLocalhostClustering(cluster.SiloPort, cluster.GatewayPort, serviceId: cluster.ServiceId, clusterId: cluster.ClusterId);
            silo.AddMemoryGrainStorageAsDefault();
            silo.AddMemoryGrainStorage("PubSubStore");
            silo.UseInMemoryReminderService();
            silo.Services.AddSqliteEventLog(o => o.Path = Path);
        }
    }

    /// <summary>A server, for a cluster.</summary>
    public sealed record Server(PostgresOptions Options) : Store
    {
        private const string Invariant = "Npgsql";

        public override async Task<string> PrepareAsync(ClusterSettings cluster, CancellationToken cancellationToken)
        {
            try
            {
                await PostgresSchema.MigrateAsync(Options, cancellationToken);
            }
            catch (LogUnavailableException e)
            {
                throw Options.AdminConnectionString is { } admin ? Away(AdminName, admin, e) : Away(LogName, Options.ConnectionString, e);
            }

            try
            {
                return await DescribeAsync(cluster, cancellationToken);
            }
            catch (LogUnavailableException e)
            {
                throw Away(LogName, Options.ConnectionString, e);
            }
        }

        private async Task<string> DescribeAsync(ClusterSettings cluster, CancellationToken cancellationToken)
        {
            var durability = await PostgresSchema.CheckAsync(Options, cancellationToken);
            var connection = new NpgsqlConnectionStringBuilder(Options.ConnectionString);
            var warning = durability.Warning is { } text ? $". WARNING: {text}" : "";
            if (await ForgetLaterAsync(cluster, cancellationToken) is > 0 and var later)
            {
                warning += $". WARNING: {later} earlier start(s) of this node are dated after now, and were forgotten: its clock was ahead, or is behind now";
            }

            return $"{durability.Description}, database {connection.Database} at {connection.Host}:{connection.Port}{warning}";
        }

        /// <summary>While this process has the port no other lives there whose row would be deleted.</summary>
        private async Task<int> ForgetLaterAsync(ClusterSettings cluster, CancellationToken cancellationToken)
        {
            using var port = cluster.HoldSiloPort();
            return await PostgresMembership.ForgetLaterAsync(Options, cluster.ClusterId, cluster.AdvertisedAddress, cluster.SiloPort, SiloAddress.AllocateNewGeneration(), cancellationToken);
        }

        private protected override LogUnavailableException? AwayOf(Exception e)
        {
            for (var cause = e; cause is not null; cause = cause.InnerException)
            {
                if (cause is NpgsqlException { IsTransient: true })
                {
                    return Away(LogName, Options.ConnectionString, e);
                }
            }

            return null;
        }

        private static LogUnavailableException Away(string name, string connectionString, Exception e)
        {
            var (given, cause) = (new NpgsqlConnectionStringBuilder(connectionString), e.GetBaseException());
            return new($"The PostgreSQL server at {given.Host}:{given.Port} (ConnectionStrings:{name}) does not answer: {(cause is PostgresException p ? p.MessageText : cause.Message)}", e);
        }

        public override ServiceProvider OpenToRead() => new ServiceCollection()
            .AddSingleton(TimeProvider.System)
            .AddPostgresEventLog(Options)
            .BuildServiceProvider();

        public override void Configure(ISiloBuilder silo, ClusterSettings cluster)
        {
            var connection = PostgresConnectionString.ForOrleans(Options);
            silo.Configure<ClusterOptions>(o => (o.ClusterId, o.ServiceId) = (cluster.ClusterId, cluster.ServiceId));
            silo.ConfigureEndpoints(cluster.AdvertisedAddress, cluster.SiloPort, cluster.GatewayPort, listenOnAnyHostAddress: cluster.ListenOnAnyAddress);
            silo.UseAdoNetClustering(o => (o.Invariant, o.ConnectionString) = (Invariant, connection));
            silo.AddAdoNetGrainStorageAsDefault(o => (o.Invariant, o.ConnectionString) = (Invariant, connection));
            silo.AddAdoNetGrainStorage("PubSubStore", o => (o.Invariant, o.ConnectionString) = (Invariant, connection));
            silo.UseAdoNetReminderService(o => (o.Invariant, o.ConnectionString) = (Invariant, connection));
            silo.Services.AddPostgresEventLog(Options);
        }
    }
}
