using Orleans.EventSourced.Core.Projections;
using StreamId = Orleans.EventSourced.Core.Log.StreamId;

namespace Orleans.EventSourced.Testing.Faults;

/// <summary><see cref="SeededBug.CheckpointOutsideTransaction"/>: a commit is one of its rows, which leaves the checkpoint where it is, and then one of the checkpoint.</summary>
internal sealed class CheckpointOutsideTransaction(IViewStore inner) : IViewStore
{
    public IViewTable<TRow> Table<TRow>(ViewRole role = ViewRole.Live)
        where TRow : class => new TwoStepTable<TRow>(inner.Table<TRow>(role));

    public IViewReader<TRow> Reader<TRow>(ViewRole role = ViewRole.Live)
        where TRow : class => inner.Reader<TRow>(role);

    public IViewEditions Editions<TRow>()
        where TRow : class => inner.Editions<TRow>();

    public Task<IReadOnlyList<Checkpoint>> ReadCheckpointsAsync(CancellationToken cancellationToken) => inner.ReadCheckpointsAsync(cancellationToken);

    public Task<bool> DropAsync(ViewId view, CancellationToken cancellationToken) => inner.DropAsync(view, cancellationToken);

    private sealed class TwoStepTable<TRow>(IViewTable<TRow> inner) : IViewTable<TRow>
        where TRow : class
    {
        public Task<OpenedSlice?> OpenAsync(Slice slice, CancellationToken cancellationToken) => inner.OpenAsync(slice, cancellationToken);

        public Task<IReadOnlyDictionary<string, TRow>> ReadRowsAsync(IReadOnlyCollection<string> keys, CancellationToken cancellationToken) => inner.ReadRowsAsync(keys, cancellationToken);

        public Task<IReadOnlyDictionary<StreamId, ViewRoute>> ReadRoutesAsync(Slice slice, IReadOnlyCollection<StreamId> streams, CancellationToken cancellationToken) =>
            inner.ReadRoutesAsync(slice, streams, cancellationToken);

        public async Task<bool> CommitAsync(ViewCommit<TRow> commit, CancellationToken cancellationToken) =>
            await inner.CommitAsync(commit with { Next = commit.Expected, Mark = null }, cancellationToken).ConfigureAwait(false)
            && await inner.CommitAsync(commit with { Rows = [], Routes = [], Unparked = [], Parked = [], Retries = commit.NextRetries }, cancellationToken).ConfigureAwait(false);

        public Task IndexAsync(CancellationToken cancellationToken) => inner.IndexAsync(cancellationToken);

        public Task<IReadOnlyList<ParkedEvent>> ReadParkedAsync(Slice slice, CancellationToken cancellationToken) => inner.ReadParkedAsync(slice, cancellationToken);

        public Task<bool> SkipAsync(SkippedEvent skipped, CancellationToken cancellationToken) => inner.SkipAsync(skipped, cancellationToken);

        public Task<IReadOnlyList<SkippedEvent>> ReadSkippedAsync(CancellationToken cancellationToken) => inner.ReadSkippedAsync(cancellationToken);
    }
}
