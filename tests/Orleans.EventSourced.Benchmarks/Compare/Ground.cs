using Npgsql;
using Orleans.EventSourced.Benchmarks.Peers;
using Orleans.EventSourced.IntegrationTests.Servers;

namespace Orleans.EventSourced.Benchmarks.Compare;

/// <summary>
/// What all cases of a run stand on: one private server, durable as in production, with a database for each contender, and the contenders, each started when the first case needs it. Used by one case at
/// a time.
/// </summary>
internal sealed class Ground : IAsyncDisposable
{
    private readonly Dictionary<string, IContender> _contenders = [];
    private readonly Stack<IAsyncDisposable> _ofTheCase = new();
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("bench-");

    private Ground(PostgresServer server, string serverVersion, string store, Scale scale) =>
        (Server, ServerVersion, Store, Scale) = (server, serverVersion, store, scale);

    public PostgresServer Server { get; }

    /// <summary>What the server says of itself.</summary>
    public string ServerVersion { get; }

    /// <summary>Where ours keeps its log: <c>postgres</c> or <c>sqlite</c>. The others are always in PostgreSQL.</summary>
    public string Store { get; }

    public Scale Scale { get; }

    public static async Task<Ground> StartAsync(string store, Scale scale, CancellationToken cancellationToken)
    {
        var server = await PostgresServer.StartOwnAsync();
        await using var connection = new NpgsqlConnection(server.AdminConnectionString + ";Pooling=false");
        await connection.OpenAsync(cancellationToken);
        await using var command = new NpgsqlCommand("select format('PostgreSQL %s, fsync %s, synchronous_commit %s', current_setting('server_version'), current_setting('fsync'), current_setting('synchronous_commit'))", connection);
        return new Ground(server, (string)(await command.ExecuteScalarAsync(cancellationToken))!, store, scale);
    }

    /// <summary>A place for a log of ours that no other case has.</summary>
    public async Task<Place> PlaceAsync(CancellationToken cancellationToken) =>
        Store == Place.Sqlite ? new Place(Store, Path.Combine(Directory.CreateDirectory(Path.Combine(_folder.FullName, Guid.NewGuid().ToString("N"))).FullName, "eventlog.db")) : await MigratedAsync(cancellationToken);

    /// <summary>The contender of this name, started if it is not yet.</summary>
    /// <exception cref="ArgumentException">There is none of this name.</exception>
    public async Task<IContender> ContenderAsync(string name, CancellationToken cancellationToken)
    {
        if (!_contenders.TryGetValue(name, out var contender))
        {
            _contenders.Add(name, contender = await Contenders.StartAsync(name, this, cancellationToken));
        }

        return contender;
    }

    /// <summary>What a case started for itself and leaves to the ground: it is disposed when the case has ended.</summary>
    public T Owns<T>(T part)
        where T : IAsyncDisposable
    {
        _ofTheCase.Push(part);
        return part;
    }

    public async Task EndCaseAsync()
    {
        while (_ofTheCase.TryPop(out var part))
        {
            await part.DisposeAsync();
        }
    }

    /// <summary>A database of its own with the schema of ours, which has the tables of Orleans' own providers in it too.</summary>
    public async Task<Place> MigratedAsync(CancellationToken cancellationToken)
    {
        var place = new Place(Place.Postgres, await Server.CreateDatabaseAsync());
        await place.MigrateAsync(cancellationToken);
        return place;
    }

    /// <summary>Lets a contender that failed go, if there is one of this name: what it still does, or holds, would disturb the others.</summary>
    public async Task DropAsync(string name)
    {
        if (_contenders.Remove(name, out var contender))
        {
            await contender.DisposeAsync();
        }
    }

    public async Task DropAllAsync()
    {
        foreach (var name in _contenders.Keys.ToList())
        {
            await DropAsync(name);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await EndCaseAsync();
        await DropAllAsync();
        NpgsqlConnection.ClearAllPools();
        await Server.DisposeAsync();
        _folder.Delete(recursive: true);
    }
}
