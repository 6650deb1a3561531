using Orleans.EventSourced.Core.Log;

namespace Orleans.EventSourced.Core.Snapshots;

/// <summary>Snapshots in the memory of one process, for tests. Safe for concurrent use.</summary>
public sealed class InMemorySnapshotStore : ISnapshotStore
{
    private static readonly Comparer<SnapshotRow> ByKey = Comparer<SnapshotRow>.Create((a, b) =>
        a.LogId != b.LogId ? a.LogId.CompareTo(b.LogId)
        : a.Stream != b.Stream ? string.CompareOrdinal(a.Stream, b.Stream)
        : a.FoldVersion != b.FoldVersion ? a.FoldVersion.CompareTo(b.FoldVersion)
        : a.Version.CompareTo(b.Version));

    private readonly Lock _gate = new();
    private readonly Dictionary<(Guid LogId, StreamId Stream, int FoldVersion), SortedList<StreamVersion, Snapshot>> _snapshots = [];

    /// <inheritdoc/>
    public Task<Snapshot?> ReadLatestAsync(Guid logId, StreamId stream, int foldVersion, StreamVersion? upTo, CancellationToken cancellationToken)
    {
        lock (_gate)
        {
            return Task.FromResult(_snapshots.TryGetValue((logId, stream, foldVersion), out var kept)
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
            var key = (snapshot.LogId, snapshot.Stream, snapshot.FoldVersion);
            if (!_snapshots.TryGetValue(key, out var kept))
            {
                _snapshots.Add(key, kept = []);
            }

            kept.TryAdd(snapshot.Version, snapshot);
            if (kept.Count > ISnapshotStore.MaxPerStream)
            {
                kept.RemoveAt(0);
            }

            return Task.CompletedTask;
        }
    }

    /// <inheritdoc/>
    public Task DeleteAsync(Guid logId, StreamId stream, int foldVersion, CancellationToken cancellationToken)
    {
        lock (_gate)
        {
            _snapshots.Remove((logId, stream, foldVersion));
            return Task.CompletedTask;
        }
    }

    /// <inheritdoc/>
    public Task<IReadOnlyList<SnapshotRow>> ListAsync(SnapshotRow? after, int limit, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(limit, 1);
        lock (_gate)
        {
            return Task.FromResult<IReadOnlyList<SnapshotRow>>(
            [
                .. _snapshots.Values.SelectMany(kept => kept.Values)
                    .Select(s => new SnapshotRow(s.LogId, s.Stream.Value, s.FoldVersion, s.Version.Value, s.Position.Value, s.EventId.Value, s.State))
                    .Order(ByKey)
                    .Where(row => after is null || ByKey.Compare(row, after) > 0)
                    .Take(limit),
            ]);
        }
    }
}
