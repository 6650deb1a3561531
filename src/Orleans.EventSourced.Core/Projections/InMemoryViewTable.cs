using Orleans.EventSourced.Core.Log;

namespace Orleans.EventSourced.Core.Projections;

/// <summary>The table of a view in the memory of one process, for tests and models. Safe for concurrent use.</summary>
/// <typeparam name="TRow">The class of a row.</typeparam>
public sealed class InMemoryViewTable<TRow> : IViewTable<TRow>, IViewReader<TRow>
    where TRow : class
{
    private readonly InMemoryEditions<TRow> _editions;
    private readonly ViewRole _role;

    /// <summary>A table that belongs to no store.</summary>
    public InMemoryViewTable()
        : this(new InMemoryEditions<TRow>(TimeProvider.System, new Lock(), [], [], static _ => { }, static () => false), ViewRole.Live)
    {
    }

    internal InMemoryViewTable(InMemoryEditions<TRow> editions, ViewRole role) => (_editions, _role) = (editions, role);

    /// <summary>The rows by key, as they are now, with the position of the last event folded into each.</summary>
    public IReadOnlyDictionary<string, (TRow Row, LogPosition Position)> Rows
    {
        get
        {
            lock (_editions.Gate)
            {
                return new Dictionary<string, (TRow, LogPosition)>(Current?.Rows ?? [], StringComparer.Ordinal);
            }
        }
    }

    /// <summary>The keys of deleted rows, each with the position of the event that deleted it.</summary>
    public IReadOnlyDictionary<string, LogPosition> Tombstones
    {
        get
        {
            lock (_editions.Gate)
            {
                return new Dictionary<string, LogPosition>(Current?.Tombstones ?? [], StringComparer.Ordinal);
            }
        }
    }

    /// <summary>How many routes all slices keep together.</summary>
    public int Routes
    {
        get
        {
            lock (_editions.Gate)
            {
                return Current?.Routes.Count ?? 0;
            }
        }
    }

    internal static IReadOnlyDictionary<string, string> Columns { get; } =
        ViewColumn.Of(typeof(TRow)).ToDictionary(c => c.Name, c => $"{c.Property.PropertyType}{(c.Scale is null ? "" : $" with {c.Scale} decimals")}{(c.IsNullable ? "" : " not null")}", StringComparer.Ordinal);

    /// <summary>The table that has the role now; null: none has.</summary>
    private InMemoryEdition<TRow>? Current => _editions.Find(_role);

    /// <inheritdoc/>
    public Task<OpenedSlice?> OpenAsync(Slice slice, CancellationToken cancellationToken)
    {
        lock (_editions.Gate)
        {
            if ((_role == ViewRole.Live ? _editions.OpenLive() : Current) is not { } table)
            {
                return Task.FromResult<OpenedSlice?>(null);
            }

            if (table.Checkpoints.Keys.Select(s => s.Count).FirstOrDefault(c => c != slice.Count) is > 0 and var other)
            {
                throw new LogMisconfiguredException($"The view is divided into {other} slices, not into {slice.Count}.");
            }

            for (var i = 0; i < slice.Count; i++)
            {
                table.Checkpoints.TryAdd(new Slice(i, slice.Count), (LogPosition.Start, 0, _editions.Time.GetUtcNow(), null));
            }

            var (position, retries, _, mark) = table.Checkpoints[slice];
            return Task.FromResult<OpenedSlice?>(new OpenedSlice(table.Number, position, retries) { Mark = mark });
        }
    }

    /// <inheritdoc/>
    public Task<IReadOnlyDictionary<string, TRow>> ReadRowsAsync(IReadOnlyCollection<string> keys, CancellationToken cancellationToken)
    {
        lock (_editions.Gate)
        {
            return Task.FromResult<IReadOnlyDictionary<string, TRow>>(Current is { Rows: var rows } ? keys.Where(rows.ContainsKey).ToDictionary(k => k, k => rows[k].Row, StringComparer.Ordinal) : []);
        }
    }

    /// <inheritdoc/>
    public Task<RowReading<TRow>> ReadAsync(string key, Slice slice, CancellationToken cancellationToken)
    {
        lock (_editions.Gate)
        {
            return Task.FromResult(Current is { } table
                ? new RowReading<TRow>(table.Rows.TryGetValue(key, out var found) ? Keyed(key, found) : null, table.Reflects(table.Checkpoints.GetValueOrDefault(slice).Position, p => p.Key == key))
                : new RowReading<TRow>(null, LogPosition.Start));
        }
    }

    /// <inheritdoc/>
    public Task<RowPage<TRow>> QueryAsync(RowQueryPlan<TRow> plan, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(plan);
        lock (_editions.Gate)
        {
            return Task.FromResult(Current is { Checkpoints.Count: > 0 } table
                ? plan.Page(plan.Over(table.Rows.Select(r => Keyed(r.Key, r.Value))), table.Reflects(table.Checkpoints.Values.MinBy(c => c.Position).Position, static _ => true))
                : plan.Page([], LogPosition.Start));
        }
    }

    /// <inheritdoc/>
    public Task<RowChanges<TRow>> ReadChangesAsync(RowCursor? after, int limit, CancellationToken cancellationToken)
    {
        lock (_editions.Gate)
        {
            if (Current is not { Checkpoints.Count: > 0 } table)
            {
                return Task.FromResult(new RowChanges<TRow>(after ?? default, [], IsReset: false));
            }

            var reflects = table.Reflects(table.Checkpoints.Values.Min(c => c.Position), static _ => true);
            return RowChanges<TRow>.ReadAsync(after, RowCursor.TableOf(ViewId.Of(typeof(TRow)), table.Number), reflects, limit, from => Task.FromResult(Between(table, from, reflects)));
        }
    }

    /// <inheritdoc/>
    public Task IndexAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <inheritdoc/>
    public Task<IReadOnlyList<ParkedEvent>> ReadParkedAsync(Slice slice, CancellationToken cancellationToken)
    {
        lock (_editions.Gate)
        {
            return Task.FromResult<IReadOnlyList<ParkedEvent>>(Current is { Parked: var parked } ? [.. parked.Where(p => p.Key.Slice == slice.Index).Select(p => p.Value)] : []);
        }
    }

    /// <inheritdoc/>
    public Task<bool> SkipAsync(SkippedEvent skipped, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(skipped);
        lock (_editions.Gate)
        {
            return Task.FromResult(_editions.Skipped.TryAdd(skipped.Position, skipped));
        }
    }

    /// <inheritdoc/>
    public Task<IReadOnlyList<SkippedEvent>> ReadSkippedAsync(CancellationToken cancellationToken)
    {
        lock (_editions.Gate)
        {
            return Task.FromResult<IReadOnlyList<SkippedEvent>>([.. _editions.Skipped.Values]);
        }
    }

    /// <inheritdoc/>
    public Task<IReadOnlyDictionary<StreamId, ViewRoute>> ReadRoutesAsync(Slice slice, IReadOnlyCollection<StreamId> streams, CancellationToken cancellationToken)
    {
        lock (_editions.Gate)
        {
            return Task.FromResult<IReadOnlyDictionary<StreamId, ViewRoute>>(Current is { Routes: var routes } ? streams.Where(s => routes.ContainsKey((slice.Index, s))).ToDictionary(s => s, s => routes[(slice.Index, s)]) : []);
        }
    }

    /// <inheritdoc/>
    public Task<bool> CommitAsync(ViewCommit<TRow> commit, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(commit);
        lock (_editions.Gate)
        {
            if (Current is not { } table || table.Number != commit.Edition
                || !table.Checkpoints.TryGetValue(commit.Slice, out var checkpoint) || (checkpoint.Position, checkpoint.Retries) != (commit.Expected, commit.Retries))
            {
                return Task.FromResult(false);
            }

            table.Write(commit);
            table.Checkpoints[commit.Slice] = (commit.Next, commit.NextRetries, _editions.Time.GetUtcNow(), commit.Mark ?? checkpoint.Mark);
            return Task.FromResult(true);
        }
    }

    private static IEnumerable<RowChange<TRow>> Between(InMemoryEdition<TRow> table, LogPosition after, LogPosition to) =>
        table.Rows.Select(r => new RowChange<TRow>(r.Key, r.Value.Row, r.Value.Position))
            .Concat(table.Tombstones.Select(t => new RowChange<TRow>(t.Key, null, t.Value)))
            .Where(c => c.Position > after && c.Position <= to);

    private static KeyedRow<TRow> Keyed(string key, (TRow Row, LogPosition Position) found) => new() { Key = key, Position = found.Position.Value, Row = found.Row };
}
