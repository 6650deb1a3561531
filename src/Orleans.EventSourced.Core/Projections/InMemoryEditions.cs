using Orleans.EventSourced.Core.Log;

namespace Orleans.EventSourced.Core.Projections;

/// <summary>The rows of one edition. Guarded by the lock of its store.</summary>
internal sealed class InMemoryEdition<TRow>(int number)
    where TRow : class
{
    public int Number => number;

    public Dictionary<string, (TRow Row, LogPosition Position)> Rows { get; } = new(StringComparer.Ordinal);

    public Dictionary<string, LogPosition> Tombstones { get; } = new(StringComparer.Ordinal);

    public Dictionary<(int Slice, StreamId Stream), ViewRoute> Routes { get; } = [];

    public SortedDictionary<(int Slice, string Key, LogPosition Position), ParkedEvent> Parked { get; } =
        new(Comparer<(int Slice, string Key, LogPosition Position)>.Create((a, b) =>
            a.Slice != b.Slice ? a.Slice.CompareTo(b.Slice) : string.CompareOrdinal(a.Key, b.Key) is not 0 and var byKey ? byKey : a.Position.CompareTo(b.Position)));

    public Dictionary<Slice, (LogPosition Position, long Retries, DateTimeOffset MovedAt, LogMark? Mark)> Checkpoints { get; } = [];

    /// <summary>How far a row reaches, or all rows of all slices: not as far as the checkpoint where something is parked.</summary>
    public LogPosition Reflects(LogPosition checkpoint, Func<ParkedEvent, bool> concerned) =>
        Parked.Values.Where(concerned).Select(p => new LogPosition(p.Position.Value - 1)).Append(checkpoint).Min();

    public void Write(ViewCommit<TRow> commit)
    {
        foreach (var (key, row, position) in commit.Rows)
        {
            if (row is null)
            {
                Rows.Remove(key);
                Tombstones[key] = position;
            }
            else
            {
                Rows[key] = (row, position);
                Tombstones.Remove(key);
            }
        }

        foreach (var gone in Parked.Keys.Where(p => p.Slice == commit.Slice.Index && commit.Unparked.Contains(p.Key)).ToList())
        {
            Parked.Remove(gone);
        }

        foreach (var parked in commit.Parked)
        {
            Parked.Add((commit.Slice.Index, parked.Key, parked.Position), parked);
        }

        foreach (var (stream, route) in commit.Routes)
        {
            if (route is null)
            {
                Routes.Remove((commit.Slice.Index, stream));
            }
            else
            {
                Routes[(commit.Slice.Index, stream)] = route;
            }
        }
    }
}

/// <summary>What a store needs of the tables of a version, whatever their rows are.</summary>
internal interface IInMemoryEditions
{
    IReadOnlyDictionary<string, string> Columns { get; }

    IEnumerable<(ViewRole Role, int Edition, Slice Slice, LogPosition Position, DateTimeOffset MovedAt)> Checkpoints { get; }

    /// <summary>Forgets all tables.</summary>
    void Clear();
}

