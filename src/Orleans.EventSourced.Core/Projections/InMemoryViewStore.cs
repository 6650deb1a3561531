using Orleans.EventSourced.Core.Log;

namespace Orleans.EventSourced.Core.Projections;

/// <summary>The views of a log in the memory of one process, for tests and models. Safe for concurrent use.</summary>
/// <param name="time">The clock of the checkpoints.</param>
public sealed class InMemoryViewStore(TimeProvider time) : IViewStore
{
    private readonly Lock _gate = new();
    private readonly Dictionary<ViewId, IInMemoryViewTable> _tables = [];

    // They outlive the tables.
    private readonly Dictionary<ViewId, SortedDictionary<LogPosition, SkippedEvent>> _skipped = [];

    // The versions whose tables were made, in that order.
    private readonly List<ViewId> _opened = [];

    /// <inheritdoc/>
    /// <exception cref="LogMisconfiguredException">The version is that of another class.</exception>
    public IViewTable<TRow> Table<TRow>()
        where TRow : class
    {
        var view = ViewId.Of(typeof(TRow));
        lock (_gate)
        {
            if (!_tables.TryGetValue(view, out var table))
            {
                if (!_skipped.TryGetValue(view, out var skipped))
                {
                    _skipped.Add(view, skipped = []);
                }

                _tables.Add(view, table = new InMemoryViewTable<TRow>(time, _gate, skipped, opened => Opened(view, opened)));
            }

            ViewColumn.RequireSame(view, InMemoryViewTable<TRow>.Columns, table.KeptColumns);
            return table as IViewTable<TRow> ?? throw new LogMisconfiguredException($"The rows of view {view} are of another class than {typeof(TRow)}.");
        }
    }

    /// <inheritdoc/>
    public IViewReader<TRow> Reader<TRow>()
        where TRow : class => (InMemoryViewTable<TRow>)Table<TRow>();

    /// <inheritdoc/>
    public Task<IReadOnlyList<Checkpoint>> ReadCheckpointsAsync(CancellationToken cancellationToken)
    {
        lock (_gate)
        {
            return Task.FromResult<IReadOnlyList<Checkpoint>>(
            [
                .. from view in _opened
                   from c in _tables[view].Checkpoints
                   orderby view.Name, view.Version, c.Key.Index
                   select new Checkpoint(view, c.Key, c.Value.Position, c.Value.MovedAt, view == Live(view.Name)),
            ]);
        }
    }

    /// <inheritdoc/>
    public Task<bool> DropAsync(ViewId view, CancellationToken cancellationToken)
    {
        lock (_gate)
        {
            if (!_opened.Contains(view))
            {
                return Task.FromResult(false);
            }

            if (view == Live(view.Name) && _opened.Any(v => v.Name == view.Name && v != view))
            {
                throw new LogRequestRefusedException($"{view} is the live version of the view; drop the others first.");
            }

            _tables[view].Clear();
            _opened.Remove(view);
            _tables.Remove(view);
            return Task.FromResult(true);
        }
    }

    private void Opened(ViewId view, IInMemoryViewTable table)
    {
        _tables[view] = table;
        if (!_opened.Contains(view))
        {
            _opened.Add(view);
        }
    }

    private ViewId Live(string name) => _opened.First(v => v.Name == name);
}
