using Orleans.EventSourced.Core.Log;

namespace Orleans.EventSourced.Core.Projections;

/// <summary>The table of a view in the memory of one process, for tests and models. Safe for concurrent use.</summary>
/// <typeparam name="TRow">The class of a row.</typeparam>
public sealed class InMemoryViewTable<TRow> : IViewTable<TRow>
    where TRow : class
{
    private readonly Lock _gate = new();
    private readonly Dictionary<string, (TRow Row, LogPosition Position)> _rows = new(StringComparer.Ordinal);
    private readonly Dictionary<string, LogPosition> _tombstones = new(StringComparer.Ordinal);
    private readonly Dictionary<(int Slice, StreamId Stream), ViewRoute> _routes = [];
    private readonly Dictionary<Slice, LogPosition> _checkpoints = [];

    /// <summary>The rows by key, as they are now, with the position of the last event folded into each.</summary>
    public IReadOnlyDictionary<string, (TRow Row, LogPosition Position)> Rows
    {
        get
        {
            lock (_gate)
            {
                return new Dictionary<string, (TRow, LogPosition)>(_rows, StringComparer.Ordinal);
            }
        }
    }

    /// <summary>The keys of deleted rows, each with the position of the event that deleted it.</summary>
    public IReadOnlyDictionary<string, LogPosition> Tombstones
    {
        get
        {
            lock (_gate)
            {
                return new Dictionary<string, LogPosition>(_tombstones, StringComparer.Ordinal);
            }
        }
    }

    /// <summary>How many routes all slices keep together.</summary>
    public int Routes
    {
        get
        {
            lock (_gate)
            {
                return _routes.Count;
            }
        }
    }

    /// <inheritdoc/>
    public Task<LogPosition> OpenAsync(Slice slice, CancellationToken cancellationToken)
    {
        lock (_gate)
        {
            if (_checkpoints.Keys.FirstOrDefault(s => s.Count != slice.Count) is { Count: > 1 } other)
            {
                throw new LogMisconfiguredException($"The view is divided into {other.Count} slices, not into {slice.Count}.");
            }

            _checkpoints.TryAdd(slice, LogPosition.Start);
            return Task.FromResult(_checkpoints[slice]);
        }
    }

    /// <inheritdoc/>
    public Task<IReadOnlyDictionary<string, TRow>> ReadRowsAsync(IReadOnlyCollection<string> keys, CancellationToken cancellationToken)
    {
        lock (_gate)
        {
            return Task.FromResult<IReadOnlyDictionary<string, TRow>>(keys.Where(_rows.ContainsKey).ToDictionary(k => k, k => _rows[k].Row, StringComparer.Ordinal));
        }
    }

    /// <inheritdoc/>
    public Task<IReadOnlyDictionary<StreamId, ViewRoute>> ReadRoutesAsync(Slice slice, IReadOnlyCollection<StreamId> streams, CancellationToken cancellationToken)
    {
        lock (_gate)
        {
            return Task.FromResult<IReadOnlyDictionary<StreamId, ViewRoute>>(streams.Where(s => _routes.ContainsKey((slice.Index, s))).ToDictionary(s => s, s => _routes[(slice.Index, s)]));
        }
    }

    /// <inheritdoc/>
    public Task<bool> CommitAsync(ViewCommit<TRow> commit, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(commit);
        lock (_gate)
        {
            if (!_checkpoints.TryGetValue(commit.Slice, out var checkpoint) || checkpoint != commit.Expected)
            {
                return Task.FromResult(false);
            }

            foreach (var (key, row, position) in commit.Rows)
            {
                if (row is null)
                {
                    _rows.Remove(key);
                    _tombstones[key] = position;
                }
                else
                {
                    _rows[key] = (row, position);
                    _tombstones.Remove(key);
                }
            }

            foreach (var (stream, route) in commit.Routes)
            {
                if (route is null)
                {
                    _routes.Remove((commit.Slice.Index, stream));
                }
                else
                {
                    _routes[(commit.Slice.Index, stream)] = route;
                }
            }

            _checkpoints[commit.Slice] = commit.Next;
            return Task.FromResult(true);
        }
    }
}
