using Orleans.EventSourced.IntegrationTests;
using Orleans.EventSourced.IntegrationTests.Servers;
using Orleans.EventSourced.Postgres;
using Xunit;

[assembly: AssemblyFixture(typeof(PostgresFixture))]

namespace Orleans.EventSourced.IntegrationTests;

/// <summary>
/// The one PostgreSQL that all test classes share; each class makes a database of its own on it. Take it as a constructor parameter. Tests that
/// stop or kill a server start one with <see cref="PostgresServer.StartOwnAsync"/>.
/// </summary>
public sealed class PostgresFixture : IAsyncLifetime
{
    private readonly Lazy<Task> _migrated;
    private PostgresServer? _server;

    public PostgresFixture() => _migrated = new(async () => await PostgresSchema.MigrateAsync(new PostgresOptions { ConnectionString = await CreateDatabaseAsync(Template) }, CancellationToken.None));

    private string Template { get; } = "migrated_" + Guid.NewGuid().ToString("N");

    /// <summary>The server, up since before the first test.</summary>
    public PostgresServer Server => _server ?? throw new InvalidOperationException("The assembly fixture has not been initialised.");

    /// <inheritdoc cref="PostgresServer.CreateDatabaseAsync"/>
    public Task<string> CreateDatabaseAsync(string? name = null) => Server.CreateDatabaseAsync(name);

    /// <summary>Makes a database that has the schema already. They are copies of one, whose log's id they share: a test of two logs migrates databases of its own.</summary>
    /// <returns>An administrator's connection string to it.</returns>
    public async Task<string> CreateLogAsync()
    {
        await _migrated.Value;
        return await Server.CreateDatabaseAsync(template: Template);
    }

    /// <inheritdoc/>
    public async ValueTask InitializeAsync() => _server = await PostgresServer.StartAsync();

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (_server is not null)
        {
            await _server.DisposeAsync();
        }
    }
}
