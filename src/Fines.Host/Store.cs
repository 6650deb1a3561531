using Microsoft.Data.Sqlite;
using Npgsql;
using Orleans.Configuration;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Postgres;
using Orleans.EventSourced.Sqlite;

namespace Fines.Host;

/// <summary>Where the log is, by the connection string <c>eventlog</c>: none or <c>Data Source=FILE</c> means SQLite, <c>Host=...</c> means PostgreSQL.</summary>
internal abstract record Store
{
    private Store()
    {
    }

    public static Store From(IConfiguration configuration)
    {
        var text = configuration.GetConnectionString("eventlog");
        if (string.IsNullOrWhiteSpace(text))
        {
            return new Embedded("data/eventlog.db");
        }

        return text.Contains("Data Source=", StringComparison.OrdinalIgnoreCase)
            ? new Embedded(new SqliteConnectionStringBuilder(text).DataSource)
            : new Server(new PostgresOptions { ConnectionString = text, AdminConnectionString = configuration.GetConnectionString("eventlog-admin") });
    }

    /// <summary>Brings the store to the schema of this program and says in one line what it is and how durable.</summary>
    /// <exception cref="LogException">It cannot be reached, or may not be used.</exception>
    public abstract Task<string> PrepareAsync(CancellationToken cancellationToken);

    /// <summary>Registers the log, and what a silo needs to find its cluster.</summary>
    public abstract void Configure(ISiloBuilder silo, ClusterSettings cluster);

    /// <summary>A file, for one process.</summary>
    public sealed record Embedded(string Path) : Store
    {
        public override async Task<string> PrepareAsync(CancellationToken cancellationToken) =>
            $"SQLite file {System.IO.Path.GetFullPath(Path)}, {await SqliteSchema.PrepareAsync(new SqliteOptions { Path = Path }, cancellationToken)}";

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

        public override async Task<string> PrepareAsync(CancellationToken cancellationToken)
        {
            await PostgresSchema.MigrateAsync(Options, cancellationToken);
            var durability = await PostgresSchema.CheckAsync(Options, cancellationToken);
            var connection = new NpgsqlConnectionStringBuilder(Options.ConnectionString);
            var warning = durability.Warning is { } text ? $". WARNING: {text}" : "";
            return $"{durability.Description}, database {connection.Database} at {connection.Host}:{connection.Port}{warning}";
        }

        public override void Configure(ISiloBuilder silo, ClusterSettings cluster)
        {
            var connection = PostgresConnectionString.ForOrleans(Options);
            silo.Configure<ClusterOptions>(o => (o.ClusterId, o.ServiceId) = (cluster.ClusterId, cluster.ServiceId));
            silo.ConfigureEndpoints(cluster.AdvertisedAddress, cluster.SiloPort, cluster.GatewayPort, listenOnAnyHostAddress: cluster.ListenOnAnyAddress);
            silo.UseAdoNetClustering(o => (o.Invariant, o.ConnectionString) = (Invariant, connection));
            silo.AddAdoNetGrainStorageAsDefault(o => (o.Invariant, o.ConnectionString) = (Invariant, connection));
            silo.AddAdoNetGrainStorage("PubSubStore", o => (o.Invariant, o.ConnectionString) = (Invariant, connection));
            silo.UseAdoNetReminderService(o => (o.Invariant, o.ConnectionString) = (Invariant, connection));
            silo.Services.AddPostgresEventLog(o =>
            {
                o.ConnectionString = Options.ConnectionString;
                o.AdminConnectionString = Options.AdminConnectionString;
            });
        }
    }
}
