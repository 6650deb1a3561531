using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Projections;
using StreamId = Orleans.EventSourced.Core.Log.StreamId;

namespace Orleans.EventSourced.Testing.Faults;

/// <summary>
/// Views whose tables and readers go wrong as a plan says. A commit that was lost on its way, and one whose reply was lost, both fail with <see cref="LogUnavailableException"/>: written or not, as the contract says; one
/// that lost a race answers false. Rows and checkpoint stay of one transaction, whatever happens. What operators do with tables goes through unharmed. Safe for concurrent use.
/// </summary>
public sealed class FaultViews : IViewStore
{
    private readonly IViewStore _inner;
    private readonly FaultyWay _way;

    /// <param name="inner">The store that does the work.</param>
    /// <param name="plan">What goes wrong: commits of tables, and events that are skipped, are its writes.</param>
    /// <param name="time">The clock of delays.</param>
    public FaultViews(IViewStore inner, FaultPlan plan, TimeProvider time)
        : this(inner, plan, time, null)
    {
    }

    internal FaultViews(IViewStore inner, FaultPlan plan, TimeProvider time, Func<Task>? gate)
    {
        ArgumentNullException.ThrowIfNull(inner);
        ArgumentNullException.ThrowIfNull(plan);
        ArgumentNullException.ThrowIfNull(time);
        (_inner, _way) = (inner, new FaultyWay(plan, time, gate));
    }

    /// <inheritdoc/>
    public IViewTable<TRow> Table<TRow>(ViewRole role = ViewRole.Live)
        where TRow : class => new FaultTable<TRow>(_inner.Table<TRow>(role), _way);

    /// <inheritdoc/>
    public IViewReader<TRow> Reader<TRow>(ViewRole role = ViewRole.Live)
        where TRow : class => new FaultReader<TRow>(_inner.Reader<TRow>(role), _way);

    /// <inheritdoc/>
    public IViewEditions Editions<TRow>()
        where TRow : class => _inner.Editions<TRow>();

    /// <inheritdoc/>
    public Task<IReadOnlyList<Checkpoint>> ReadCheckpointsAsync(CancellationToken cancellationToken) => _way.ReadAsync(_inner.ReadCheckpointsAsync, cancellationToken);

    /// <inheritdoc/>
    public Task<bool> DropAsync(ViewId view, CancellationToken cancellationToken) => _inner.DropAsync(view, cancellationToken);

    /// <summary>Completes when the late commits that are on their way by now have arrived.</summary>
    public Task SettleAsync() => _way.SettleAsync();

    private static Exception Unknown(string message) => new LogUnavailableException(message);

    private sealed class FaultTable<TRow>(IViewTable<TRow> inner, FaultyWay way) : IViewTable<TRow>
        where TRow : class
    {
        public Task<OpenedSlice?> OpenAsync(Slice slice, CancellationToken cancellationToken) => way.ReadAsync(token => inner.OpenAsync(slice, token), cancellationToken);

        public Task<IReadOnlyDictionary<string, TRow>> ReadRowsAsync(IReadOnlyCollection<string> keys, CancellationToken cancellationToken) =>
            way.ReadAsync(token => inner.ReadRowsAsync(keys, token), cancellationToken);

        public Task<IReadOnlyDictionary<StreamId, ViewRoute>> ReadRoutesAsync(Slice slice, IReadOnlyCollection<StreamId> streams, CancellationToken cancellationToken) =>
            way.ReadAsync(token => inner.ReadRoutesAsync(slice, streams, token), cancellationToken);

        public Task<bool> CommitAsync(ViewCommit<TRow> commit, CancellationToken cancellationToken) =>
            way.WriteAsync(() => inner.CommitAsync(commit, CancellationToken.None), Unknown, static () => false, cancellationToken);

        public Task IndexAsync(CancellationToken cancellationToken) => way.ReadAsync(
            async token =>
            {
                await inner.IndexAsync(token).ConfigureAwait(false);
                return true;
            },
            cancellationToken);

        public Task<IReadOnlyList<ParkedEvent>> ReadParkedAsync(Slice slice, CancellationToken cancellationToken) => way.ReadAsync(token => inner.ReadParkedAsync(slice, token), cancellationToken);

        public Task<bool> SkipAsync(SkippedEvent skipped, CancellationToken cancellationToken) =>
            way.WriteAsync(() => inner.SkipAsync(skipped, CancellationToken.None), Unknown, static () => throw Unknown("The plan of faults lets another writer win."), cancellationToken);

        public Task<IReadOnlyList<SkippedEvent>> ReadSkippedAsync(CancellationToken cancellationToken) => way.ReadAsync(inner.ReadSkippedAsync, cancellationToken);
    }

    private sealed class FaultReader<TRow>(IViewReader<TRow> inner, FaultyWay way) : IViewReader<TRow>
        where TRow : class
    {
        public Task<RowReading<TRow>> ReadAsync(string key, Slice slice, CancellationToken cancellationToken) => way.ReadAsync(token => inner.ReadAsync(key, slice, token), cancellationToken);

        public Task<RowPage<TRow>> QueryAsync(RowQueryPlan<TRow> plan, CancellationToken cancellationToken) => way.ReadAsync(token => inner.QueryAsync(plan, token), cancellationToken);

        public Task<RowChanges<TRow>> ReadChangesAsync(RowCursor? after, int limit, CancellationToken cancellationToken) => way.ReadAsync(token => inner.ReadChangesAsync(after, limit, token), cancellationToken);
    }
}
