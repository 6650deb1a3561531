namespace Orleans.EventSourced.Core.Snapshots;

/// <summary>A snapshot as it is stored, whatever stands in it; <see cref="Snapshot"/> says what should.</summary>
/// <param name="LogId">The log whose events were folded.</param>
/// <param name="Stream">Whose state.</param>
/// <param name="FoldVersion">The version of the fold that made it.</param>
/// <param name="Version">The last event folded into it.</param>
/// <param name="Position">The position of that event.</param>
/// <param name="EventId">The id of that event.</param>
/// <param name="State">The state as JSON in UTF-8.</param>
public sealed record SnapshotRow(Guid LogId, string Stream, int FoldVersion, int Version, long Position, Guid EventId, ReadOnlyMemory<byte> State);
