using System.Collections.Concurrent;
using Npgsql;

namespace Orleans.EventSourced.IntegrationTests.Servers;

/// <summary>A server that somebody else runs. Databases made on it are dropped at the end; it is never stopped.</summary>
internal sealed class ExistingPostgres : PostgresServer
{
    private const string NotOurs = "The server of " + ConnectionStringVariable + " belongs to somebody else; tests that stop it use PostgresServer.StartOwnAsync.";

    private readonly ConcurrentBag<string> _databases = [];

    private ExistingPostgres(string connectionString) => AdminConnectionString = connectionString;

    public override string AdminConnectionString { get; }

    public override bool CanBeKilled => false;

    public static async Task<ExistingPostgres> ConnectAsync(string connectionString)
    {
        var server = new ExistingPostgres(connectionString);
        try
        {
            await server.ExecuteAsync("select 1").ConfigureAwait(false);
            return server;
        }
        catch (NpgsqlException e)
        {
            throw new InvalidOperationException($"The server of {ConnectionStringVariable} does not answer: {e.Message}", e);
        }
    }

    public override async Task<string> CreateDatabaseAsync(string? name = null, string template = EmptyTemplate)
    {
        name ??= "t_" + RandomName();
        _databases.Add(name);
        return await base.CreateDatabaseAsync(name, template).ConfigureAwait(false);
    }

    public override Task KillAsync() => throw new InvalidOperationException(NotOurs);

    public override Task StopAsync() => throw new InvalidOperationException(NotOurs);

    public override Task RestartAsync() => throw new InvalidOperationException(NotOurs);

    public override async ValueTask DisposeAsync()
    {
        while (_databases.TryTake(out var name))
        {
            await ExecuteAsync($"drop database if exists {Quoted(name)} with (force)").ConfigureAwait(false);
        }
    }
}
