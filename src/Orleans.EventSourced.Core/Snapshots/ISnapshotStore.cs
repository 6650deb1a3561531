using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.Log;

namespace Orleans.EventSourced.Core.Snapshots;

/// <summary>A state kept so that a long stream need not be folded from its beginning. Derived data: it may be dropped at any time.</summary>
/// <param name="LogId">The log whose events were folded: <see cref="LogHead.LogId"/>.</param>
/// <param name="Stream">Whose state.</param>
/// <param name="Version">The last event folded into it; 1 or more.</param>
/// <param name="Position">The position of that event.</param>
/// <param name="EventId">The id of that event. A log that was restored from a backup may hold another event at the same version and position: the state is not of that log.</param>
/// <param name="FoldVersion">The version of the fold that made it; another fold does not read it.</param>
/// <param name="State">The state as JSON in UTF-8.</param>
public sealed record Snapshot(Guid LogId, StreamId Stream, StreamVersion Version, LogPosition Position, EventId EventId, int FoldVersion, ReadOnlyMemory<byte> State);

/// <summary>Keeps snapshots, several a stream. Safe for concurrent use.</summary>
public interface ISnapshotStore
{
    /// <summary>The most snapshots kept of a stream by one fold: as its state was lately, for time travel, and a bound on what slow loads add.</summary>
    const int MaxPerStream = 32;

    /// <summary>The newest snapshot of a stream of this log made by this fold, at or before <paramref name="upTo"/> (null: of all); null when there is none.</summary>
    /// <exception cref="LogUnavailableException">The store could not answer.</exception>
    Task<Snapshot?> ReadLatestAsync(Guid logId, StreamId stream, int foldVersion, StreamVersion? upTo, CancellationToken cancellationToken);

    /// <summary>
    /// Keeps a snapshot; one that is there already for (log, stream, version, fold version) stays as it is. Of more than <see cref="MaxPerStream"/> the oldest versions are dropped.
    /// </summary>
    /// <exception cref="LogUnavailableException">The store could not answer; the snapshot may or may not have been kept.</exception>
    Task WriteAsync(Snapshot snapshot, CancellationToken cancellationToken);

    /// <summary>Drops every snapshot of a stream of this log made by this fold.</summary>
    /// <exception cref="LogUnavailableException">The store could not answer; they may or may not be there.</exception>
    Task DeleteAsync(Guid logId, StreamId stream, int foldVersion, CancellationToken cancellationToken);

    /// <summary>
    /// The snapshots of all streams, folds and logs as they are stored, a page of them, by log, stream, fold version and version: for whoever checks them. What is written meanwhile may be among them.
    /// </summary>
    /// <param name="after">The last row of the page before; null: begin.</param>
    /// <param name="limit">The most rows, 1 or more; a state may have megabytes.</param>
    /// <param name="cancellationToken">Ends the read.</param>
    /// <exception cref="LogUnavailableException">The store could not answer.</exception>
    Task<IReadOnlyList<SnapshotRow>> ListAsync(SnapshotRow? after, int limit, CancellationToken cancellationToken);
}
