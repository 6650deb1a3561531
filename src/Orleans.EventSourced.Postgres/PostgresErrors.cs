using System.Net.Sockets;
using Npgsql;
using Orleans.EventSourced.Core.Log;

namespace Orleans.EventSourced.Postgres;

/// <summary>
/// The only place that reads an error of PostgreSQL: SQLSTATE in, one of the log's exceptions out. Never the text of a message.
/// </summary>
internal static class PostgresErrors
{
    /// <summary>An error while getting a connection: nothing was sent, so nothing was written.</summary>
    public static LogException OnConnect(Exception e) => e switch
    {
        PostgresException { SqlState: "28P01" or "28000" or "3D000" or "42704" or "42501" or "22023" } p =>
            new LogMisconfiguredException($"PostgreSQL refuses the connection: {p.SqlState} {p.MessageText}", p),
        _ => new LogUnavailableException("PostgreSQL cannot be reached or has no connection free; nothing was written.", e),
    };

    /// <summary>An error after an append was sent.</summary>
    public static LogException OnAppend(Exception e) => e switch
    {
        PostgresException { SqlState: "23505", ConstraintName: "events_pkey" or "events_id_key" or "streams_name_key" } p =>
            new LogRaceException("Another writer wrote the same version or event id at the same time; this batch was rolled back.", p),
        PostgresException { SqlState: "ES002" or "ES003" } p => new LogRequestRefusedException(p.MessageText, p),
        PostgresException p when p.SqlState == "23505" || p.SqlState.StartsWith("42", StringComparison.Ordinal) =>
            new LogMisconfiguredException($"PostgreSQL does not let this login append to the log this program expects ({p.SqlState} {p.MessageText}); the batch was rolled back. Were its migrations run?", p),
        PostgresException p when IsSureNo(p.SqlState) => new LogUnavailableException($"PostgreSQL could not write the batch now ({p.SqlState}); it was rolled back.", p),
        PostgresException p when IsDeterministic(p.SqlState) => new LogRequestRefusedException($"PostgreSQL refuses the batch ({p.SqlState} {p.MessageText}); it was rolled back.", p),
        _ => new LogOutcomeUnknownException("The reply of PostgreSQL to an append was lost.", e),
    };

    /// <summary>An error of a read: nothing was to be written.</summary>
    public static LogException OnRead(Exception e) => e switch
    {
        InvalidOperationException { InnerException: { } inner } => OnRead(inner),
        PostgresException p when p.SqlState.StartsWith("42", StringComparison.Ordinal) =>
            new LogMisconfiguredException($"PostgreSQL does not hold the log this program expects ({p.SqlState} {p.MessageText}); were its migrations run?", p),
        PostgresException { SqlState: "XX001" or "XX002" } p =>
            new LogMisconfiguredException($"PostgreSQL finds the log's tables damaged ({p.SqlState} {p.MessageText}). Restore them from a backup.", p),
        _ => new LogUnavailableException("PostgreSQL could not answer a read.", e),
    };

    /// <summary>An error while tables of views are dropped or change hands: it was rolled back, or its reply was lost.</summary>
    public static LogException OnDrop(Exception e) => e switch
    {
        PostgresException { SqlState: "2BP01" } p => new LogRequestRefusedException($"PostgreSQL drops no table that something else hangs on ({p.SqlState} {p.MessageText}).", p),
        _ => OnRead(e),
    };

    /// <summary>Whether a table that a statement names is not there.</summary>
    public static bool IsMissingTable(PostgresException e) => e.SqlState == "42P01";

    /// <summary>Whether an exception is the database's or the network's, and not a fault of this program.</summary>
    /// <remarks>EF Core wraps what may pass, such as a lost connection, into an <see cref="InvalidOperationException"/> that advises a retry.</remarks>
    public static bool IsStoreError(Exception e) =>
        e is NpgsqlException or SocketException or IOException or TimeoutException or OperationCanceledException or InvalidOperationException { InnerException: NpgsqlException or SocketException or TimeoutException };

    private static bool IsSureNo(string state) =>
        state is "40001" or "40P01" or "55P03" or "57P03" or "58000" or "58030" || state.StartsWith("53", StringComparison.Ordinal)
        || state.StartsWith("25", StringComparison.Ordinal);

    private static bool IsDeterministic(string state) =>
        state.StartsWith("22", StringComparison.Ordinal) || state.StartsWith("23", StringComparison.Ordinal)
        || state.StartsWith("54", StringComparison.Ordinal) || state.StartsWith("0A", StringComparison.Ordinal);
}
