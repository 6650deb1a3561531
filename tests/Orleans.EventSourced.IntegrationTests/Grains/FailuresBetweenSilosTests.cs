using Microsoft.Data.Sqlite;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;
using Orleans.EventSourced.Core.Log;
using Orleans.Serialization;
using Xunit;

namespace Orleans.EventSourced.IntegrationTests.Grains;

/// <summary>A failure that happened at one silo and is told at another.</summary>
public sealed class FailuresBetweenSilosTests : IAsyncLifetime
{
    private readonly TestFolder _folder = new();
    private TestNode _node = null!;

    public static TheoryData<Exception> Causes => new()
    {
        new NpgsqlException("Exception while reading from stream", new IOException("reset", new System.Net.Sockets.SocketException(104))),
        new PostgresException("no space left", "ERROR", "ERROR", "53100"),
        new SqliteException("database is locked", 5),
        new TimeoutException("late"),
    };

    public async ValueTask InitializeAsync() => _node = await TestNode.StartAsync(_folder.Database);

    public async ValueTask DisposeAsync()
    {
        await _node.DisposeAsync();
        _folder.Dispose();
    }

    [Theory]
    [MemberData(nameof(Causes), DisableDiscoveryEnumeration = true)]
    public void it_arrives_as_what_it_is_with_its_cause(Exception cause)
    {
        var serializer = _node.Services.GetRequiredService<Serializer>();
        var arrived = serializer.Deserialize<Exception>(serializer.SerializeToArray<Exception>(new LogUnavailableException("The log is away.", cause)));

        Assert.Equal("The log is away.", Assert.IsType<LogUnavailableException>(arrived).Message);
        Assert.Equal((cause.GetType(), cause.Message, cause.InnerException?.Message), (arrived.InnerException!.GetType(), arrived.InnerException.Message, arrived.InnerException.InnerException?.Message));
    }
}
