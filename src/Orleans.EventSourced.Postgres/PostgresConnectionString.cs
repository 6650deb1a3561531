using Npgsql;

namespace Orleans.EventSourced.Postgres;

/// <summary>Connection strings for others that use the same database.</summary>
public static class PostgresConnectionString
{
    /// <summary>For Orleans' AdoNet providers: the same login, as the writer role, on the schema <c>orleans</c>.</summary>
    public static string ForOrleans(PostgresOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        var given = new NpgsqlConnectionStringBuilder(options.ConnectionString);
        given.SearchPath = "orleans";
        given.Options = $@"{given.Options} -c role=es_writer -c default_transaction_isolation=read\ committed".Trim();
        given.Timeout = (int)Math.Ceiling(options.ConnectTimeout.TotalSeconds);
        given.CommandTimeout = (int)Math.Ceiling(options.CommandTimeout.TotalSeconds);
        given.NoResetOnClose = true;
        given.ApplicationName ??= "Orleans.EventSourced cluster";
        return given.ConnectionString;
    }
}
