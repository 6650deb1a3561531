using Orleans.EventSourced.Core.Log;

namespace Orleans.EventSourced.Core.Snapshots;

/// <summary>Snapshots in the memory of one process, for tests. Safe for concurrent use.</summary>
public sealed class InMemorySnapshotStore : ISnapshotStore
{
    private readonly Lock _gate = new();
    private readonly Dictionary<(StreamId Stream, int FoldVersion), SortedList<StreamVersion, Snapshot>> _snapshots = [];

    /// <inheritdoc/>
    public Task<Snapshot?> ReadLatestAsync(StreamId stream, int foldVersion, StreamVersion? upTo, CancellationToken cancellationToken)
    {
        lock (_gate)
        {
            return Task.FromResult(_snapshots.TryGetValue((stream, foldVersion), out var kept)
                ? kept.Values.LastOrDefault(s => upTo is null || s.Version <= upTo)
                : null);
        }
    }

    /// <inheritdoc/>
    public Task WriteAsync(Snapshot snapshot, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(snapshot);
        lock (_gate)
        {
            if (!_snapshots.TryGetValue((snapshot.Stream, snapshot.FoldVersion), out var kept))
            {
                _snapshots.Add((snapshot.Stream, snapshot.FoldVersion), kept = []);
            }

            kept.TryAdd(snapshot.Version, snapshot);
            return Task.CompletedTask;
        }
    }
}
