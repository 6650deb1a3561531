using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Projections;

namespace Orleans.EventSourced.Sqlite;

/// <summary>The views of a log in a file beside the log's, with threads of their own. Safe for concurrent use.</summary>
public sealed class SqliteViewStore : IViewStore, IAsyncDisposable
{
    private readonly SqliteViewsFile _file;
    private readonly SqliteOptions _options;
    private readonly TimeProvider _time;

    /// <param name="options">Where the log's file is; it is there already.</param>
    /// <param name="time">The clock of the checkpoints.</param>
    /// <exception cref="LogMisconfiguredException">The file is newer than this program, or no file of views.</exception>
    /// <exception cref="LogUnavailableException">The file cannot be opened.</exception>
    public SqliteViewStore(SqliteOptions options, TimeProvider time)
        : this(new SqliteViewsFile(options), options, time)
    {
    }

    internal SqliteViewStore(SqliteViewsFile file, SqliteOptions options, TimeProvider time)
    {
        ArgumentNullException.ThrowIfNull(time);
        (_file, _options, _time) = (file, options, time);
    }

    /// <inheritdoc/>
    public IViewTable<TRow> Table<TRow>()
        where TRow : class => new SqliteViewTable<TRow>(_file, _options, _time);

    /// <inheritdoc/>
    public IViewReader<TRow> Reader<TRow>()
        where TRow : class => new SqliteViewReader<TRow>(_file);

    /// <inheritdoc/>
    public Task<IReadOnlyList<Checkpoint>> ReadCheckpointsAsync(CancellationToken cancellationToken) => _file.ReadAsync<IReadOnlyList<Checkpoint>>(
        session =>
        {
            using var reader = session.Prepared(Statements.ReadCheckpoints).ExecuteReader();
            var checkpoints = new List<Checkpoint>();
            while (reader.Read())
            {
                checkpoints.Add(new Checkpoint(
                    new ViewId(reader.GetString(0), reader.GetInt32(1)),
                    new Slice(reader.GetInt32(2), reader.GetInt32(3)),
                    new LogPosition(reader.GetInt64(4)),
                    HashLink.FromMicroseconds(reader.GetInt64(5)),
                    reader.GetBoolean(6)));
            }

            return checkpoints;
        },
        cancellationToken);

    /// <inheritdoc/>
    public Task<bool> DropAsync(ViewId view, CancellationToken cancellationToken) => _file.WriteAsync(
        session =>
        {
            if (session.Prepared(Statements.DeleteCheckpoints, ("$view", view.Name), ("$version", view.Version)).ExecuteNonQuery() == 0)
            {
                return false;
            }

            if (session.Prepared(Statements.DeleteLive, ("$view", view.Name), ("$version", view.Version)).ExecuteNonQuery() == 1)
            {
                DropPlainName(session, view);
            }

            session.Execute($"drop table {view.Table}; drop table {view.Table}_tombstones; drop table {view.Table}_routes;");
            return true;
        },
        cancellationToken);

    /// <summary>Finishes what is queued and closes the file.</summary>
    public ValueTask DisposeAsync() => _file.DisposeAsync();

    private static void DropPlainName(SqliteSession session, ViewId view)
    {
        if (session.Prepared(Statements.HasVersions, ("$view", view.Name)).ExecuteScalar() is 1L)
        {
            throw new LogRequestRefusedException($"{view} is the live version of its view, which has others: drop those first.");
        }

        session.Execute($"drop view \"{view.Name}\"");
    }
}
