using Npgsql;
using Orleans.EventSourced.Core.Log;

namespace Orleans.EventSourced.Postgres;

/// <summary>What a server promises about what it has acknowledged, as found at start.</summary>
/// <param name="Description">One line for people: version and the three settings.</param>
/// <param name="IsDurable">Whether an acknowledged commit survives a crash of the server.</param>
/// <param name="LoginIsSuperuser">Whether the application's login is a superuser.</param>
/// <param name="LoginMayBeOwner">Whether the application's login is a member of <c>es_owner</c> or may make itself one, as a superuser may too.</param>
/// <param name="LinkIsExposed">Whether a server is on another machine and its certificate is not verified, so that who sits between could read and change what is sent.</param>
public sealed record PostgresDurability(string Description, bool IsDurable, bool LoginIsSuperuser, bool LoginMayBeOwner, bool LinkIsExposed)
{
    /// <summary>What somebody could do to the facts as this program is set up, and what to do about it, in sentences for people; null when there is nothing.</summary>
    public string? Warning
    {
        get
        {
            var login = LoginIsSuperuser ? "This login is a superuser, which could change facts: give the application a login of its own, and migrate with another one (AdminConnectionString)."
                : LoginMayBeOwner ? "This login is a member of es_owner or may make itself one, and could change facts: migrate with another login (AdminConnectionString), and take es_owner and createrole from this one."
                : null;
            var link = LinkIsExposed ? "The server is on another machine and is reached without verified TLS: who sits between could read and change what is sent. Set SSL Mode=VerifyFull in the connection string." : null;
            return login is null ? link : link is null ? login : $"{login} {link}";
        }
    }
}

/// <summary>Brings a database to the schema of this program, and checks that it may be trusted.</summary>
public static class PostgresSchema
{
    private const long MigrationLock = 7306093021735223394;

