using System.Security.Cryptography;
using Npgsql;

namespace Orleans.EventSourced.IntegrationTests.Servers;

/// <summary>
/// A real PostgreSQL for tests and benchmarks, durable as in production (fsync on, UTF8, locale C). It is, in this order: the server named by
/// <see cref="ConnectionStringVariable"/>; a private cluster made from the machine's own PostgreSQL programs; a container. The class knows
/// nothing of a test framework, so that the benchmarks compile the same file. Thread-safe, except that stopping and starting are the caller's to order.
/// </summary>
public abstract class PostgresServer : IAsyncDisposable
{
    /// <summary>The environment variable that names a server to use instead of a private one. Its login must be allowed to create databases and roles.</summary>
    public const string ConnectionStringVariable = "EVENTSOURCED_TEST_POSTGRES";

    private protected const string EmptyTemplate = "template0";

    private const string NoServer =
        "No PostgreSQL for the tests: set " + ConnectionStringVariable
        + " to a connection string whose login may create databases and roles, or install PostgreSQL 15 or newer (initdb and postgres), or start Docker.";

    private protected static readonly TimeSpan StartTimeout = TimeSpan.FromSeconds(90);

    /// <summary>The connection string of an administrator, on the database <c>postgres</c> or the one that the variable named.</summary>
    public abstract string AdminConnectionString { get; }

    /// <summary>Whether this object owns the server's process, so that <see cref="KillAsync"/>, <see cref="StopAsync"/> and <see cref="RestartAsync"/> work.</summary>
    public abstract bool CanBeKilled { get; }

    /// <summary>Finds or makes a server and waits until it takes connections.</summary>
    /// <param name="settings">Server settings on top of the defaults, e.g. <c>shared_buffers = 1GB</c>; a server that exists already ignores them.</param>
    /// <exception cref="InvalidOperationException">There is no way to a server on this machine, or it did not come up in time.</exception>
    public static async Task<PostgresServer> StartAsync(IReadOnlyDictionary<string, string>? settings = null)
    {
        if (Environment.GetEnvironmentVariable(ConnectionStringVariable) is { Length: > 0 } connectionString)
        {
            return await ExistingPostgres.ConnectAsync(connectionString).ConfigureAwait(false);
        }

        return await StartOwnAsync(settings).ConfigureAwait(false);
    }

    /// <summary>As <see cref="StartAsync"/>, but never the server of the environment variable: for tests that kill or stop it.</summary>
    /// <param name="settings">Server settings on top of the defaults.</param>
    /// <exception cref="InvalidOperationException">There is no way to a server on this machine, or it did not come up in time.</exception>
    public static async Task<PostgresServer> StartOwnAsync(IReadOnlyDictionary<string, string>? settings = null)
    {
        settings ??= new Dictionary<string, string>();
        if (OperatingSystem.IsLinux() && PrivatePostgres.FindPrograms() is { } programs)
        {
            return await PrivatePostgres.StartAsync(programs, settings).ConfigureAwait(false);
        }

        return await ContainerPostgres.TryStartAsync(settings).ConfigureAwait(false) ?? throw new InvalidOperationException(NoServer);
    }

    /// <summary>Makes a database (UTF8, locale C) and returns an administrator's connection string to it.</summary>
    /// <param name="name">Its name; without one, a fresh name that no other test has.</param>
    /// <param name="template">The database that it is a copy of; nobody is connected to that. Left out: it is empty.</param>
    public virtual async Task<string> CreateDatabaseAsync(string? name = null, string template = EmptyTemplate)
    {
        name ??= "t_" + RandomName();
        await ExecuteAsync($"create database {Quoted(name)} template {Quoted(template)} encoding 'UTF8' lc_collate 'C' lc_ctype 'C'").ConfigureAwait(false);
        return new NpgsqlConnectionStringBuilder(AdminConnectionString) { Database = name }.ConnectionString;
    }

    /// <summary>Ends the server and all its backends at once (kill -9): what the disk holds is what the log must live with.</summary>
    /// <exception cref="InvalidOperationException">The server is not this object's own.</exception>
    public abstract Task KillAsync();

    /// <summary>Stops the server in good order; open sessions are ended.</summary>
    /// <exception cref="InvalidOperationException">The server is not this object's own.</exception>
    public abstract Task StopAsync();

    /// <summary>Starts the server again on the same data and port, after <see cref="KillAsync"/> or <see cref="StopAsync"/>; when it still runs, it is stopped first.</summary>
    /// <exception cref="InvalidOperationException">The server is not this object's own, or it did not come up in time.</exception>
    public abstract Task RestartAsync();

    /// <inheritdoc/>
    public abstract ValueTask DisposeAsync();

    private protected async Task ExecuteAsync(string sql)
    {
        var connection = new NpgsqlConnection(new NpgsqlConnectionStringBuilder(AdminConnectionString) { Pooling = false }.ConnectionString);
        await using (connection.ConfigureAwait(false))
        {
            await connection.OpenAsync().ConfigureAwait(false);
            using var command = new NpgsqlCommand(sql, connection);
            await command.ExecuteNonQueryAsync().ConfigureAwait(false);
        }
    }

    private protected static string RandomName() => RandomNumberGenerator.GetHexString(16, lowercase: true);

    private protected static string Quoted(string name) => '"' + name.Replace("\"", "\"\"", StringComparison.Ordinal) + '"';
}
