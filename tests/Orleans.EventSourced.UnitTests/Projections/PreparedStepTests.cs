using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Projections;
using Xunit;

namespace Orleans.EventSourced.UnitTests.Projections;

/// <summary>A runner prepares its next step while one is written, and knows what it wrote itself.</summary>
public sealed class PreparedStepTests
{
    private readonly Bank _bank = new();

    [Fact]
    public async Task while_a_step_is_written_the_rows_of_the_next_one_are_read_but_for_those_that_it_writes_itself()
    {
        await _bank.AppendAsync("a", new Opened("x"), new Deposited(1));
        await _bank.AppendAsync("b", new Opened("x"), new Deposited(2));
        await _bank.AppendAsync("a", new Deposited(3), new Closed());
        await _bank.AppendAsync("c", new Opened("x"), new Deposited(4));
        await _bank.AppendAsync("a", new Opened("y"), new Deposited(5));
        await _bank.AppendAsync("b", new Deposited(6), new Deposited(7));
        var rows = new InMemoryViewTable<AccountRow>();
        var table = new WatchedTable<AccountRow>(rows) { OverlapsCommitOf = 4 };
        var runner = _bank.Runner(Projection.Of<AccountRow, AccountEvent>(), table, stepEvents: 4);
        while (await runner.StepAsync(CancellationToken.None) is not ProjectionStep.AtHead)
        {
            // One after the other.
        }

        // Neither a deleted row nor one that is being written is read again.
        Assert.Equal(["a", "b", "c"], table.KeysRead);
        Assert.Equal([new("y", 5, 1), new("x", 15, 3), new("x", 4, 1)], rows.Rows.OrderBy(r => r.Key, StringComparer.Ordinal).Select(r => r.Value.Row));
    }

    [Fact]
    public async Task of_more_rows_than_it_keeps_those_changed_long_ago_are_read_again()
    {
        const int Count = KnownRows<AccountRow>.MaxKept + 10;
        var table = new WatchedTable<AccountRow>(new InMemoryViewTable<AccountRow>());
        await table.OpenAsync(Slice.Whole, CancellationToken.None);
        var known = new KnownRows<AccountRow>(table, Slice.Whole);
        for (var i = 0; i < Count; i++)
        {
            known.Add(new ViewCommit<AccountRow>(Slice.Whole, 1, new(i), new(i + 1), [new($"{i}", new("x", i, 0), new(i + 1))], []));
        }

        await known.ReadRowsAsync(["0", $"{Count - 1}", $"{Count / 2 + 1}"], CancellationToken.None);
        Assert.Equal(["0"], table.KeysRead);
    }

