using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Projections;
using Orleans.EventSourced.Core.Reactions;
using Orleans.EventSourced.Core.Snapshots;
using Orleans.EventSourced.Testing.Conformance;
using Orleans.EventSourced.UnitTests.Projections;
using Xunit;
using Xunit.Sdk;

namespace Orleans.EventSourced.UnitTests.Testing;

/// <summary>A store that breaks its contract does not pass: of each suite one fact, which the store passes as long as it is whole.</summary>
public sealed class BrokenStoresTests
{
    [Fact]
    public async Task a_log_that_does_not_look_at_the_expected_version_fails()
    {
        await new OfLog(breaks: false).append_with_a_stale_version_returns_conflict_and_writes_nothing();
        await Assert.ThrowsAnyAsync<XunitException>(() => new OfLog(breaks: true).append_with_a_stale_version_returns_conflict_and_writes_nothing());
    }

    [Fact]
    public async Task snapshots_that_do_not_look_at_the_fold_fail()
    {
        await new OfSnapshots(breaks: false).a_snapshot_of_another_fold_is_not_read();
        await Assert.ThrowsAnyAsync<XunitException>(() => new OfSnapshots(breaks: true).a_snapshot_of_another_fold_is_not_read());
    }

    [Fact]
    public async Task views_that_tell_a_zombie_that_it_wrote_fail()
    {
        await new OfViews(breaks: false).a_commit_from_another_checkpoint_than_the_tables_writes_nothing();
        await Assert.ThrowsAnyAsync<XunitException>(() => new OfViews(breaks: true).a_commit_from_another_checkpoint_than_the_tables_writes_nothing());
    }

    [Fact]
    public async Task checkpoints_of_reactions_that_move_from_wherever_they_are_fail()
    {
        await new OfReactions(breaks: false).a_checkpoint_moves_only_from_where_it_is();
        await Assert.ThrowsAnyAsync<XunitException>(() => new OfReactions(breaks: true).a_checkpoint_moves_only_from_where_it_is());
    }

    private sealed class OfLog(bool breaks) : EventLogConformance
    {
        protected override Task<IEventLog> OpenAsync()
        {
            var log = new InMemoryEventLog(TimeProvider.System);
            return Task.FromResult<IEventLog>(breaks ? new CarelessLog(log) : log);
        }
    }

    private sealed class OfSnapshots(bool breaks) : SnapshotStoreConformance
    {
        protected override Task<ISnapshotStore> OpenAsync()
        {
            var store = new InMemorySnapshotStore();
            return Task.FromResult<ISnapshotStore>(breaks ? new CarelessSnapshots(store) : store);
        }
    }

    private sealed class OfViews(bool breaks) : ViewTableConformance
    {
        private readonly InMemoryViewStore _store = new(TimeProvider.System);

        protected override Task<IViewStore> StoreAsync() => Task.FromResult<IViewStore>(breaks ? new CarelessViews(_store) : _store);
    }

    private sealed class OfReactions(bool breaks) : ReactionStoreConformance
    {
        private readonly InMemoryReactionStore _store = new();

        protected override Task<IReactionStore> OpenAsync() => Task.FromResult<IReactionStore>(breaks ? new CarelessReactions(_store) : _store);
    }

    private sealed class CarelessLog(IEventLog inner) : IEventLog
    {
        public Task<IReadOnlyList<AppendOutcome>> AppendAsync(IReadOnlyList<AppendRequest> batch, CancellationToken cancellationToken) =>
            inner.AppendAsync([.. batch.Select(r => r.Expecting(ExpectedVersion.Any))], cancellationToken);

        public Task<IReadOnlyList<IReadOnlyList<RecordedEvent>>> ReadStreamsAsync(IReadOnlyList<StreamRead> reads, CancellationToken cancellationToken) => inner.ReadStreamsAsync(reads, cancellationToken);

