using Orleans.EventSourced.Core.Events;

namespace Orleans.EventSourced.Core.Log;

/// <summary>
/// An event that a follower of the log has seen, kept with its checkpoint, by which it knows the log again. A log that went back, as from a backup or by a failover to a replica that lagged, and grew
/// again since has another event there: even where a client sent the same command again, it was recorded at another time.
/// </summary>
/// <param name="Position">Where it is.</param>
/// <param name="Event">Its id.</param>
/// <param name="RecordedAt">The time of its commit.</param>
public sealed record LogMark(LogPosition Position, EventId Event, DateTimeOffset RecordedAt)
{
    /// <summary>The mark of an event.</summary>
    public static LogMark Of(RecordedEvent e)
    {
        ArgumentNullException.ThrowIfNull(e);
        return new LogMark(e.Position, e.Id, e.RecordedAt);
    }
}
