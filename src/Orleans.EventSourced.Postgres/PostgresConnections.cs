using System.Globalization;
using System.Net;
using Npgsql;

namespace Orleans.EventSourced.Postgres;

/// <summary>
/// The pool of the log. Role and settings travel in the connection's options, because a SET would be lost when the driver resets a connection,
/// and because no session may differ in durability or isolation. No connection joins a transaction that a caller has open: what the log acknowledges is committed.
/// </summary>
internal static class PostgresConnections
{
    /// <param name="options">Where the log is.</param>
    /// <param name="forHistory">For questions to the past, which have a pool of their own.</param>
    public static NpgsqlDataSource Create(PostgresOptions options, bool forHistory = false)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(options.ConnectionString);
        var given = new NpgsqlConnectionStringBuilder(options.ConnectionString);
        var settings = string.Join(
            ' ',
            "-c role=es_writer",
            "-c synchronous_commit=on",
            @"-c default_transaction_isolation=read\ committed",
            "-c search_path=pg_catalog,pg_temp",
            "-c jit=off",
            "-c max_parallel_workers_per_gather=0",
            "-c enable_seqscan=off",
            Milliseconds("lock_timeout", options.LockTimeout),
            Milliseconds("idle_in_transaction_session_timeout", options.CommandTimeout),
            Milliseconds("statement_timeout", options.CommandTimeout));
        var connection = new NpgsqlConnectionStringBuilder(options.ConnectionString)
        {
            Options = string.IsNullOrEmpty(given.Options) ? settings : given.Options + " " + settings,
            Timeout = (int)Math.Ceiling(options.ConnectTimeout.TotalSeconds),
            CommandTimeout = (int)Math.Ceiling(options.CommandTimeout.TotalSeconds) + 1,
            MaxPoolSize = forHistory ? options.MaxHistoryConnections : options.MaxConnections,
            MaxAutoPrepare = 32,
            AutoPrepareMinUsages = 2,
            NoResetOnClose = true,
            Enlist = false,
            TcpKeepAlive = true,
            TcpKeepAliveTime = 10,
            TcpKeepAliveInterval = 5,
            IncludeErrorDetail = false,
            ApplicationName = given.ApplicationName ?? "Orleans.EventSourced",
        };
        return NpgsqlDataSource.Create(connection);
    }

    /// <summary>Whether a server is on another machine and shows no certificate that is verified. Sockets of the file system and loopback addresses stay on this one.</summary>
    public static bool IsExposed(PostgresOptions options)
    {
        var given = new NpgsqlConnectionStringBuilder(options.ConnectionString);
        return given.SslMode is not (SslMode.VerifyCA or SslMode.VerifyFull)
            && (given.Host ?? "").Split(',', StringSplitOptions.TrimEntries).Any(host => !IsHere(host));
    }

    private static bool IsHere(string host)
    {
        // A host of a list may bring its port: 127.0.0.1:5432, localhost:5432, [::1]:5432.
        var name = Uri.TryCreate($"tcp://{host}", UriKind.Absolute, out var uri) ? uri.DnsSafeHost : host;
        return host.StartsWith('/') || host.StartsWith('@') || name.Equals("localhost", StringComparison.OrdinalIgnoreCase)
            || ((IPAddress.TryParse(host, out var address) || IPAddress.TryParse(name, out address)) && IPAddress.IsLoopback(address));
    }

    private static string Milliseconds(string name, TimeSpan value) => string.Create(CultureInfo.InvariantCulture, $"-c {name}={(long)value.TotalMilliseconds}ms");
}
