using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Snapshots;

namespace Orleans.EventSourced.Sqlite;

/// <summary>Snapshots in a file beside the log's, with threads of their own. Safe for concurrent use.</summary>
public sealed class SqliteSnapshotStore : ISnapshotStore, IAsyncDisposable
{
    private readonly SqliteViewsFile _file;

    /// <summary>Opens the file; one that is damaged is set aside, as <c>-views.db.damaged</c>, and begun anew.</summary>
    /// <param name="options">Where the log's file is.</param>
    /// <exception cref="LogMisconfiguredException">The file is newer than this program, or no store of snapshots.</exception>
    /// <exception cref="LogUnavailableException">The file cannot be opened.</exception>
    public SqliteSnapshotStore(SqliteOptions options)
        : this(new SqliteViewsFile(options))
    {
    }

    internal SqliteSnapshotStore(SqliteViewsFile file) => _file = file;

    /// <inheritdoc/>
    public Task<Snapshot?> ReadLatestAsync(Guid logId, StreamId stream, int foldVersion, StreamVersion? upTo, CancellationToken cancellationToken) => _file.ReadAsync(
        session =>
        {
            using var reader = session.Prepared(
                Statements.ReadSnapshot, ("$log_id", logId.ToByteArray(true)), ("$stream", stream.Value), ("$fold_version", foldVersion), ("$up_to", upTo?.Value ?? int.MaxValue)).ExecuteReader();
            return reader.Read()
                ? new Snapshot(
                    logId,
                    stream,
                    new StreamVersion(reader.GetInt32(0)),
                    new LogPosition(reader.GetInt64(1)),
                    new EventId(new Guid(reader.GetFieldValue<byte[]>(2), bigEndian: true)),
                    foldVersion,
                    reader.GetFieldValue<byte[]>(3))
                : null;
        },
        cancellationToken);

    /// <inheritdoc/>
    public Task WriteAsync(Snapshot snapshot, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(snapshot);
        return _file.WriteAsync(
            session =>
            {
                var (logId, stream, foldVersion) = (snapshot.LogId.ToByteArray(true), snapshot.Stream.Value, snapshot.FoldVersion);
                session.Prepared(
                    Statements.WriteSnapshot,
                    ("$log_id", logId),
                    ("$stream", stream),
                    ("$fold_version", foldVersion),
                    ("$version", snapshot.Version.Value),
                    ("$position", snapshot.Position.Value),
                    ("$event_id", snapshot.EventId.Value.ToByteArray(true)),
                    ("$state", snapshot.State.ToArray())).ExecuteNonQuery();
                return session.Prepared(
                    Statements.PruneSnapshots, ("$log_id", logId), ("$stream", stream), ("$fold_version", foldVersion), ("$keep", ISnapshotStore.MaxPerStream)).ExecuteNonQuery();
            },
            cancellationToken);
    }

    /// <inheritdoc/>
    public Task DeleteAsync(Guid logId, StreamId stream, int foldVersion, CancellationToken cancellationToken) => _file.WriteAsync(
        session => session.Prepared(Statements.DeleteSnapshots, ("$log_id", logId.ToByteArray(true)), ("$stream", stream.Value), ("$fold_version", foldVersion)).ExecuteNonQuery(),
        cancellationToken);

    /// <inheritdoc/>
    public Task<IReadOnlyList<SnapshotRow>> ListAsync(SnapshotRow? after, int limit, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(limit, 1);
        return _file.ReadAsync<IReadOnlyList<SnapshotRow>>(
            session =>
            {
                using var reader = session.Prepared(
                    Statements.ListSnapshots,
                    ("$log_id", after?.LogId.ToByteArray(true) ?? []),
                    ("$stream", after?.Stream ?? ""),
                    ("$fold_version", after?.FoldVersion ?? int.MinValue),
                    ("$version", after?.Version ?? int.MinValue),
                    ("$most", limit)).ExecuteReader();
                var rows = new List<SnapshotRow>();
                while (reader.Read())
                {
                    rows.Add(new SnapshotRow(
                        new Guid(reader.GetFieldValue<byte[]>(0), bigEndian: true),
                        reader.GetString(1),
                        reader.GetInt32(2),
                        reader.GetInt32(3),
                        reader.GetInt64(4),
                        new Guid(reader.GetFieldValue<byte[]>(5), bigEndian: true),
                        reader.GetFieldValue<byte[]>(6)));
                }

                return rows;
            },
            cancellationToken);
    }

    /// <summary>Finishes what is queued and closes the file.</summary>
    public ValueTask DisposeAsync() => _file.DisposeAsync();
}
