using System.Collections.Concurrent;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Projections;

namespace Orleans.EventSourced.Sqlite;

/// <summary>The views of a log in a file beside the log's, with threads of their own. Safe for concurrent use.</summary>
public sealed class SqliteViewStore : IViewStore, IAsyncDisposable
{
    private readonly SqliteViewsFile _file;
    private readonly SqliteOptions _options;
    private readonly TimeProvider _time;

    // One for each class of rows: tables, readers and rebuilds of a version share its mappings and statements.
    private readonly ConcurrentDictionary<Type, object> _editions = new();

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

    /// <summary>Whether the file of views is there; opened, it would be made.</summary>
    public static bool Exists(SqliteOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        return File.Exists(options.ViewsPath);
    }

    /// <inheritdoc/>
    public IViewTable<TRow> Table<TRow>(ViewRole role = ViewRole.Live)
        where TRow : class => new SqliteViewTable<TRow>(EditionsOf<TRow>(), role);

    /// <inheritdoc/>
    public IViewReader<TRow> Reader<TRow>(ViewRole role = ViewRole.Live)
        where TRow : class => new SqliteViewReader<TRow>(EditionsOf<TRow>(), role);

    /// <inheritdoc/>
    public IViewEditions Editions<TRow>()
        where TRow : class => new SqliteViewEditions<TRow>(EditionsOf<TRow>());

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
                    ViewEdition.RoleOf(reader.GetString(6)),
                    reader.GetInt32(7),
                    reader.GetBoolean(8)));
            }

            return checkpoints;
        },
        cancellationToken);

    /// <inheritdoc/>
    public Task<bool> DropAsync(ViewId view, CancellationToken cancellationToken) => _file.WriteAsync(
        session =>
        {
            if (session.Prepared(Statements.DeleteLive, ("$view", view.Name), ("$version", view.Version)).ExecuteNonQuery() == 1)
            {
                DropPlainName(session, view);
            }

            return DropTables(session, view, null);
        },
        cancellationToken);

    /// <summary>Finishes what is queued and closes the file.</summary>
    public ValueTask DisposeAsync() => _file.DisposeAsync();

    /// <summary>Drops the tables of a version, all or the one in a role. False: there is none.</summary>
    internal static bool DropTables(SqliteSession session, ViewId view, ViewRole? role)
    {
        var dropped = new HashSet<int>();
        using (var reader = session.Prepared(Statements.DeleteCheckpoints, ("$view", view.Name), ("$version", view.Version), ("$role", role is { } r ? ViewEdition.NameOf(r) : DBNull.Value)).ExecuteReader())
        {
            while (reader.Read())
            {
                dropped.Add(reader.GetInt32(0));
            }
        }

        foreach (var table in dropped.Select(n => ViewEdition.TableOf(view, n)))
        {
            session.Execute($"drop table {table}; drop table {table}_tombstones; drop table {table}_routes;");
        }

        return dropped.Count > 0;
    }

    private static void DropPlainName(SqliteSession session, ViewId view)
    {
        if (session.Prepared(Statements.HasVersions, ("$view", view.Name), ("$version", view.Version)).ExecuteScalar() is 1L)
        {
            throw new LogRequestRefusedException($"{view} is the version shown of its view, which has others: drop those first.");
        }

        session.Execute($"drop view \"{view.Name}\"");
    }

    private SqliteEditions<TRow> EditionsOf<TRow>()
        where TRow : class => (SqliteEditions<TRow>)_editions.GetOrAdd(typeof(TRow), static (_, store) => new SqliteEditions<TRow>(store._file, store._options, store._time), this);
}
