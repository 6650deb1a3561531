using Npgsql;
using NpgsqlTypes;
using Orleans.EventSourced.Benchmarks.Compare;
using Orleans.EventSourced.Benchmarks.Measures;

namespace Orleans.EventSourced.Benchmarks.Peers;

/// <summary>Binary COPY on one connection, 20,000 rows a transaction: the limit of the table.</summary>
internal sealed class RawCopy : IContender
{
    private const int Rows = 20_000;
    private const string Statement = "copy public.reference (stream_id, version, commit_id, ordinal, id, type, schema, data, metadata) from stdin (format binary)";
    private readonly RawTable _table;
    private readonly NpgsqlConnection _connection;

    private RawCopy(RawTable table, NpgsqlConnection connection) => (_table, _connection) = (table, connection);

    public static async Task<RawCopy> StartAsync(Place place, CancellationToken cancellationToken)
    {
        var table = await RawTable.CreateAsync(place, cancellationToken);
        return new RawCopy(table, await table.Source.OpenConnectionAsync(cancellationToken));
    }

    /// <summary>One call is one COPY of many rows, so that its latencies say nothing of a row.</summary>
    public async Task<Round> AppendAsync(AppendLoad load, CancellationToken cancellationToken)
    {
        var round = await ClosedLoop.RunAsync(1, Rows, load.Time, _ => CopyAsync(cancellationToken));
        return Round.Of((Quantity.PerSecond, round[Quantity.PerSecond]), (Quantity.CpuPerEvent, round[Quantity.CpuPerEvent])) with { Events = round.Events };
    }

    public Task<long> StoredBytesAsync(CancellationToken cancellationToken) => _table.BytesAsync(cancellationToken);

    public async ValueTask DisposeAsync()
    {
        await _connection.DisposeAsync();
        await _table.DisposeAsync();
    }

    private async Task CopyAsync(CancellationToken cancellationToken)
    {
        await using var import = await _connection.BeginBinaryImportAsync(Statement, cancellationToken);
        for (var i = 0; i < Rows; i++)
        {
            var n = _table.Next();
            await import.StartRowAsync(cancellationToken);
            await import.WriteAsync(n, cancellationToken);
            await import.WriteAsync(1, cancellationToken);
            await import.WriteAsync(n, cancellationToken);
            await import.WriteAsync(0, cancellationToken);
            await import.WriteAsync(Guid.CreateVersion7(), cancellationToken);
            await import.WriteAsync(RawTable.Type, cancellationToken);
            await import.WriteAsync((short)1, cancellationToken);
            await import.WriteAsync(RawTable.Data, NpgsqlDbType.Json, cancellationToken);
            await import.WriteAsync(RawTable.Metadata, NpgsqlDbType.Json, cancellationToken);
        }

        await import.CompleteAsync(cancellationToken);
    }
}
