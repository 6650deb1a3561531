using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Snapshots;

namespace Orleans.EventSourced.Sqlite;

/// <summary>Snapshots in a file beside the log's, with threads of their own. Safe for concurrent use.</summary>
public sealed class SqliteSnapshotStore : ISnapshotStore, IAsyncDisposable
{
    private readonly SqliteViewsFile _file;

    /// <param name="options">Where the log's file is.</param>
    /// <exception cref="LogMisconfiguredException">The file is newer than this program, or no store of snapshots.</exception>
    public SqliteSnapshotStore(SqliteOptions options)
        : this(new SqliteViewsFile(options))
    {
    }

    internal SqliteSnapshotStore(SqliteViewsFile file) => _file = file;

    /// <inheritdoc/>
    public Task<Snapshot?> ReadLatestAsync(StreamId stream, int foldVersion, StreamVersion? upTo, CancellationToken cancellationToken) => _file.ReadAsync(
        session =>
        {
            using var reader = session.Prepared(Statements.ReadSnapshot, ("$stream", stream.Value), ("$fold_version", foldVersion), ("$up_to", upTo?.Value ?? int.MaxValue)).ExecuteReader();
            return reader.Read() ? new Snapshot(stream, new StreamVersion(reader.GetInt32(0)), new LogPosition(reader.GetInt64(1)), foldVersion, reader.GetFieldValue<byte[]>(2)) : null;
        },
        cancellationToken);

    /// <inheritdoc/>
    public Task WriteAsync(Snapshot snapshot, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(snapshot);
        return _file.WriteAsync(
            session => session.Prepared(
                Statements.WriteSnapshot,
                ("$stream", snapshot.Stream.Value),
                ("$fold_version", snapshot.FoldVersion),
                ("$version", snapshot.Version.Value),
                ("$position", snapshot.Position.Value),
                ("$state", snapshot.State.ToArray())).ExecuteNonQuery(),
            cancellationToken);
    }

    /// <summary>Finishes what is queued and closes the file.</summary>
    public ValueTask DisposeAsync() => _file.DisposeAsync();
}
