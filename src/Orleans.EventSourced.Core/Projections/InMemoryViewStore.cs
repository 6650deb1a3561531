using Orleans.EventSourced.Core.Log;

namespace Orleans.EventSourced.Core.Projections;

/// <summary>The views of a log in the memory of one process, for tests and models. Safe for concurrent use.</summary>
/// <param name="time">The clock of the checkpoints.</param>
public sealed class InMemoryViewStore(TimeProvider time) : IViewStore
{
    private readonly Lock _gate = new();
    private readonly Dictionary<ViewId, IInMemoryEditions> _versions = [];

    // They outlive the tables.
    private readonly Dictionary<ViewId, (SortedDictionary<LogPosition, SkippedEvent> Skipped, List<ViewEdition> Made)> _kept = [];

    // The versions that have tables, in the order in which they got them.
    private readonly List<ViewId> _opened = [];
    private readonly Dictionary<string, ViewId> _shown = new(StringComparer.Ordinal);

    /// <inheritdoc/>
    /// <exception cref="LogMisconfiguredException">The version is that of another class.</exception>
    public IViewTable<TRow> Table<TRow>(ViewRole role = ViewRole.Live)
        where TRow : class => new InMemoryViewTable<TRow>(Version<TRow>(), role);

    /// <inheritdoc/>
    /// <exception cref="LogMisconfiguredException">The version is that of another class.</exception>
    public IViewReader<TRow> Reader<TRow>(ViewRole role = ViewRole.Live)
        where TRow : class => new InMemoryViewTable<TRow>(Version<TRow>(), role);

    /// <inheritdoc/>
    /// <exception cref="LogMisconfiguredException">The version is that of another class.</exception>
    public IViewEditions Editions<TRow>()
        where TRow : class => Version<TRow>();

    /// <inheritdoc/>
    public Task<IReadOnlyList<Checkpoint>> ReadCheckpointsAsync(CancellationToken cancellationToken)
    {
        lock (_gate)
        {
            return Task.FromResult<IReadOnlyList<Checkpoint>>(
            [
                .. from view in _opened
                   from c in _versions[view].Checkpoints
                   orderby view.Name, view.Version, c.Edition, c.Slice.Index
                   select new Checkpoint(view, c.Slice, c.Position, c.MovedAt, c.Role, c.Edition, view == _shown[view.Name]),
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

            if (view == _shown[view.Name])
            {
                if (_opened.Any(v => v.Name == view.Name && v != view))
                {
                    throw new LogRequestRefusedException($"{view} is the version shown of the view; drop the others first.");
                }

                _shown.Remove(view.Name);
            }

            _versions[view].Clear();
            _opened.Remove(view);
            _versions.Remove(view);
            return Task.FromResult(true);
        }
    }

    private InMemoryEditions<TRow> Version<TRow>()
        where TRow : class
    {
        var view = ViewId.Of(typeof(TRow));
        lock (_gate)
        {
            if (!_versions.TryGetValue(view, out var version))
            {
                if (!_kept.TryGetValue(view, out var kept))
                {
                    _kept.Add(view, kept = ([], []));
                }

                _versions.Add(view, version = new InMemoryEditions<TRow>(time, _gate, kept.Skipped, kept.Made, opened => Opened(view, opened), () => Show(view)));
            }

            ViewColumn.RequireSame(view, InMemoryViewTable<TRow>.Columns, version.Columns);
            return version as InMemoryEditions<TRow> ?? throw new LogMisconfiguredException($"The rows of view {view} are of another class than {typeof(TRow)}.");
        }
    }

    private void Opened(ViewId view, IInMemoryEditions version)
    {
        _versions[view] = version;
        _opened.Add(view);
        _shown.TryAdd(view.Name, view);
    }

    private bool Show(ViewId view)
    {
        var before = _shown[view.Name];
        _shown[view.Name] = view;
        return before != view;
    }
}
