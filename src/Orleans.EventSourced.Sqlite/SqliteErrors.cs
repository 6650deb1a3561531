using Microsoft.Data.Sqlite;
using Orleans.EventSourced.Core.Log;

namespace Orleans.EventSourced.Sqlite;

/// <summary>The only place that reads an error of SQLite: result code in, one of the log's exceptions out. Never the text of a message.</summary>
internal static class SqliteErrors
{
    private const int Busy = 5;
    private const int Locked = 6;
    private const int NoMemory = 7;
    private const int ReadOnly = 8;
    private const int IoError = 10;
    private const int Corrupt = 11;
    private const int Full = 13;
    private const int CannotOpen = 14;
    private const int TooBig = 18;
    private const int Constraint = 19;
    private const int Mismatch = 20;
    private const int NotADatabase = 26;
    private const int ConstraintUnique = 2067;
    private const int ConstraintPrimaryKey = 1555;

    /// <summary>An error before the commit: the transaction was rolled back.</summary>
    public static LogException BeforeCommit(SqliteException e) => e.SqliteErrorCode switch
    {
        Constraint when e.SqliteExtendedErrorCode is ConstraintUnique or ConstraintPrimaryKey => new LogRaceException("Another writer wrote the same version or event id at the same time; this batch was rolled back.", e),
        Constraint or TooBig or Mismatch => new LogRequestRefusedException($"SQLite refuses the batch ({e.SqliteErrorCode}/{e.SqliteExtendedErrorCode} {e.Message}); it was rolled back.", e),
        _ => OnRead(e),
    };

    /// <summary>An error of the commit itself. Only where SQLite says that the disk is full or busy is it surely not written.</summary>
    public static LogException OnCommit(SqliteException e) => e.SqliteErrorCode is Busy or Locked or Full
        ? new LogUnavailableException($"SQLite could not commit the batch ({e.SqliteErrorCode}); it was rolled back.", e)
        : new LogOutcomeUnknownException("SQLite failed while it committed a batch.", e);

    /// <summary>An error of the commit of what is derived from the log: whoever wrote it looks what is there, and derives the rest again.</summary>
    public static LogException OnDerivedCommit(SqliteException e) => new LogUnavailableException($"SQLite failed while it committed ({e.SqliteErrorCode} {e.Message}); written or not.", e);

    /// <summary>Whether the file itself is no database, or not whole.</summary>
    public static bool IsDamage(SqliteException e) => e.SqliteErrorCode is Corrupt or NotADatabase;

    /// <summary>An error of a read, or of a write that was rolled back.</summary>
    public static LogException OnRead(SqliteException e) => e.SqliteErrorCode switch
    {
        _ when IsDamage(e) => new LogMisconfiguredException($"The file is no SQLite database, or is damaged ({e.SqliteErrorCode} {e.Message}). Restore it from a backup.", e),
        Busy or Locked or NoMemory or ReadOnly or IoError or Full or CannotOpen => new LogUnavailableException($"SQLite cannot use its file now ({e.SqliteErrorCode} {e.Message}); nothing was written.", e),
        _ => new LogMisconfiguredException($"SQLite does not hold the log this program expects ({e.SqliteErrorCode} {e.Message}).", e),
    };
}