    /// <summary>
    /// Applies the migrations that are missing, in order, each in a transaction of its own, under a lock, so that silos that start together do it once. Then lets the
    /// application's login act as <c>es_writer</c>.
    /// </summary>
    /// <exception cref="LogMisconfiguredException">An option cannot be, and the server was not asked; the schema is newer than this program, the encoding is not UTF8, or the login may not do it.</exception>
    /// <exception cref="LogUnavailableException">The server cannot be reached.</exception>
    public static async Task MigrateAsync(PostgresOptions options, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.Check();
        var admin = new NpgsqlConnectionStringBuilder(options.AdminConnectionString ?? options.ConnectionString) { Pooling = false, Enlist = false, Timeout = (int)Math.Ceiling(options.ConnectTimeout.TotalSeconds) };
        await using var connection = new NpgsqlConnection(admin.ConnectionString);
        try
        {
            await connection.OpenAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (PostgresErrors.IsStoreError(e) && !cancellationToken.IsCancellationRequested)
        {
            throw PostgresErrors.OnConnect(e);
        }

        try
        {
            // Held by the session, over all the transactions below, and gone with it.
            await ExecuteAsync(connection, $"select pg_catalog.pg_advisory_lock({MigrationLock})", cancellationToken).ConfigureAwait(false);
            RefuseUnlessUtf8(await ScalarAsync<string>(connection, "select pg_catalog.current_setting('server_encoding')", cancellationToken).ConfigureAwait(false));
            foreach (var migration in await MissingAsync(connection, cancellationToken).ConfigureAwait(false))
            {
                await ApplyAsync(connection, migration, cancellationToken).ConfigureAwait(false);
            }

            await AdmitAsync(connection, new NpgsqlConnectionStringBuilder(options.ConnectionString).Username, cancellationToken).ConfigureAwait(false);
        }
        catch (PostgresException e)
        {
            throw new LogMisconfiguredException($"The migration of the log's schema failed: {e.SqlState} {e.MessageText}", e);
        }
        catch (Exception e) when (PostgresErrors.IsStoreError(e) && !cancellationToken.IsCancellationRequested)
        {
            throw PostgresErrors.OnRead(e);
        }
    }

    /// <summary>Reads what the server promises, through a connection like the log's own.</summary>
    /// <exception cref="LogMisconfiguredException">An option cannot be, and the server was not asked; the server may lose what it acknowledges and the options do not allow that, or it is not UTF8.</exception>
    /// <exception cref="LogUnavailableException">The server cannot be reached.</exception>
    public static async Task<PostgresDurability> CheckAsync(PostgresOptions options, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.Check();
        try
        {
            await using var source = PostgresConnections.Create(options);
            await using var command = source.CreateCommand(Statements.ReadServer);
            await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
            await reader.ReadAsync(cancellationToken).ConfigureAwait(false);
            var (fsync, pages, commit, encoding) = (reader.GetString(0), reader.GetString(1), reader.GetString(2), reader.GetString(3));
            var description = $"PostgreSQL {reader.GetString(5)}, fsync {fsync}, full_page_writes {pages}, synchronous_commit {commit}";
            var found = new PostgresDurability(description, fsync == "on" && pages == "on" && commit != "off", reader.GetBoolean(4), reader.GetBoolean(6), PostgresConnections.IsExposed(options));
            RefuseUnlessUtf8(encoding);
            return found.IsDurable || options.AllowUnsafeDurabilityUNSAFE
                ? found
                : throw new LogMisconfiguredException($"This server may lose what it has acknowledged: {description}. Switch these settings on, or set {nameof(PostgresOptions.AllowUnsafeDurabilityUNSAFE)} for data that may be lost.");
        }
        catch (Exception e) when (PostgresErrors.IsStoreError(e) && !cancellationToken.IsCancellationRequested)
        {
            throw PostgresErrors.OnConnect(e);
        }
    }

    private static void RefuseUnlessUtf8(string? encoding)
    {
        if (encoding != "UTF8")
        {
            throw new LogMisconfiguredException($"The database's encoding is {encoding}; the log needs UTF8.");
        }
    }

    private static async Task<IReadOnlyList<(int Number, string Name, string Sql)>> MissingAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        // Where the schema is there already, a login without any right to make one finds nothing to do.
        if (await ScalarAsync<bool>(connection, "select to_regclass('es.migrations') is null", cancellationToken).ConfigureAwait(false))
        {
            await ExecuteAsync(
                connection,
                """
                create schema if not exists es;
                create table es.migrations (number int primary key, name text not null, applied_at timestamptz not null default clock_timestamp());
                """,
                cancellationToken).ConfigureAwait(false);
        }

        var known = Statements.Migrations();
        var applied = await ScalarAsync<int>(connection, "select coalesce(max(number), 0) from es.migrations", cancellationToken).ConfigureAwait(false);
        return applied <= known[^1].Number
            ? [.. known.Where(m => m.Number > applied)]
            : throw new LogMisconfiguredException($"The log's schema has version {applied}; this program knows versions up to {known[^1].Number}. Run a newer program.");
    }

    private static async Task ApplyAsync(NpgsqlConnection connection, (int Number, string Name, string Sql) migration, CancellationToken cancellationToken)
    {
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken).ConfigureAwait(false);
        await ExecuteAsync(connection, "set local search_path = pg_catalog, pg_temp", cancellationToken).ConfigureAwait(false);
        await ExecuteAsync(connection, migration.Sql, cancellationToken).ConfigureAwait(false);
        await using var note = new NpgsqlCommand("insert into es.migrations (number, name) values ($1, $2)", connection)
        {
            Parameters = { new NpgsqlParameter<int> { TypedValue = migration.Number }, new NpgsqlParameter<string> { TypedValue = migration.Name } },
        };
        await note.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
        await transaction.CommitAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Makes the application's login a member of the writer role, if it is not yet.</summary>
    private static async Task AdmitAsync(NpgsqlConnection connection, string? login, CancellationToken cancellationToken)
    {
        login ??= await ScalarAsync<string>(connection, "select session_user::text", cancellationToken).ConfigureAwait(false);
        await using var question = new NpgsqlCommand("select pg_catalog.pg_has_role($1::name, 'es_writer', 'member')", connection) { Parameters = { new NpgsqlParameter<string> { TypedValue = login! } } };
        if (await question.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false) is false)
        {
            await ExecuteAsync(connection, $"grant es_writer to {new NpgsqlCommandBuilder().QuoteIdentifier(login!)}", cancellationToken).ConfigureAwait(false);
        }
    }

    private static async Task ExecuteAsync(NpgsqlConnection connection, string sql, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(sql, connection) { CommandTimeout = 600 };
        await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
    }

    private static async Task<T?> ScalarAsync<T>(NpgsqlConnection connection, string sql, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        return (T?)await command.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false);
    }
}
