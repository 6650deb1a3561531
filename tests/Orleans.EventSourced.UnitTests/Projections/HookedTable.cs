using Orleans.EventSourced.Core.Projections;

namespace Orleans.EventSourced.UnitTests.Projections;

/// <summary>A table that lets something happen just before its rows are read: another runner, or a failure. What else is to go wrong is overridden.</summary>
internal class HookedTable<TRow>(IViewTable<TRow> inner) : IViewTable<TRow>
    where TRow : class
{
    /// <summary>Called before each reading of rows.</summary>
    public Func<Task>? BeforeRows { get; set; }

    public virtual Task<OpenedSlice?> OpenAsync(Slice slice, CancellationToken cancellationToken) => inner.OpenAsync(slice, cancellationToken);

    public virtual async Task<IReadOnlyDictionary<string, TRow>> ReadRowsAsync(IReadOnlyCollection<string> keys, CancellationToken cancellationToken)
    {
        await (BeforeRows?.Invoke() ?? Task.CompletedTask);
        return await inner.ReadRowsAsync(keys, cancellationToken);
    }

    public Task<IReadOnlyDictionary<StreamId, ViewRoute>> ReadRoutesAsync(Slice slice, IReadOnlyCollection<StreamId> streams, CancellationToken cancellationToken) => inner.ReadRoutesAsync(slice, streams, cancellationToken);

    public virtual Task<bool> CommitAsync(ViewCommit<TRow> commit, CancellationToken cancellationToken) => inner.CommitAsync(commit, cancellationToken);

    public Task IndexAsync(CancellationToken cancellationToken) => inner.IndexAsync(cancellationToken);

    public Task<IReadOnlyList<ParkedEvent>> ReadParkedAsync(Slice slice, CancellationToken cancellationToken) => inner.ReadParkedAsync(slice, cancellationToken);

    public Task<bool> SkipAsync(SkippedEvent skipped, CancellationToken cancellationToken) => inner.SkipAsync(skipped, cancellationToken);

    public Task<IReadOnlyList<SkippedEvent>> ReadSkippedAsync(CancellationToken cancellationToken) => inner.ReadSkippedAsync(cancellationToken);
}
