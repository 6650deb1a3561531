using Orleans.EventSourced.Core.Log;

namespace Orleans.EventSourced.Core.Snapshots;

/// <summary>A state kept so that a long stream need not be folded from its beginning. Derived data: it may be dropped at any time.</summary>
/// <param name="Stream">Whose state.</param>
/// <param name="Version">The last event folded into it.</param>
/// <param name="Position">The position of that event.</param>
/// <param name="FoldVersion">The version of the fold that made it; another fold does not read it.</param>
/// <param name="State">The state as JSON in UTF-8.</param>
public sealed record Snapshot(StreamId Stream, StreamVersion Version, LogPosition Position, int FoldVersion, ReadOnlyMemory<byte> State);

/// <summary>Keeps snapshots, several a stream. Safe for concurrent use.</summary>
public interface ISnapshotStore
{
    /// <summary>The newest snapshot of a stream made by this fold, at or before <paramref name="upTo"/> (null: of all); null when there is none.</summary>
    /// <exception cref="LogUnavailableException">The store could not answer.</exception>
    Task<Snapshot?> ReadLatestAsync(StreamId stream, int foldVersion, StreamVersion? upTo, CancellationToken cancellationToken);

    /// <summary>Keeps a snapshot; one that is there already for (stream, version, fold version) stays as it is.</summary>
    /// <exception cref="LogUnavailableException">The store could not answer; the snapshot may or may not have been kept.</exception>
    Task WriteAsync(Snapshot snapshot, CancellationToken cancellationToken);
}
