using Orleans.EventSourced.Core.Log;

namespace Orleans.EventSourced.Core.Events;

/// <summary>A fact as the log holds it.</summary>
/// <param name="Position">Its place in the order of the whole log.</param>
/// <param name="Stream">The entity it happened to.</param>
/// <param name="Version">Its place in that stream.</param>
/// <param name="Id">Its identity.</param>
/// <param name="Type">The registered name of its type.</param>
/// <param name="Schema">The version of the payload's shape as it was written; upcasters bring it up to date.</param>
/// <param name="Data">The payload, the exact JSON written, UTF-8.</param>
/// <param name="Metadata">The envelope, the exact JSON written, UTF-8.</param>
/// <param name="RecordedAt">When its commit was made, by the store's clock, in UTC with microseconds; never runs backward along positions.</param>
public sealed record RecordedEvent(
    LogPosition Position,
    StreamId Stream,
    StreamVersion Version,
    EventId Id,
    string Type,
    short Schema,
    ReadOnlyMemory<byte> Data,
    ReadOnlyMemory<byte> Metadata,
    DateTimeOffset RecordedAt)
{
    /// <summary>The bytes of payload and envelope together.</summary>
    public int Bytes => Data.Length + Metadata.Length;
}
