using System.Text.Json;
using Microsoft.Extensions.Logging;
using Orleans.EventSourced.Core.History;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Projections;
using Orleans.EventSourced.History;
using Orleans.EventSourced.Queries;

namespace Orleans.EventSourced.Projections;

/// <summary>A view that this program knows, and how its slices are run.</summary>
internal abstract class RegisteredView(ViewId view, int slices) : IKept
{
    public ViewId View { get; } = view;

    public int Slices { get; } = slices;

    /// <summary>The class of its rows.</summary>
    public abstract Type Row { get; }

    string IKept.Name => View.Table;

    int IKept.Parts => Slices;

    Task IKept.WakeAsync(IGrainFactory grains, int part, SiloAddress owner) => grains.GetGrain<IProjectionGrain>(ProjectionGrain.KeyOf(View, part)).WakeAsync(owner);

    /// <summary>Wakes the slices of the table that is built beside the live one.</summary>
    public IKept Built => new BuiltView(this);

    /// <summary>A loop that brings one slice's rows, in the table of a role, up to the log and keeps them there.</summary>
    public abstract ProjectionLoop Loop(Slice slice, ViewRole role, Action<ProjectionStatus>? changed);

    /// <summary>The view's tables.</summary>
    public abstract IViewEditions Editions { get; }

    /// <summary>How far each slice's rows reach, by the slices' numbers.</summary>
    /// <exception cref="LogUnavailableException">The store could not answer.</exception>
    public abstract Task<IReadOnlyList<LogPosition>> ReadCheckpointsAsync();

    /// <summary>The row with this key; null: there is none.</summary>
    public abstract Task<ViewAnswer<ViewRow?>> ReadAsync(string key);

    /// <summary>A page of rows.</summary>
    /// <exception cref="RowQueryException">The query names what the view does not allow.</exception>
    public abstract Task<ViewAnswer<ViewRows>> QueryAsync(RowQuery query);

    /// <summary>The row with what its reader did on top; a null answer: there is too much of it.</summary>
    public abstract Task<ViewAnswer<ViewRow?>?> ReadAsync(string key, Func<LogPosition, Task<IReadOnlyList<OwnEvents>>> own);

    /// <summary>A page of rows with what their reader did on top; null: there is too much of it.</summary>
    /// <exception cref="RowQueryException">The query names what the view does not allow.</exception>
    public abstract Task<ViewAnswer<ViewRows>?> QueryAsync(RowQuery query, Func<LogPosition, Task<IReadOnlyList<OwnEvents>>> own);

    /// <summary>What changed behind a cursor.</summary>
    public abstract Task<ViewAnswer<ViewChanges>> ReadChangesAsync(RowCursor? after, int limit);

    /// <summary>Whether a table is being filled beside the live one.</summary>
    public async Task<bool> IsBuiltAsync(CancellationToken cancellationToken) => (await Editions.ListAsync(cancellationToken)).Any(e => e.Role == ViewRole.Building);

    /// <summary>The events that wait for parked rows of the table in a role, by slice, key and position.</summary>
    public abstract Task<IReadOnlyList<ParkedEvent>> ReadParkedAsync(ViewRole role, CancellationToken cancellationToken);

    /// <summary>Keeps that the view passes over an event; false: it does already.</summary>
    public abstract Task<bool> SkipAsync(SkippedEvent skipped, CancellationToken cancellationToken);

    /// <summary>The events that the view passes over, by position.</summary>
    public abstract Task<IReadOnlyList<SkippedEvent>> ReadSkippedAsync(CancellationToken cancellationToken);

    /// <summary>The rows as of a point of the past.</summary>
    /// <exception cref="HistoryException">There is too much of it, or the fold refuses an event.</exception>
    public abstract Task<PastRows> FoldPastAsync(PastViews past, ReplayPoint point, Action<long, long> progress, CancellationToken cancellationToken);

