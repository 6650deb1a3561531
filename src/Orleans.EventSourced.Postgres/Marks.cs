using Npgsql;
using NpgsqlTypes;
using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.Log;

namespace Orleans.EventSourced.Postgres;

/// <summary>A mark as three columns: position, event id, time.</summary>
internal static class Marks
{
    public static LogMark? Read(NpgsqlDataReader reader, int column) => reader.IsDBNull(column)
        ? null
        : new LogMark(new LogPosition(reader.GetInt64(column)), new EventId(reader.GetGuid(column + 1)), reader.GetFieldValue<DateTimeOffset>(column + 2));

    public static NpgsqlParameter[] Parameters(LogMark? mark) =>
    [
        new NpgsqlParameter { Value = mark is null ? DBNull.Value : mark.Position.Value, NpgsqlDbType = NpgsqlDbType.Bigint },
        new NpgsqlParameter { Value = mark is null ? DBNull.Value : mark.Event.Value, NpgsqlDbType = NpgsqlDbType.Uuid },
        new NpgsqlParameter { Value = mark is null ? DBNull.Value : mark.RecordedAt.ToUniversalTime(), NpgsqlDbType = NpgsqlDbType.TimestampTz },
    ];
}
