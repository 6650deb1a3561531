using System.Globalization;
using DotNet.Testcontainers.Builders;
using DotNet.Testcontainers.Containers;
using Npgsql;
using Testcontainers.PostgreSql;

namespace Orleans.EventSourced.IntegrationTests.Servers;

/// <summary>A server in a container, for machines that have Docker and no PostgreSQL programs. Its port stays the same over a restart.</summary>
internal sealed class ContainerPostgres : PostgresServer
{
    private const string Image = "postgres:17";
    private const int PortInside = 5432;

    private readonly PostgreSqlContainer _container;

    private ContainerPostgres(PostgreSqlContainer container, string connectionString)
    {
        _container = container;
        AdminConnectionString = connectionString;
    }

    public override string AdminConnectionString { get; }

    public override bool CanBeKilled => true;

    /// <summary>Starts a container; null when no Docker engine answers.</summary>
    public static async Task<ContainerPostgres?> TryStartAsync(IReadOnlyDictionary<string, string> settings)
    {
        var all = new Dictionary<string, string>(settings);
        all.TryAdd("max_connections", "500");
        all.TryAdd("fsync", "on");
        string[] command = ["postgres", .. all.SelectMany(setting => new[] { "-c", $"{setting.Key}={setting.Value}" })];
        var port = LoopbackPort.Free();
        PostgreSqlContainer container;
        try
        {
            container = new PostgreSqlBuilder(Image)
                .WithPortBinding(port.ToString(CultureInfo.InvariantCulture), PortInside.ToString(CultureInfo.InvariantCulture))
                .WithEnvironment("POSTGRES_INITDB_ARGS", "--encoding=UTF8 --locale=C")
                .WithCommand(command)
                .WithCreateParameterModifier(parameters => parameters.StopSignal = "SIGKILL")
                .Build();
        }
        catch (DockerUnavailableException)
        {
            return null;
        }

        using var timeout = new CancellationTokenSource(StartTimeout * 4);
        await container.StartAsync(timeout.Token).ConfigureAwait(false);
        var connectionString = new NpgsqlConnectionStringBuilder(container.GetConnectionString()) { IncludeErrorDetail = true };
        return new ContainerPostgres(container, connectionString.ConnectionString);
    }

    public override Task KillAsync() => _container.StopAsync();

    // The container's stop signal is SIGKILL: a durable server must come back from that in any case.
    public override Task StopAsync() => _container.StopAsync();

    public override async Task RestartAsync()
    {
        if (_container.State == TestcontainersStates.Running)
        {
            await _container.StopAsync().ConfigureAwait(false);
        }

        await _container.StartAsync().ConfigureAwait(false);
    }

    public override ValueTask DisposeAsync() => _container.DisposeAsync();
}
