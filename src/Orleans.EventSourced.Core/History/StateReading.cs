using Orleans.EventSourced.Core.Log;

namespace Orleans.EventSourced.Core.History;

/// <summary>The state of an entity as it was.</summary>
/// <param name="Stream">Whose.</param>
/// <param name="Version">The last event folded into it; 0: none.</param>
/// <param name="Position">Where that event is in the log.</param>
/// <param name="RecordedAt">When it was recorded; null: there is none.</param>
/// <param name="State">The state.</param>
/// <param name="IsFinal">Whether it stays the answer: not where a time was asked for behind which no commit is there yet, so that one may still be recorded at or before it.</param>
public sealed record StateReading(StreamId Stream, StreamVersion Version, LogPosition Position, DateTimeOffset? RecordedAt, object State, bool IsFinal)
{
    /// <summary>How many events were folded for it, behind a snapshot where there was one.</summary>
    public int Folded { get; init; }
}