        public Task<IReadOnlyList<RecordedEvent>> ReadLogAsync(LogPosition after, int maxEvents, CancellationToken cancellationToken) => inner.ReadLogAsync(after, maxEvents, cancellationToken);

        public Task<LogHead> ReadHeadAsync(CancellationToken cancellationToken) => inner.ReadHeadAsync(cancellationToken);

        public Task<RecordedEvent?> FindCommandAsync(CommandId command, CancellationToken cancellationToken) => inner.FindCommandAsync(command, cancellationToken);

        public Task<RecordedEvent?> FindEventAsync(EventId id, CancellationToken cancellationToken) => inner.FindEventAsync(id, cancellationToken);
    }

    private sealed class CarelessSnapshots(ISnapshotStore inner) : ISnapshotStore
    {
        public async Task<Snapshot?> ReadLatestAsync(Guid logId, StreamId stream, int foldVersion, StreamVersion? upTo, CancellationToken cancellationToken)
        {
            for (var fold = foldVersion + 1; fold >= foldVersion - 1; fold--)
            {
                if (await inner.ReadLatestAsync(logId, stream, fold, upTo, cancellationToken) is { } found)
                {
                    return found;
                }
            }

            return null;
        }

        public Task WriteAsync(Snapshot snapshot, CancellationToken cancellationToken) => inner.WriteAsync(snapshot, cancellationToken);

        public Task DeleteAsync(Guid logId, StreamId stream, int foldVersion, CancellationToken cancellationToken) => inner.DeleteAsync(logId, stream, foldVersion, cancellationToken);

        public Task<IReadOnlyList<SnapshotRow>> ListAsync(SnapshotRow? after, int limit, CancellationToken cancellationToken) => inner.ListAsync(after, limit, cancellationToken);
    }

    private sealed class CarelessViews(IViewStore inner) : IViewStore
    {
        public IViewTable<TRow> Table<TRow>(ViewRole role)
            where TRow : class => new CarelessTable<TRow>(inner.Table<TRow>(role));

        public IViewReader<TRow> Reader<TRow>(ViewRole role)
            where TRow : class => inner.Reader<TRow>(role);

        public IViewEditions Editions<TRow>()
            where TRow : class => inner.Editions<TRow>();

        public Task<IReadOnlyList<Checkpoint>> ReadCheckpointsAsync(CancellationToken cancellationToken) => inner.ReadCheckpointsAsync(cancellationToken);

        public Task<bool> DropAsync(ViewId view, CancellationToken cancellationToken) => inner.DropAsync(view, cancellationToken);
    }

    private sealed class CarelessTable<TRow>(IViewTable<TRow> inner) : HookedTable<TRow>(inner)
        where TRow : class
    {
        public override async Task<bool> CommitAsync(ViewCommit<TRow> commit, CancellationToken cancellationToken)
        {
            await base.CommitAsync(commit, cancellationToken);
            return true;
        }
    }

    private sealed class CarelessReactions(IReactionStore inner) : IReactionStore
    {
        public Task<OpenedReaction> OpenAsync(ReactionName reaction, LogPosition start, CancellationToken cancellationToken) => inner.OpenAsync(reaction, start, cancellationToken);

        public async Task<bool> MoveAsync(ReactionName reaction, LogPosition expected, LogPosition next, LogMark? mark, CancellationToken cancellationToken) =>
            await inner.MoveAsync(reaction, (await inner.OpenAsync(reaction, expected, cancellationToken)).Position, next, mark, cancellationToken);

        public Task<bool> SkipAsync(ReactionName reaction, SkippedEvent skipped, CancellationToken cancellationToken) => inner.SkipAsync(reaction, skipped, cancellationToken);

        public Task<IReadOnlyList<SkippedEvent>> ReadSkippedAsync(ReactionName reaction, CancellationToken cancellationToken) => inner.ReadSkippedAsync(reaction, cancellationToken);
    }
}
