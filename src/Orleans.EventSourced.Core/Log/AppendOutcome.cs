namespace Orleans.EventSourced.Core.Log;

/// <summary>What became of one append request. Every case is an expected answer; broken or unavailable is a <see cref="LogException"/>.</summary>
public abstract record AppendOutcome
{
    private AppendOutcome()
    {
    }

    /// <summary>The events are in the log, durably.</summary>
    /// <param name="Version">The version of the request's last event.</param>
    /// <param name="Position">The position of the request's last event; its events stand side by side.</param>
    /// <param name="RecordedAt">The time of the commit.</param>
    public sealed record Appended(StreamVersion Version, LogPosition Position, DateTimeOffset RecordedAt) : AppendOutcome;

    /// <summary>The stream is not at the expected version. Nothing was written.</summary>
    /// <param name="Actual">The version of the stream's last event.</param>
    public sealed record Conflict(StreamVersion Actual) : AppendOutcome;

    /// <summary>Exactly this request was written before; here is the first answer. Nothing was written now.</summary>
    /// <param name="Version">The version of the request's last event.</param>
    /// <param name="Position">The position of the request's last event.</param>
    /// <param name="RecordedAt">The time of its commit.</param>
    public sealed record Duplicate(StreamVersion Version, LogPosition Position, DateTimeOffset RecordedAt) : AppendOutcome;

    /// <summary>
    /// Some of the event ids are in the log, but not as exactly this request: fewer or more events, another stream, or another content.
    /// Deterministic: sending it again gives the same answer. Nothing was written.
    /// </summary>
    public sealed record IdReused : AppendOutcome;

    /// <summary>
    /// Not tried, because an earlier request of the same batch is for the same stream. Send it again in a later batch. Group commit
    /// never lets its callers see this.
    /// </summary>
    public sealed record Deferred : AppendOutcome;
}
