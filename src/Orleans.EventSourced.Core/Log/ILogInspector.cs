namespace Orleans.EventSourced.Core.Log;

/// <summary>
/// The raw rows of a log's tables, for whoever checks them: nothing is taken for granted of what stands in them, and nothing is refused for it. Each reading is page by page, each page of one moment; no
/// transaction stays open over pages, so that writers go on. What was appended meanwhile may be among the rows. Safe for concurrent use.
/// </summary>
public interface ILogInspector
{
    /// <summary>The rows of table <c>log</c>: there should be one.</summary>
    /// <exception cref="LogUnavailableException">The store could not answer.</exception>
    /// <exception cref="LogMisconfiguredException">The store cannot read the table, or does not have it as this program expects.</exception>
    Task<IReadOnlyList<LogRow>> ReadLogRowsAsync(CancellationToken cancellationToken);

    /// <summary>The rows of table <c>commits</c> by position, each with the events that carry its number.</summary>
    /// <exception cref="LogUnavailableException">The store could not answer.</exception>
    /// <exception cref="LogMisconfiguredException">The store cannot read a table, or does not have it as this program expects.</exception>
    IAsyncEnumerable<CommitRow> ReadCommitRowsAsync(CancellationToken cancellationToken);

    /// <summary>The rows of table <c>streams</c> by number.</summary>
    /// <exception cref="LogUnavailableException">The store could not answer.</exception>
    /// <exception cref="LogMisconfiguredException">The store cannot read the table, or does not have it as this program expects.</exception>
    IAsyncEnumerable<StreamRow> ReadStreamRowsAsync(CancellationToken cancellationToken);

    /// <summary>What the rows of table <c>events</c> say of their places, by number of stream and version.</summary>
    /// <exception cref="LogUnavailableException">The store could not answer.</exception>
    /// <exception cref="LogMisconfiguredException">The store cannot read a table, or does not have it as this program expects.</exception>
    IAsyncEnumerable<EventPlace> ReadEventPlacesAsync(CancellationToken cancellationToken);
}

/// <summary>A row of table <c>log</c>.</summary>
/// <param name="OnlyRow">1.</param>
/// <param name="LogId">The log's identity, 16 bytes, big-endian.</param>
/// <param name="CreatedAt">Microseconds since 1970-01-01 UTC.</param>
/// <param name="Seal"><see cref="RowSeal.OfLog"/>.</param>
public sealed record LogRow(long OnlyRow, ReadOnlyMemory<byte> LogId, long CreatedAt, ReadOnlyMemory<byte> Seal);

/// <summary>A row of table <c>streams</c>.</summary>
/// <param name="Id">Its number.</param>
/// <param name="Name">Its name in UTF-8.</param>
/// <param name="Type">Its type in UTF-8.</param>
/// <param name="CreatedAt">Microseconds since 1970-01-01 UTC.</param>
/// <param name="IsTouched">Whether the column that is never written is.</param>
/// <param name="Seal"><see cref="RowSeal.OfStream(long, string, long)"/>.</param>
public sealed record StreamRow(long Id, ReadOnlyMemory<byte> Name, ReadOnlyMemory<byte> Type, long CreatedAt, bool IsTouched, ReadOnlyMemory<byte> Seal);

/// <summary>A row of table <c>commits</c>.</summary>
/// <param name="Position">The position of its first event.</param>
/// <param name="Id">Its number.</param>
/// <param name="Count">How many events it has.</param>
/// <param name="RecordedAt">Microseconds since 1970-01-01 UTC.</param>
/// <param name="Link">Its link, 32 bytes.</param>
/// <param name="Marks">The first <see cref="HashLink.MarkBytes"/> bytes of each event's digest, in order; null: it is from before there were any.</param>
/// <param name="Events">The events with its number, by ordinal.</param>
public sealed record CommitRow(long Position, long Id, long Count, long RecordedAt, ReadOnlyMemory<byte> Link, ReadOnlyMemory<byte>? Marks, IReadOnlyList<EventRow> Events);

/// <summary>A row of table <c>events</c>, but for the number of its commit.</summary>
/// <param name="StreamId">The number of its stream.</param>
/// <param name="Stream">The name of that stream in UTF-8; null: there is none with the number.</param>
/// <param name="Version">Its version.</param>
/// <param name="Ordinal">Its number in the commit, from 0.</param>
/// <param name="Id">Its id, 16 bytes, big-endian.</param>
/// <param name="Type">Its type in UTF-8.</param>
/// <param name="Schema">The version of the payload's shape.</param>
/// <param name="Data">The payload.</param>
/// <param name="Metadata">The envelope.</param>
public sealed record EventRow(
    long StreamId, ReadOnlyMemory<byte>? Stream, long Version, long Ordinal, ReadOnlyMemory<byte> Id, ReadOnlyMemory<byte> Type, long Schema, ReadOnlyMemory<byte> Data, ReadOnlyMemory<byte> Metadata);

/// <summary>Where an event stands.</summary>
/// <param name="StreamId">The number of its stream.</param>
/// <param name="Version">Its version.</param>
/// <param name="CommitId">The number of its commit.</param>
/// <param name="Ordinal">Its number in the commit.</param>
/// <param name="CommitPosition">The position of its commit's first event; null: there is no commit with the number.</param>
public readonly record struct EventPlace(long StreamId, long Version, long CommitId, long Ordinal, long? CommitPosition);
