using Microsoft.Data.Sqlite;
using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.Log;

namespace Orleans.EventSourced.Sqlite;

/// <summary>Brings a file to the schema of this program, and holds it for one process.</summary>
public static class SqliteSchema
{
    private const string LogMigrations = "Migrations";
    private const string ViewsMigrations = "ViewsMigrations";
    private const string ReactionsMigrations = "ReactionsMigrations";

    /// <summary>Makes or migrates the files, and says in one line how durable they are, and whether a damaged file of snapshots was set aside.</summary>
    /// <exception cref="LogMisconfiguredException">Another process has the file, it is newer than this program, or no log.</exception>
    /// <exception cref="LogUnavailableException">The file cannot be opened.</exception>
    public static Task<string> PrepareAsync(SqliteOptions options, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(options);
        return Task.Run(
            () =>
            {
                using var held = Hold(options);
                try
                {
                    using var session = OpenLog(options);
                    using var views = OpenViews(options);
                    var damaged = File.Exists(options.DamagedViewsPath) ? $". WARNING: the views and snapshots were damaged and are made anew; '{options.DamagedViewsPath}' may be deleted" : "";
                    return $"journal {session.Text("pragma journal_mode")}, synchronous {(session.Text("pragma synchronous") == "2" ? "full" : session.Text("pragma synchronous"))}, one process{damaged}";
                }
                catch (SqliteException e)
                {
                    throw SqliteErrors.OnRead(e);
                }
            },
            cancellationToken);
    }

    /// <summary>Takes the file for this process until the result is disposed, or the process ends in whatever way.</summary>
    internal static FileStream Hold(SqliteOptions options)
    {
        var path = options.LogPath;
        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            return new FileStream(path + ".lock", FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException e)
        {
            throw new LogMisconfiguredException($"The SQLite log '{path}' is in use by another process, and SQLite serves one at a time. Stop that process, or use PostgreSQL for several.", e);
        }
        catch (UnauthorizedAccessException e)
        {
            throw new LogMisconfiguredException($"The SQLite log '{path}' may not be written by this user.", e);
        }
    }

    internal static SqliteSession OpenLog(SqliteOptions options) => Open(options.LogPath, LogMigrations, session =>
    {
        var id = new byte[16];
        CommandId.New(TimeProvider.System).Value.TryWriteBytes(id, bigEndian: true, out _);
        session.Prepared(Statements.InsertLog, ("$log_id", id), ("$created_at", HashLink.Microseconds(TimeProvider.System.GetUtcNow()))).ExecuteNonQuery();
    });

    internal static SqliteSession OpenViews(SqliteOptions options)
    {
        try
        {
            return Open(options.ViewsPath, ViewsMigrations, _ => { });
        }
        catch (SqliteException e) when (SqliteErrors.IsDamage(e))
        {
            // All in it comes from the log and is made anew; what is left of it stays to be looked at.
            File.Move(options.ViewsPath, options.DamagedViewsPath, overwrite: true);
            File.Delete(options.ViewsPath + "-wal");
            File.Delete(options.ViewsPath + "-shm");
            return Open(options.ViewsPath, ViewsMigrations, _ => { });
        }
    }

    internal static SqliteSession OpenReactions(SqliteOptions options) => Open(options.ReactionsPath, ReactionsMigrations, _ => { });

    /// <summary>Which log it is whose views are kept beside it.</summary>
    internal static byte[] ReadLogId(SqliteOptions options)
    {
        using var log = new SqliteSession(options.LogPath, writes: false);
        using var reader = log.Prepared(Statements.ReadHead).ExecuteReader();
        return reader.Read() ? reader.GetFieldValue<byte[]>(0) : throw new LogMisconfiguredException("The table log is empty: the log has lost its identity.");
    }

    private static SqliteSession Open(string path, string migrations, Action<SqliteSession> begin)
    {
        var session = new SqliteSession(path, writes: true);
        try
        {
            session.Connection.CreateFunction("seal_of_log", (byte[] logId, long createdAt) => RowSeal.OfLog(logId, createdAt), isDeterministic: true);
            session.Connection.CreateFunction("seal_of_stream", (long id, string name, long createdAt) => RowSeal.OfStream(id, name, createdAt), isDeterministic: true);
            Migrate(session, path, Statements.Migrations(migrations), begin);
            return session;
        }
        catch
        {
            session.Dispose();
            throw;
        }
    }

    private static void Migrate(SqliteSession session, string path, IReadOnlyList<(int Number, string Sql)> known, Action<SqliteSession> begin)
    {
        var applied = int.Parse(session.Text("pragma user_version"), System.Globalization.CultureInfo.InvariantCulture);
        if (applied > known[^1].Number)
        {
            throw new LogMisconfiguredException($"'{path}' has the schema version {applied}; this program knows versions up to {known[^1].Number}. Run a newer program.");
        }

        foreach (var (number, sql) in known.Where(m => m.Number > applied))
        {
            session.Execute("begin immediate");
            try
            {
                session.Execute(sql);
                if (number == 1)
                {
                    begin(session);
                }

                session.Execute($"pragma user_version = {number}");
                session.Execute("commit");
            }
            catch
            {
                session.Execute("rollback");
                throw;
            }
        }
    }
}
