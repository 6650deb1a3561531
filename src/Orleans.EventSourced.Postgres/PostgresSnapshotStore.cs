using Npgsql;
using Orleans.EventSourced.Core.Events;
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
    public async Task<Snapshot?> ReadLatestAsync(Guid logId, StreamId stream, int foldVersion, StreamVersion? upTo, CancellationToken cancellationToken)
    {
        try
        {
            await using var command = _source.CreateCommand(Statements.ReadSnapshot);
            AddKey(command.Parameters, logId, stream, foldVersion);
            command.Parameters.Add(new NpgsqlParameter<int> { TypedValue = upTo?.Value ?? int.MaxValue });
            await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
            return await reader.ReadAsync(cancellationToken).ConfigureAwait(false)
                ? new Snapshot(logId, stream, new StreamVersion(reader.GetInt32(0)), new LogPosition(reader.GetInt64(1)), new EventId(reader.GetGuid(2)), foldVersion, reader.GetFieldValue<byte[]>(3))
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
            await using var batch = _source.CreateBatch();
            var write = new NpgsqlBatchCommand(Statements.WriteSnapshot);
            AddKey(write.Parameters, snapshot.LogId, snapshot.Stream, snapshot.FoldVersion);
            write.Parameters.Add(new NpgsqlParameter<int> { TypedValue = snapshot.Version.Value });
            write.Parameters.Add(new NpgsqlParameter<long> { TypedValue = snapshot.Position.Value });
            write.Parameters.Add(new NpgsqlParameter<Guid> { TypedValue = snapshot.EventId.Value });
            write.Parameters.Add(new NpgsqlParameter<byte[]> { TypedValue = snapshot.State.ToArray() });
            batch.BatchCommands.Add(write);

            var prune = new NpgsqlBatchCommand(Statements.PruneSnapshots);
            AddKey(prune.Parameters, snapshot.LogId, snapshot.Stream, snapshot.FoldVersion);
            prune.Parameters.Add(new NpgsqlParameter<int> { TypedValue = ISnapshotStore.MaxPerStream });
            batch.BatchCommands.Add(prune);
            await batch.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (PostgresErrors.IsStoreError(e) && !cancellationToken.IsCancellationRequested)
        {
            throw PostgresErrors.OnRead(e);
        }
    }

    /// <inheritdoc/>
    public async Task DeleteAsync(Guid logId, StreamId stream, int foldVersion, CancellationToken cancellationToken)
    {
        try
        {
            await using var command = _source.CreateCommand(Statements.DeleteSnapshots);
            AddKey(command.Parameters, logId, stream, foldVersion);
            await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (PostgresErrors.IsStoreError(e) && !cancellationToken.IsCancellationRequested)
        {
            throw PostgresErrors.OnRead(e);
        }
    }

    /// <inheritdoc/>
    public async Task<IReadOnlyList<SnapshotRow>> ListAsync(SnapshotRow? after, int limit, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(limit, 1);
        try
        {
            await using var command = _source.CreateCommand(Statements.ListSnapshots);
            command.Parameters.Add(new NpgsqlParameter<Guid> { TypedValue = after?.LogId ?? Guid.Empty });
            command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = after?.Stream ?? "" });
            command.Parameters.Add(new NpgsqlParameter<int> { TypedValue = after?.FoldVersion ?? int.MinValue });
            command.Parameters.Add(new NpgsqlParameter<int> { TypedValue = after?.Version ?? int.MinValue });
            command.Parameters.Add(new NpgsqlParameter<int> { TypedValue = limit });
            await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
            var rows = new List<SnapshotRow>();
            while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
            {
                rows.Add(new SnapshotRow(reader.GetGuid(0), reader.GetString(1), reader.GetInt32(2), reader.GetInt32(3), reader.GetInt64(4), reader.GetGuid(5), reader.GetFieldValue<byte[]>(6)));
            }

            return rows;
        }
        catch (Exception e) when (PostgresErrors.IsStoreError(e) && !cancellationToken.IsCancellationRequested)
        {
            throw PostgresErrors.OnRead(e);
        }
    }

    /// <summary>Closes the connections.</summary>
    public ValueTask DisposeAsync() => _source.DisposeAsync();

    private static void AddKey(NpgsqlParameterCollection parameters, Guid logId, StreamId stream, int foldVersion)
    {
        parameters.Add(new NpgsqlParameter<Guid> { TypedValue = logId });
        parameters.Add(new NpgsqlParameter<string> { TypedValue = stream.Value });
        parameters.Add(new NpgsqlParameter<int> { TypedValue = foldVersion });
    }
}