    [Fact]
    public async Task a_step_of_more_rows_than_are_kept_does_not_let_the_next_one_fold_old_rows()
    {
        const int Count = KnownRows<AccountRow>.MaxKept + 1_000;
        await AllAsync(new Opened("x"));
        await AllAsync(new Deposited(1));
        await AllAsync(new Deposited(1));
        var rows = new InMemoryViewTable<AccountRow>();
        var runner = _bank.Runner(Projection.Of<AccountRow, AccountEvent>(), new SlowTable<AccountRow>(rows), stepEvents: Count);
        while (await runner.StepAsync(CancellationToken.None) is not ProjectionStep.AtHead)
        {
            // One after the other.
        }

        Assert.Equal(Count, rows.Rows.Count(r => r.Value.Row == new AccountRow("x", 2, 2)));

        async Task AllAsync(AccountEvent e)
        {
            for (var i = 0; i < Count; i++)
            {
                await _bank.AppendAsync($"{i}", e);
            }
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public async Task whatever_fails_and_whoever_comes_between_the_rows_equal_the_fold(int seed)
    {
        await _bank.LiveAsync(seed, commits: 400);
        var random = new Random(seed);
        var rows = new InMemoryViewTable<BranchRow>();
        var runners = Enumerable.Range(0, 3).Select(i => _bank.Runner(Projection.Of<BranchRow, AccountEvent, BranchRow.Route>(), new MoodyTable<BranchRow>(rows, seed + i), stepEvents: 3 + i)).ToArray();
        for (var (atHead, steps) = (0, 0); atHead < 3; steps++)
        {
            Assert.True(steps < 20_000, $"after {steps} steps, seed {seed}, the rows are not at the head");
            try
            {
                // Mostly the same one, so that it comes to prepare steps.
                atHead = await runners[Math.Max(0, random.Next(12) - 9)].StepAsync(CancellationToken.None) is ProjectionStep.AtHead ? atHead + 1 : 0;
            }
            catch (LogUnavailableException)
            {
                atHead = 0;
            }
        }

        Assert.Equal(_bank.BranchRows, rows.Rows.ToDictionary(r => r.Key, r => r.Value.Row, StringComparer.Ordinal));
    }

    /// <summary>Keeps which rows were read, and lets one commit wait until rows were read beside it.</summary>
    private sealed class WatchedTable<TRow>(IViewTable<TRow> inner) : HookedTable<TRow>(inner)
        where TRow : class
    {
        private readonly TaskCompletionSource _readAgain = new();

        public List<string> KeysRead { get; } = [];

        public long OverlapsCommitOf { get; init; }

        public override async Task<IReadOnlyDictionary<string, TRow>> ReadRowsAsync(IReadOnlyCollection<string> keys, CancellationToken cancellationToken)
        {
            if (KeysRead.Count > 0)
            {
                _readAgain.TrySetResult();
            }

            KeysRead.AddRange(keys.Order(StringComparer.Ordinal));
            return await base.ReadRowsAsync(keys, cancellationToken);
        }

        public override async Task<bool> CommitAsync(ViewCommit<TRow> commit, CancellationToken cancellationToken)
        {
            if (commit.Next.Value == OverlapsCommitOf)
            {
                await Task.WhenAny(_readAgain.Task, Task.Delay(TimeSpan.FromSeconds(30), TimeProvider.System, cancellationToken));
                Assert.True(_readAgain.Task.IsCompleted, "no rows of the next step were read while this one was written");
            }

            return await base.CommitAsync(commit, cancellationToken);
        }
    }

    /// <summary>Gives whoever reads beside a commit the time to do it.</summary>
    private sealed class SlowTable<TRow>(IViewTable<TRow> inner) : HookedTable<TRow>(inner)
        where TRow : class
    {
        private int _reads;

        public override Task<IReadOnlyDictionary<string, TRow>> ReadRowsAsync(IReadOnlyCollection<string> keys, CancellationToken cancellationToken)
        {
            Interlocked.Increment(ref _reads);
            return base.ReadRowsAsync(keys, cancellationToken);
        }

        public override async Task<bool> CommitAsync(ViewCommit<TRow> commit, CancellationToken cancellationToken)
        {
            var (reads, since) = (Volatile.Read(ref _reads), TimeProvider.System.GetTimestamp());
            while (Volatile.Read(ref _reads) == reads && TimeProvider.System.GetElapsedTime(since) < TimeSpan.FromSeconds(1))
            {
                await Task.Yield();
            }

            return await base.CommitAsync(commit, cancellationToken);
        }
    }

    /// <summary>One in six commits fails, half of them written; one in eight reads fails; and what it does may take a moment.</summary>
    private sealed class MoodyTable<TRow>(IViewTable<TRow> inner, int seed) : HookedTable<TRow>(inner)
        where TRow : class
    {
        private readonly Random _random = new(seed);

        public override async Task<IReadOnlyDictionary<string, TRow>> ReadRowsAsync(IReadOnlyCollection<string> keys, CancellationToken cancellationToken)
        {
            await Task.Yield();
            return Next(8) == 0 ? throw new LogUnavailableException("no answer") : await base.ReadRowsAsync(keys, cancellationToken);
        }

        public override async Task<bool> CommitAsync(ViewCommit<TRow> commit, CancellationToken cancellationToken)
        {
            await Task.Yield();
            var fault = Next(12);
            if (fault == 0)
            {
                throw new LogUnavailableException("not written");
            }

            var written = await base.CommitAsync(commit, cancellationToken);
            return fault == 1 ? throw new LogUnavailableException("the reply is lost") : written;
        }

        private int Next(int below)
        {
            lock (_random)
            {
                return _random.Next(below);
            }
        }
    }
}
