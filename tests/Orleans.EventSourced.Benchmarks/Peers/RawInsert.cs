using Npgsql;
using NpgsqlTypes;
using Orleans.EventSourced.Benchmarks.Compare;
using Orleans.EventSourced.Benchmarks.Measures;

namespace Orleans.EventSourced.Benchmarks.Peers;

/// <summary>One row, one transaction, one round trip, on so many connections, however many callers the load has: a program without group commit.</summary>
internal sealed class RawInsert : IContender
{
    private const string Statement = $"insert into public.reference values ($1, 1, $1, 0, $2, '{RawTable.Type}', 1, $3, $4)";
    private readonly RawTable _table;
    private readonly List<NpgsqlConnection> _connections;

    private RawInsert(RawTable table, List<NpgsqlConnection> connections) => (_table, _connections) = (table, connections);

    public static async Task<RawInsert> StartAsync(Place place, int connections, CancellationToken cancellationToken)
    {
        var table = await RawTable.CreateAsync(place, cancellationToken);
        var opened = new List<NpgsqlConnection>();
        while (opened.Count < connections)
        {
            opened.Add(await table.Source.OpenConnectionAsync(cancellationToken));
        }

        return new RawInsert(table, opened);
    }

    public Task<Round> AppendAsync(AppendLoad load, CancellationToken cancellationToken) => ClosedLoop.RunAsync(_connections.Count, 1, load.Time, async n =>
    {
        await using var command = new NpgsqlCommand(Statement, _connections[n])
        {
            Parameters =
            {
                new NpgsqlParameter<long> { TypedValue = _table.Next() },
                new NpgsqlParameter<Guid> { TypedValue = Guid.CreateVersion7() },
                new NpgsqlParameter { Value = RawTable.Data, NpgsqlDbType = NpgsqlDbType.Json },
                new NpgsqlParameter { Value = RawTable.Metadata, NpgsqlDbType = NpgsqlDbType.Json },
            },
        };
        await command.ExecuteNonQueryAsync(cancellationToken);
    });

    public Task<long> StoredBytesAsync(CancellationToken cancellationToken) => _table.BytesAsync(cancellationToken);

    public async ValueTask DisposeAsync()
    {
        foreach (var connection in _connections)
        {
            await connection.DisposeAsync();
        }

        await _table.DisposeAsync();
    }
}
