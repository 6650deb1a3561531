using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Projections;
using Xunit;

namespace Orleans.EventSourced.UnitTests.Projections;

public sealed class ViewComparisonTests
{
    private static readonly Projection<BranchRow> Branches = Projection.Of<BranchRow, AccountEvent, BranchRow.Route>();
    private readonly Bank _bank = new();
    private readonly InMemoryViewTable<BranchRow> _table = new();

    [Fact]
    public async Task a_table_that_the_runners_kept_is_equal()
    {
        await _bank.LiveAsync(seed: 1, commits: 200);
        await ToHeadAsync();
        var report = await CompareAsync();
        Assert.Equal((true, _table.Rows.Count, Branches.View), (report.IsEqual, (int)report.Rows, report.View));
        Assert.True(report.Position > new LogPosition(200));
    }

    [Fact]
    public async Task a_row_that_is_another_one_is_missing_or_is_too_many_is_named_with_both_sides()
    {
        await _bank.AppendAsync("a", new Opened("x"), new Deposited(5));
        await _bank.AppendAsync("b", new Opened("y"));
        await ToHeadAsync();
        var at = new LogPosition(3);
        Assert.True(await _table.CommitAsync(
            new ViewCommit<BranchRow>(Slice.Whole, 1, at, at, [new("x", new BranchRow(1, 6), new(2)), new("y", null, new(3)), new("z", new BranchRow(0, 0), new(1))], []), CancellationToken.None));

        var report = await CompareAsync();
        Assert.False(report.IsEqual);
        Assert.Equal(["x", "y", "z"], report.Differences.Select(d => d.Key));
        Assert.Contains("Balance = 5", report.Differences[0].Expected, StringComparison.Ordinal);
        Assert.Contains("Balance = 6", report.Differences[0].Found, StringComparison.Ordinal);
        Assert.Null(report.Differences[1].Found);
        Assert.Null(report.Differences[2].Expected);
    }

    [Fact]
    public async Task a_row_whose_position_alone_is_wrong_differs()
    {
        await _bank.AppendAsync("a", new Opened("x"), new Deposited(5));
        await ToHeadAsync();
        Assert.True(await _table.CommitAsync(new ViewCommit<BranchRow>(Slice.Whole, 1, new(2), new(2), [new("x", new BranchRow(1, 5), new(99))], []), CancellationToken.None));
        Assert.Equal("x", Assert.Single((await CompareAsync()).Differences).Key);
    }

    [Fact]
    public async Task rows_that_lag_are_waited_for_and_no_difference()
    {
        await _bank.LiveAsync(seed: 2, commits: 100);
        var comparing = CompareAsync();
        await ToHeadAsync();
        Assert.True((await comparing).IsEqual);
    }

    [Fact]
    public async Task while_events_come_in_a_right_table_is_equal()
    {
        await _bank.LiveAsync(seed: 3, commits: 100);
        await ToHeadAsync();
        var writing = Task.Run(async () =>
        {
            for (var i = 0; i < 30; i++)
            {
                await _bank.LiveAsync(seed: 100 + i, commits: 5);
                await ToHeadAsync();
            }
        });
        while (!writing.IsCompleted)
        {
            var report = await CompareAsync();
            Assert.True(report.IsEqual, string.Join("; ", report.Differences));
        }

        await writing;
    }

    [Fact]
    public async Task an_event_that_the_fold_refuses_leaves_nothing_to_compare_with()
    {
        await _bank.AppendAsync("a", new Opened("x"), new Cursed());
        await Assert.ThrowsAsync<ViewFoldException>(CompareAsync);
    }

    private Task<ViewComparisonReport> CompareAsync() => ViewComparison.RunAsync(Branches, 1, [], PoisonPolicy.Stop, _table, _bank.Tail(), TimeProvider.System, CancellationToken.None);

    private async Task ToHeadAsync()
    {
        var runner = _bank.Runner(Branches, _table);
        while (await runner.StepAsync(CancellationToken.None) is not ProjectionStep.AtHead)
        {
            // On to the head.
        }
    }
}
