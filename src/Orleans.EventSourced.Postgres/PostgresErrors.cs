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
        PostgresException p when FateOf(p.SqlState) == Fate.Misconfigured =>
            new LogMisconfiguredException($"PostgreSQL does not let this login append to the log this program expects ({p.SqlState} {p.MessageText}); the batch was rolled back. Were its migrations run?", p),
        PostgresException p when FateOf(p.SqlState) == Fate.NotNow => new LogUnavailableException($"PostgreSQL could not write the batch now ({p.SqlState}); it was rolled back.", p),
        PostgresException p when FateOf(p.SqlState) == Fate.Refused => new LogRequestRefusedException($"PostgreSQL refuses the batch ({p.SqlState} {p.MessageText}); it was rolled back.", p),
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
        PostgresException { SqlState: "ES004" } p => new LogMisconfiguredException($"A checkpoint stays where it is ({p.MessageText}).", p),
        _ => new LogUnavailableException("PostgreSQL could not answer a read.", e),
    };

    /// <summary>An error while tables of views are dropped or change hands: it was rolled back, or its reply was lost.</summary>
    public static LogException OnDrop(Exception e) => e switch
    {
        PostgresException { SqlState: "2BP01" } p => new LogRequestRefusedException($"PostgreSQL drops no table that something else hangs on ({p.SqlState} {p.MessageText}).", p),
        _ => OnRead(e),
    };

    /// <summary>Whether the short way into the log was refused, and surely rolled back, because an event does not come next in its stream: its place or its id is taken, or what it goes behind is not there.</summary>
    public static bool IsNotNext(PostgresException e) => e.SqlState is "23505" or "ES005";

    /// <summary>Whether a table that a statement names is not there.</summary>
    public static bool IsMissingTable(PostgresException e) => e.SqlState == "42P01";

    /// <summary>Whether an exception is the database's or the network's, and not a fault of this program.</summary>
    /// <remarks>EF Core wraps what may pass, such as a lost connection, into an <see cref="InvalidOperationException"/> that advises a retry.</remarks>
    public static bool IsStoreError(Exception e) =>
        e is NpgsqlException or SocketException or IOException or TimeoutException or OperationCanceledException or InvalidOperationException { InnerException: NpgsqlException or SocketException or TimeoutException };

    /// <summary>
    /// What an error says of the append that met it, by the classes of PostgreSQL's appendix A. An error that a statement raises rolls its transaction back, and es.append raises none behind its own
    /// commit; but the server itself may report there that it ends the session (25P03, 25P04, 57P01, 57P02, 57P05), that it was interrupted (57014), that it lacks memory or files for the reply (53,
    /// 58), or that it does not know itself (08, 40003, XX). Of 53 a full disk (53100) and no connection free (53300) come before the commit alone. What is not named here is unknown, too
    /// (docs/decisions/0033).
    /// </summary>
    private static Fate FateOf(string state) => state switch
    {
        "23505" => Fate.Misconfigured,
        "25P03" or "25P04" or "40003" => Fate.Unknown,
        "53100" or "53300" or "57P03" => Fate.NotNow,
        _ => state[..2] switch
        {
            "25" or "40" or "55" or "72" => Fate.NotNow,
            "0A" or "20" or "21" or "22" or "23" or "2F" or "38" or "39" or "44" or "54" or "P0" => Fate.Refused,
            "03" or "09" or "0B" or "0F" or "0L" or "0P" or "0Z" or "24" or "26" or "27" or "28" or "2B" or "2D" or "34" or "3B" or "3D" or "3F" or "42" or "F0" or "HV" => Fate.Misconfigured,
            _ => Fate.Unknown,
        },
    };

    private enum Fate
    {
        /// <summary>Rolled back; later it may go.</summary>
        NotNow,

        /// <summary>Rolled back; the same content meets the same error.</summary>
        Refused,

        /// <summary>Rolled back; no content would go before somebody mends the set-up.</summary>
        Misconfigured,

        /// <summary>Written or not.</summary>
        Unknown,
    }
}