    /// <summary>The rows on a branch.</summary>
    /// <exception cref="HistoryException">An edit, a function or the fold fails, or there is too much of it.</exception>
    public abstract Task<BranchRows> FoldBranchAsync(Branch branch, Action<long, long> progress, CancellationToken cancellationToken);

    /// <summary>Compares all rows of the table in a role with the fold of the log.</summary>
    public abstract Task<ViewComparisonReport> CompareAsync(ViewRole role, CancellationToken cancellationToken);
}

/// <summary>The table that is built beside the live one: it runs where the live one does.</summary>
internal sealed class BuiltView(RegisteredView view) : IKept
{
    public string Name => view.View.Table;

    public int Parts => view.Slices;

    public Task WakeAsync(IGrainFactory grains, int part, SiloAddress owner) => grains.GetGrain<IProjectionGrain>(ProjectionGrain.KeyOf(view.View, part, ViewRole.Building)).WakeAsync(owner);
}

/// <summary>The same, with the class of its rows.</summary>
internal sealed class RegisteredView<TRow>(Projection<TRow> projection, int slices, PoisonPolicy poison, IViewStore store, LogTail tail, ProjectionOptions options, TimeProvider time, ILoggerFactory loggers)
    : RegisteredView(projection.View, slices)
    where TRow : class
{
    private readonly IViewTable<TRow> _table = store.Table<TRow>();
    private readonly IViewReader<TRow> _reader = store.Reader<TRow>();
    private readonly ViewOverlay<TRow> _overlay = new(projection, store.Table<TRow>(), store.Reader<TRow>(), tail, slices);

    public override Type Row => typeof(TRow);

    public override IViewEditions Editions { get; } = store.Editions<TRow>();

    public override ProjectionLoop Loop(Slice slice, ViewRole role, Action<ProjectionStatus>? changed) =>
        new ProjectionLoop<TRow>(projection, slice, store.Table<TRow>(role), tail, options, time, loggers.CreateLogger("Orleans.EventSourced.Projections"), changed, poison);

    public override async Task<IReadOnlyList<LogPosition>> ReadCheckpointsAsync()
    {
        var positions = new LogPosition[Slices];
        foreach (var checkpoint in (await store.ReadCheckpointsAsync(CancellationToken.None).ConfigureAwait(false)).Where(c => c.View == View && c.Role == ViewRole.Live && c.Slice.Count == Slices))
        {
            positions[checkpoint.Slice.Index] = checkpoint.Position;
        }

        return positions;
    }

    public override async Task<ViewAnswer<ViewRow?>> ReadAsync(string key)
    {
        var (row, reflects) = await _reader.ReadAsync(key, Slice.Of(key, Slices), CancellationToken.None).ConfigureAwait(false);
        return new ViewAnswer<ViewRow?>(row is null ? null : ViewRow.Of(row), reflects.Value);
    }

    public override async Task<ViewAnswer<ViewRows>> QueryAsync(RowQuery query)
    {
        var (rows, next, reflects) = await _reader.QueryAsync(new RowQueryPlan<TRow>(query), CancellationToken.None).ConfigureAwait(false);
        return new ViewAnswer<ViewRows>(new ViewRows([.. rows.Select(ViewRow.Of)], next), reflects.Value);
    }

    public override async Task<ViewAnswer<ViewRow?>?> ReadAsync(string key, Func<LogPosition, Task<IReadOnlyList<OwnEvents>>> own) =>
        await _overlay.ReadAsync(key, own, CancellationToken.None).ConfigureAwait(false) is var (row, reflects, isPending)
            ? new ViewAnswer<ViewRow?>(row is null ? null : ViewRow.Of(row) with { IsPending = isPending }, reflects.Value)
            : null;

    public override async Task<ViewAnswer<ViewRows>?> QueryAsync(RowQuery query, Func<LogPosition, Task<IReadOnlyList<OwnEvents>>> own) =>
        await _overlay.QueryAsync(query, own, CancellationToken.None).ConfigureAwait(false) is var ((rows, next, reflects), pending)
            ? new ViewAnswer<ViewRows>(new ViewRows([.. rows.Select(r => ViewRow.Of(r) with { IsPending = pending.Contains(r.Key) })], next), reflects.Value)
            : null;

    public override async Task<ViewAnswer<ViewChanges>> ReadChangesAsync(RowCursor? after, int limit)
    {
        // A cursor that the log never reached, or reached before it went back, is not of these rows.
        var isBeyond = after is { } from && tail.Head < from.Position && (await tail.ReadHeadAsync(CancellationToken.None).ConfigureAwait(false)).Position < from.Position;
        var read = await _reader.ReadChangesAsync(isBeyond ? null : after, limit, CancellationToken.None).ConfigureAwait(false);
        var shown = read.Changes.Select(c => new ViewChange(c.Key, c.Position.Value, (read.Next with { Position = c.Position }).ToString(), c.Row));
        return new ViewAnswer<ViewChanges>(new ViewChanges(read.Next.ToString(), [.. shown], read.IsReset || isBeyond), read.Reflects.Value);
    }

    public override async Task<IReadOnlyList<ParkedEvent>> ReadParkedAsync(ViewRole role, CancellationToken cancellationToken)
    {
        var (table, parked) = (store.Table<TRow>(role), new List<ParkedEvent>());
        for (var i = 0; i < Slices; i++)
        {
            parked.AddRange(await table.ReadParkedAsync(new Slice(i, Slices), cancellationToken).ConfigureAwait(false));
        }

        return parked;
    }

    public override Task<bool> SkipAsync(SkippedEvent skipped, CancellationToken cancellationToken) => _table.SkipAsync(skipped, cancellationToken);

    public override Task<IReadOnlyList<SkippedEvent>> ReadSkippedAsync(CancellationToken cancellationToken) => _table.ReadSkippedAsync(cancellationToken);

    public override async Task<ViewComparisonReport> CompareAsync(ViewRole role, CancellationToken cancellationToken) =>
        await ViewComparison.RunAsync(projection, Slices, await ReadSkippedAsync(cancellationToken).ConfigureAwait(false), poison, store.Reader<TRow>(role), tail, time, cancellationToken).ConfigureAwait(false);

    public override async Task<PastRows> FoldPastAsync(PastViews past, ReplayPoint point, Action<long, long> progress, CancellationToken cancellationToken) =>
        new PastRows<TRow>(await past.FoldAsync(projection, await ReadSkippedAsync(cancellationToken).ConfigureAwait(false), poison, point, progress, cancellationToken).ConfigureAwait(false));

    public override async Task<BranchRows> FoldBranchAsync(Branch branch, Action<long, long> progress, CancellationToken cancellationToken) =>
        new BranchRows<TRow>(await branch.FoldAsync(projection, await ReadSkippedAsync(cancellationToken).ConfigureAwait(false), poison, progress, cancellationToken).ConfigureAwait(false), JsonSerializerOptions.Web);
}

/// <summary>The views that this program knows.</summary>
internal sealed class RegisteredViews
{
    private readonly Dictionary<string, RegisteredView> _byTable;

    /// <exception cref="OrleansConfigurationException">One view is registered twice.</exception>
    public RegisteredViews(IEnumerable<RegisteredView> views)
    {
        _byTable = new Dictionary<string, RegisteredView>(StringComparer.Ordinal);
        foreach (var view in views)
        {
            if (_byTable.Values.Any(v => v.View.Name == view.View.Name))
            {
                throw new OrleansConfigurationException($"The view '{view.View.Name}' is registered twice; a program knows one version of a view.");
            }

            _byTable.Add(view.View.Table, view);
        }
    }

    public IReadOnlyCollection<RegisteredView> All => _byTable.Values;

    /// <summary>Null: this program does not know it, or not in this version.</summary>
    public RegisteredView? Find(string table) => _byTable.GetValueOrDefault(table);

    /// <summary>The version that this program knows of the view with this name; null: none.</summary>
    public RegisteredView? Named(string name) => _byTable.Values.FirstOrDefault(v => v.View.Name == name);
}
