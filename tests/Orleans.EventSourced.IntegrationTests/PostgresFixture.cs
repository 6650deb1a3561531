using Orleans.EventSourced.IntegrationTests;
using Orleans.EventSourced.IntegrationTests.Servers;
using Xunit;

[assembly: AssemblyFixture(typeof(PostgresFixture))]

namespace Orleans.EventSourced.IntegrationTests;

/// <summary>
/// The one PostgreSQL that all test classes share; each class makes a database of its own on it. Take it as a constructor parameter. Tests that
/// stop or kill a server start one with <see cref="PostgresServer.StartOwnAsync"/>.
/// </summary>
public sealed class PostgresFixture : IAsyncLifetime
{
    private PostgresServer? _server;

    /// <summary>The server, up since before the first test.</summary>
    public PostgresServer Server => _server ?? throw new InvalidOperationException("The assembly fixture has not been initialised.");

    /// <inheritdoc cref="PostgresServer.CreateDatabaseAsync"/>
    public Task<string> CreateDatabaseAsync(string? name = null) => Server.CreateDatabaseAsync(name);

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
