using Microsoft.Data.Sqlite;

namespace Orleans.EventSourced.Sqlite;

/// <summary>One connection with its prepared statements. Used by one thread at a time.</summary>
internal sealed class SqliteSession : IDisposable
{
    private readonly SqliteConnection _connection;
    private readonly Dictionary<string, SqliteCommand> _commands = new(StringComparer.Ordinal);

    public SqliteSession(string path, bool writes)
    {
        var text = new SqliteConnectionStringBuilder
        {
            DataSource = path,
            Mode = writes ? SqliteOpenMode.ReadWriteCreate : SqliteOpenMode.ReadOnly,
            Pooling = false,
            DefaultTimeout = 5,
        };
        _connection = new SqliteConnection(text.ConnectionString);
        _connection.Open();
        if (writes)
        {
            // FULL: a commit is on the disk before it is acknowledged.
            Execute("pragma journal_mode = wal; pragma synchronous = full; pragma wal_autocheckpoint = 4000;");
        }

        Execute("pragma cache_size = -65536; pragma temp_store = memory;");
    }

    /// <summary>For EF Core's queries.</summary>
    public SqliteConnection Connection => _connection;

    public string Text(string sql) => Convert.ToString(Prepared(sql).ExecuteScalar(), System.Globalization.CultureInfo.InvariantCulture) ?? "";

    public void Execute(string sql)
    {
        using var command = _connection.CreateCommand();
        command.CommandText = sql;
        command.ExecuteNonQuery();
    }

    /// <summary>Begins a transaction that may write at once.</summary>
    public void Begin() => Begin("begin immediate");

    /// <summary>Begins a transaction whose statements all see the same moment.</summary>
    public void BeginRead() => Begin("begin");

    private void Begin(string begin)
    {
        if (SQLitePCL.raw.sqlite3_get_autocommit(_connection.Handle) == 0)
        {
            // The last one could not be rolled back then.
            Execute("rollback");
        }

        Execute(begin);
    }

    /// <summary>Gives a transaction up after an error, which is what its caller is told: of one that cannot be rolled back now, the next <see cref="Begin()"/> makes an end.</summary>
    public void Rollback()
    {
        try
        {
            Execute("rollback");
        }
        catch (SqliteException)
        {
            // SQLite has rolled back by itself, as it does when the disk is full; or see above.
        }
    }

    /// <summary>A prepared statement with its parameters set; the caller runs it and disposes the reader, not the command.</summary>
    public SqliteCommand Prepared(string sql, params ReadOnlySpan<(string Name, object Value)> parameters)
    {
        if (!_commands.TryGetValue(sql, out var command))
        {
            command = _connection.CreateCommand();
            command.CommandText = sql;
            foreach (var (name, value) in parameters)
            {
                command.Parameters.AddWithValue(name, value);
            }

            command.Prepare();
            _commands.Add(sql, command);
            return command;
        }

        for (var i = 0; i < parameters.Length; i++)
        {
            command.Parameters[i].Value = parameters[i].Value;
        }

        return command;
    }

    public void Dispose()
    {
        foreach (var command in _commands.Values)
        {
            command.Dispose();
        }

        _connection.Dispose();
    }
}
