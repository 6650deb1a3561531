using Npgsql;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Snapshots;

namespace Orleans.EventSourced.Postgres;

/// <summary>Snapshots in the table <c>es.snapshots</c>, through a pool of their own, so that they cannot starve appends. Safe for concurrent use.</summary>
public sealed class PostgresSnapshotStore : ISnapshotStore, IAsyncDisposable
{
    private readonly NpgsqlDataSource _source;

    /// <param name="options">Where the log is.</param>
    public PostgresSnapshotStore(PostgresOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        _source = PostgresConnections.Create(options);
    }

    /// <inheritdoc/>
    public async Task<Snapshot?> ReadLatestAsync(StreamId stream, int foldVersion, StreamVersion? upTo, CancellationToken cancellationToken)
    {
        try
        {
            await using var command = _source.CreateCommand(Statements.ReadSnapshot);
            command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = stream.Value });
            command.Parameters.Add(new NpgsqlParameter<int> { TypedValue = foldVersion });
            command.Parameters.Add(new NpgsqlParameter<int> { TypedValue = upTo?.Value ?? int.MaxValue });
            await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
            return await reader.ReadAsync(cancellationToken).ConfigureAwait(false)
                ? new Snapshot(stream, new StreamVersion(reader.GetInt32(0)), new LogPosition(reader.GetInt64(1)), foldVersion, reader.GetFieldValue<byte[]>(2))
                : null;
        }
        catch (Exception e) when (PostgresErrors.IsStoreError(e) && !cancellationToken.IsCancellationRequested)
        {
            throw PostgresErrors.OnRead(e);
        }
    }

    /// <inheritdoc/>
    public async Task WriteAsync(Snapshot snapshot, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(snapshot);
        try
        {
            await using var command = _source.CreateCommand(Statements.WriteSnapshot);
            command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = snapshot.Stream.Value });
            command.Parameters.Add(new NpgsqlParameter<int> { TypedValue = snapshot.FoldVersion });
            command.Parameters.Add(new NpgsqlParameter<int> { TypedValue = snapshot.Version.Value });
            command.Parameters.Add(new NpgsqlParameter<long> { TypedValue = snapshot.Position.Value });
            command.Parameters.Add(new NpgsqlParameter<byte[]> { TypedValue = snapshot.State.ToArray() });
            await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (PostgresErrors.IsStoreError(e) && !cancellationToken.IsCancellationRequested)
        {
            throw PostgresErrors.OnRead(e);
        }
    }

    /// <summary>Closes the connections.</summary>
    public ValueTask DisposeAsync() => _source.DisposeAsync();
}
