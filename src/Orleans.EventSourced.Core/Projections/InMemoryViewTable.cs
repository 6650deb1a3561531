using Orleans.EventSourced.Core.Log;

namespace Orleans.EventSourced.Core.Projections;

/// <summary>What a store needs of its tables, whatever their rows are.</summary>
internal interface IInMemoryViewTable
{
    IReadOnlyDictionary<string, string> KeptColumns { get; }

    IReadOnlyDictionary<Slice, (LogPosition Position, DateTimeOffset MovedAt)> Checkpoints { get; }

    void Clear();
}

/// <summary>The table of a view in the memory of one process, for tests and models. Safe for concurrent use.</summary>
/// <typeparam name="TRow">The class of a row.</typeparam>
public sealed class InMemoryViewTable<TRow> : IViewTable<TRow>, IViewReader<TRow>, IInMemoryViewTable
    where TRow : class
{
    private readonly TimeProvider _time;
    private readonly Lock _gate;
    private readonly Action<IInMemoryViewTable> _opened;
    private readonly Dictionary<string, (TRow Row, LogPosition Position)> _rows = new(StringComparer.Ordinal);
    private readonly Dictionary<string, LogPosition> _tombstones = new(StringComparer.Ordinal);
    private readonly Dictionary<(int Slice, StreamId Stream), ViewRoute> _routes = [];
    private readonly Dictionary<Slice, (LogPosition Position, DateTimeOffset MovedAt)> _checkpoints = [];
    private readonly SortedDictionary<LogPosition, SkippedEvent> _skipped;

    /// <summary>A table that belongs to no store.</summary>
    public InMemoryViewTable()
        : this(TimeProvider.System, new Lock(), [], static _ => { })
    {
    }

    internal InMemoryViewTable(TimeProvider time, Lock gate, SortedDictionary<LogPosition, SkippedEvent> skipped, Action<IInMemoryViewTable> opened) =>
        (_time, _gate, _skipped, _opened) = (time, gate, skipped, opened);

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

    internal static IReadOnlyDictionary<string, string> Columns { get; } =
        ViewColumn.Of(typeof(TRow)).ToDictionary(c => c.Name, c => $"{c.Property.PropertyType}{(c.Scale is null ? "" : $" with {c.Scale} decimals")}{(c.IsNullable ? "" : " not null")}", StringComparer.Ordinal);

    IReadOnlyDictionary<string, string> IInMemoryViewTable.KeptColumns => Columns;

    IReadOnlyDictionary<Slice, (LogPosition Position, DateTimeOffset MovedAt)> IInMemoryViewTable.Checkpoints => _checkpoints;

    void IInMemoryViewTable.Clear()
    {
        _rows.Clear();
        _tombstones.Clear();
        _routes.Clear();
        _checkpoints.Clear();
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

            _checkpoints.TryAdd(slice, (LogPosition.Start, _time.GetUtcNow()));
            _opened(this);
            return Task.FromResult(_checkpoints[slice].Position);
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
    public Task<RowReading<TRow>> ReadAsync(string key, Slice slice, CancellationToken cancellationToken)
    {
        lock (_gate)
        {
            return Task.FromResult(new RowReading<TRow>(_rows.TryGetValue(key, out var found) ? Keyed(key, found) : null, _checkpoints.GetValueOrDefault(slice).Position));
        }
    }

    /// <inheritdoc/>
    public Task<RowPage<TRow>> QueryAsync(RowQueryPlan<TRow> plan, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(plan);
        lock (_gate)
        {
            var reflects = _checkpoints.Count == 0 ? LogPosition.Start : _checkpoints.Values.MinBy(c => c.Position).Position;
            return Task.FromResult(plan.Page([.. plan.Over(_rows.Select(r => Keyed(r.Key, r.Value)).AsQueryable())], reflects));
        }
    }

    /// <inheritdoc/>
    public Task IndexAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <inheritdoc/>
    public Task<bool> SkipAsync(SkippedEvent skipped, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(skipped);
        lock (_gate)
        {
            return Task.FromResult(_skipped.TryAdd(skipped.Position, skipped));
        }
    }

    /// <inheritdoc/>
    public Task<IReadOnlyList<SkippedEvent>> ReadSkippedAsync(CancellationToken cancellationToken)
    {
        lock (_gate)
        {
            return Task.FromResult<IReadOnlyList<SkippedEvent>>([.. _skipped.Values]);
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
            if (!_checkpoints.TryGetValue(commit.Slice, out var checkpoint) || checkpoint.Position != commit.Expected)
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

            _checkpoints[commit.Slice] = (commit.Next, _time.GetUtcNow());
            return Task.FromResult(true);
        }
    }

    private static KeyedRow<TRow> Keyed(string key, (TRow Row, LogPosition Position) found) => new() { Key = key, Position = found.Position.Value, Row = found.Row };
}
