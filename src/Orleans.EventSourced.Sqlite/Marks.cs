using Microsoft.Data.Sqlite;
using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.Log;

namespace Orleans.EventSourced.Sqlite;

/// <summary>A mark as three columns: position, event id, time.</summary>
internal static class Marks
{
    public static LogMark? Read(SqliteDataReader reader, int column) => reader.IsDBNull(column)
        ? null
        : new LogMark(new LogPosition(reader.GetInt64(column)), new EventId(new Guid(reader.GetFieldValue<byte[]>(column + 1), bigEndian: true)), HashLink.FromMicroseconds(reader.GetInt64(column + 2)));

    public static (string Name, object Value)[] Parameters(LogMark? mark) =>
    [
        ("$mark_position", mark is null ? DBNull.Value : mark.Position.Value),
        ("$mark_event", mark is null ? DBNull.Value : mark.Event.Value.ToByteArray(bigEndian: true)),
        ("$mark_at", mark is null ? DBNull.Value : HashLink.Microseconds(mark.RecordedAt)),
    ];
}