/// <summary>The tables of one version of a view in the memory of one process.</summary>
/// <param name="time">The clock of checkpoints and editions.</param>
/// <param name="gate">The lock of the store.</param>
/// <param name="skipped">What the version passes over; it outlives the tables.</param>
/// <param name="made">The editions that were made, by number; it outlives the tables too.</param>
/// <param name="opened">Told under the lock when a live table is made.</param>
/// <param name="show">Lets the plain name show the version, under the lock; false: it does already.</param>
internal sealed class InMemoryEditions<TRow>(TimeProvider time, Lock gate, SortedDictionary<LogPosition, SkippedEvent> skipped, List<ViewEdition> made, Action<IInMemoryEditions> opened, Func<bool> show) : IViewEditions, IInMemoryEditions
    where TRow : class
{
    private readonly Dictionary<ViewRole, InMemoryEdition<TRow>> _tables = [];

    public TimeProvider Time => time;

    public Lock Gate => gate;

    public SortedDictionary<LogPosition, SkippedEvent> Skipped => skipped;

    public IReadOnlyDictionary<string, string> Columns => InMemoryViewTable<TRow>.Columns;

    public IEnumerable<(ViewRole Role, int Edition, Slice Slice, LogPosition Position, DateTimeOffset MovedAt)> Checkpoints =>
        from t in _tables
        from c in t.Value.Checkpoints
        orderby t.Value.Number, c.Key.Index
        select (t.Key, t.Value.Number, c.Key, c.Value.Position, c.Value.MovedAt);

    public InMemoryEdition<TRow>? Find(ViewRole role) => _tables.GetValueOrDefault(role);

    public InMemoryEdition<TRow> OpenLive()
    {
        if (Find(ViewRole.Live) is { } live)
        {
            return live;
        }

        opened(this);
        return Make(ViewRole.Live, ViewEdition.FirstReason, null);
    }

    public void Clear() => _tables.Clear();

    public Task<IReadOnlyList<ViewEdition>> ListAsync(CancellationToken cancellationToken)
    {
        lock (gate)
        {
            return Task.FromResult<IReadOnlyList<ViewEdition>>([.. made.Select(WithRole)]);
        }
    }

    public Task<ViewEdition?> BeginAsync(int slices, string reason, string? actor, CancellationToken cancellationToken)
    {
        ViewEdition.Check(reason, actor);
        lock (gate)
        {
            if (_tables.ContainsKey(ViewRole.Building))
            {
                return Task.FromResult<ViewEdition?>(null);
            }

            if (Find(ViewRole.Live)?.Checkpoints.Keys.First().Count is not { } count || count != slices)
            {
                throw new LogRequestRefusedException($"There is no live table of view {ViewId.Of(typeof(TRow))} that is divided into {slices} slices.");
            }

            _tables.Remove(ViewRole.Retired);
            var next = Make(ViewRole.Building, reason, actor);
            foreach (var slice in Enumerable.Range(0, slices))
            {
                next.Checkpoints.Add(new Slice(slice, slices), (LogPosition.Start, 0, time.GetUtcNow(), null));
            }

            return Task.FromResult<ViewEdition?>(WithRole(made[^1]));
        }
    }

    public Task<SwitchOutcome> SwitchAsync(int edition, CancellationToken cancellationToken)
    {
        lock (gate)
        {
            return Task.FromResult(Switch(edition));
        }
    }

    public Task<bool> CancelAsync(CancellationToken cancellationToken)
    {
        lock (gate)
        {
            return Task.FromResult(_tables.Remove(ViewRole.Building));
        }
    }

    public Task<bool> RevertAsync(CancellationToken cancellationToken)
    {
        lock (gate)
        {
            if (Find(ViewRole.Retired) is { } retired)
            {
                _tables.Add(ViewRole.Building, retired);
            }

            return Task.FromResult(_tables.Remove(ViewRole.Retired));
        }
    }

    public Task<bool> DropRetiredAsync(CancellationToken cancellationToken)
    {
        lock (gate)
        {
            return Task.FromResult(_tables.Remove(ViewRole.Retired));
        }
    }

    public Task<bool> ShowAsync(CancellationToken cancellationToken)
    {
        lock (gate)
        {
            return _tables.ContainsKey(ViewRole.Live) ? Task.FromResult(show()) : throw new LogRequestRefusedException($"The view {ViewId.Of(typeof(TRow))} has no table to show.");
        }
    }

    private SwitchOutcome Switch(int edition)
    {
        var outcome = SwitchOutcome.Of(edition, [.. Checkpoints.Select(c => (c.Slice.Index, c.Role, c.Edition, c.Position))], Find(ViewRole.Building)?.Parked.Keys.DistinctBy(p => (p.Slice, p.Key)).Count() ?? 0);
        if (outcome is SwitchOutcome.Switched)
        {
            (_tables[ViewRole.Retired], _tables[ViewRole.Live]) = (_tables[ViewRole.Live], _tables[ViewRole.Building]);
            _tables.Remove(ViewRole.Building);
        }

        return outcome;
    }

    private InMemoryEdition<TRow> Make(ViewRole role, string reason, string? actor)
    {
        var table = new InMemoryEdition<TRow>(made.Count + 1);
        made.Add(new ViewEdition(table.Number, null, time.GetUtcNow(), reason, actor));
        return _tables[role] = table;
    }

    private ViewEdition WithRole(ViewEdition edition) => edition with { Role = _tables.Where(t => t.Value.Number == edition.Number).Select(t => (ViewRole?)t.Key).FirstOrDefault() };
}
