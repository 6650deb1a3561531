using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Projections;
using Xunit;

namespace Orleans.EventSourced.UnitTests.Projections;

public sealed class ParkingTests
{
    private static readonly Projection<MoodyRow> Moody = Projection.Of<MoodyRow, AccountEvent>();
    private static readonly Projection<MoodyBranch> Branches = Projection.Of<MoodyBranch, AccountEvent, MoodyBranch.Route>();
    private readonly Bank _bank = new();

    [Fact]
    public async Task a_parked_row_stands_still_while_all_others_go_on()
    {
        Mood.Begin();
        await _bank.AppendAsync("a", new Opened("x"), new Deposited(1), new Cursed());
        await _bank.AppendAsync("b", new Opened("x"), new Deposited(10));
        await _bank.AppendAsync("a", new Deposited(2), new Deposited(3));
        var table = new InMemoryViewTable<MoodyRow>();
        var runner = _bank.Runner(Moody, table);
        await AtHeadAsync(runner);

        Assert.Equal(1, runner.Parked);
        Assert.Equal((new MoodyRow(1), new LogPosition(2)), (table.Rows["a"].Row, table.Rows["a"].Position));
        Assert.Equal(new MoodyRow(10), table.Rows["b"].Row);
        Assert.Equal([3, 6, 7], (await table.ReadParkedAsync(Slice.Whole, default)).Select(p => p.Position.Value));
        Assert.Equal([true, false, false], (await table.ReadParkedAsync(Slice.Whole, default)).Select(p => p.Fault is not null));
        Assert.Contains("cursed", runner.FirstParked!.Fault, StringComparison.Ordinal);

        // An answer claims no more than the row holds.
        Assert.Equal(new LogPosition(2), (await table.ReadAsync("a", Slice.Whole, default)).Reflects);
        Assert.Equal(new LogPosition(7), (await table.ReadAsync("b", Slice.Whole, default)).Reflects);
        Assert.Equal(new LogPosition(2), (await table.QueryAsync(new RowQueryPlan<MoodyRow>(new RowQuery()), default)).Reflects);
        Assert.True((await ViewComparison.RunAsync(Moody, 1, [], PoisonPolicy.Park, table, _bank.Tail(), TimeProvider.System, default)).IsEqual);
    }

    [Fact]
    public async Task by_a_mended_fold_the_next_runner_takes_up_what_waits_in_order()
    {
        var mood = Mood.Begin();
        await _bank.AppendAsync("a", new Opened("x"), new Deposited(1), new Cursed(), new Deposited(2));
        var table = new InMemoryViewTable<MoodyRow>();
        await AtHeadAsync(_bank.Runner(Moody, table));
        mood.IsMended = true;

        var next = _bank.Runner(Moody, table);
        await AtHeadAsync(next);
        Assert.Equal((new MoodyRow(-3), new LogPosition(4)), (table.Rows["a"].Row, table.Rows["a"].Position));
        Assert.Equal(0, next.Parked);
        Assert.Empty(await table.ReadParkedAsync(Slice.Whole, default));
        Assert.Equal(new LogPosition(4), (await table.ReadAsync("a", Slice.Whole, default)).Reflects);
    }

    [Fact]
    public async Task an_event_that_is_skipped_lets_its_row_go_on_up_to_the_next_one_refused()
    {
        Mood.Begin();
        await _bank.AppendAsync("a", new Opened("x"), new Cursed(), new Deposited(2), new Cursed(), new Deposited(4));
        var table = new InMemoryViewTable<MoodyRow>();
        var runner = _bank.Runner(Moody, table);
        await AtHeadAsync(runner);
        await table.SkipAsync(new SkippedEvent(new LogPosition(2), "cursed", null, DateTimeOffset.UnixEpoch), default);
        runner.RetryParked();
        await AtHeadAsync(runner);
        Assert.Equal((new MoodyRow(2), new LogPosition(3)), (table.Rows["a"].Row, table.Rows["a"].Position));
        Assert.Equal([4, 5], (await table.ReadParkedAsync(Slice.Whole, default)).Select(p => p.Position.Value));
        Assert.Equal(new LogPosition(4), runner.FirstParked!.Position);

        await table.SkipAsync(new SkippedEvent(new LogPosition(4), "cursed", null, DateTimeOffset.UnixEpoch), default);
        runner.RetryParked();
        await AtHeadAsync(runner);
        Assert.Equal((new MoodyRow(6), new LogPosition(5)), (table.Rows["a"].Row, table.Rows["a"].Position));
        Assert.Equal(0, runner.Parked);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public async Task whatever_was_parked_in_a_view_with_routes_comes_to_the_same_rows_when_its_fold_is_mended(int seed)
    {
        var mood = Mood.Begin();
        var random = new Random(seed);
        var table = new InMemoryViewTable<MoodyBranch>();
        var runners = new[] { _bank.Runner(Branches, table, stepEvents: 3), _bank.Runner(Branches, table, stepEvents: 5) };
        for (var i = 0; i < 40; i++)
        {
            var account = $"a{random.Next(12)}";
            if (_bank.Accounts.TryAdd(account, new AccountRow("", 0, 0)))
            {
                await _bank.AppendAsync(account, new Opened($"x{random.Next(4)}"));
            }

            await _bank.AppendAsync(account, random.Next(8) == 0 ? new Cursed() : new Deposited(random.Next(1, 100)));
            await runners[random.Next(2)].StepAsync(PoisonPolicy.Park, default);
        }

        await AtHeadAsync(runners[0]);
        Assert.NotEqual(0, runners[0].Parked);
        mood.IsMended = true;
        await AtHeadAsync(_bank.Runner(Branches, table));

        var straight = new InMemoryViewTable<MoodyBranch>();
        await AtHeadAsync(_bank.Runner(Branches, straight));
        Assert.Equal(straight.Rows, table.Rows);
        Assert.Empty(await table.ReadParkedAsync(Slice.Whole, default));
    }

    [Fact]
    public async Task when_too_many_events_wait_for_a_row_the_slice_stops()
    {
        Mood.Begin();
        await _bank.AppendAsync("a", new Opened("x"), new Cursed());
        await _bank.AppendAsync("a", [.. Enumerable.Repeat(new Deposited(1), ParkedEvent.MaxWaiting)]);
        var table = new InMemoryViewTable<MoodyRow>();
        var runner = _bank.Runner(Moody, table, stepEvents: 100);
        ProjectionStep step;
        while ((step = await runner.StepAsync(PoisonPolicy.Park, default)) is ProjectionStep.Advanced)
        {
            // Up to the one that is too many.
        }

        var stopped = Assert.IsType<ProjectionStep.Poisoned>(step);
        Assert.Equal(ParkedEvent.MaxWaiting + 2, stopped.Fault.Recorded.Position.Value);
        Assert.Contains("1000 events wait", stopped.Fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task when_too_many_rows_are_parked_the_slice_stops_at_the_next_one()
    {
        Mood.Begin();
        for (var i = 0; i <= ParkedEvent.MaxRows; i++)
        {
            await _bank.AppendAsync($"a{i}", new Opened("x"), new Cursed());
        }

        var runner = _bank.Runner(Moody, new InMemoryViewTable<MoodyRow>());
        ProjectionStep step;
        while ((step = await runner.StepAsync(PoisonPolicy.Park, default)) is ProjectionStep.Advanced)
        {
            // Up to the one that is too many.
        }

        Assert.Equal(2 * (ParkedEvent.MaxRows + 1), Assert.IsType<ProjectionStep.Poisoned>(step).Fault.Recorded.Position.Value);
        Assert.Equal(ParkedEvent.MaxRows, runner.Parked);
    }

    [Fact]
    public async Task an_event_whose_row_is_not_known_is_not_parked()
    {
        Mood.Begin();
        await _bank.AppendAsync("a", new Opened("x"), new Deposited(EighthRow.Keyless));
        var runner = _bank.Runner(Projection.Of<EighthRow, AccountEvent>(), new InMemoryViewTable<EighthRow>());
        Assert.IsType<ProjectionStep.Advanced>(await runner.StepAsync(PoisonPolicy.Park, default));
        Assert.IsType<ProjectionStep.Poisoned>(await runner.StepAsync(PoisonPolicy.Park, default));
        Assert.Equal(0, runner.Parked);
    }

    private static async Task AtHeadAsync<TRow>(ProjectionRunner<TRow> runner)
        where TRow : class
    {
        while (await runner.StepAsync(PoisonPolicy.Park, default) is var step and not ProjectionStep.AtHead)
        {
            Assert.True(step is ProjectionStep.Advanced or ProjectionStep.Overtaken, $"{step}");
        }
    }

    /// <summary>Whether the folds of the test that runs are mended.</summary>
    private sealed class Mood
    {
        private static readonly AsyncLocal<Mood?> Current = new();

        public bool IsMended { get; set; }

        public static Mood Begin() => Current.Value = new Mood();

        public static void Suffer()
        {
            if (Current.Value is not { IsMended: true })
            {
                throw new InvalidOperationException("cursed");
            }
        }
    }

    /// <summary>A mended curse turns the balance round, so that the order of events shows.</summary>
    [View("moody")]
    private sealed record MoodyRow(int Balance) : IView<MoodyRow, AccountEvent>
    {
        public static string? KeyOf(ViewEvent<AccountEvent> e) => e.Recorded.Stream.Key;

        public static MoodyRow? Apply(MoodyRow? row, string key, ViewEvent<AccountEvent> e)
        {
            switch (e.Event)
            {
                case Opened:
                    return new MoodyRow(0);
                case Deposited deposited:
                    return new MoodyRow(row!.Balance + deposited.Amount);
                default:
                    Mood.Suffer();
                    return new MoodyRow(-row!.Balance - 4);
            }
        }
    }

    /// <summary>The same, for all accounts of a branch together.</summary>
    [View("moody_branch")]
    private sealed record MoodyBranch(int Balance) : IRoutedView<MoodyBranch, AccountEvent, MoodyBranch.Route>
    {
        internal sealed record Route(string Branch, int Balance);

        public static Route? Follow(Route? route, ViewEvent<AccountEvent> e) => e.Event switch
        {
            Opened opened => new Route(opened.Branch, 0),
            Deposited deposited => route! with { Balance = route.Balance + deposited.Amount },
            _ => route! with { Balance = -route.Balance },
        };

        public static string? KeyOf(Route route) => route.Branch;

        public static MoodyBranch? Apply(MoodyBranch? row, string key, Route? before, Route after, ViewEvent<AccountEvent> e)
        {
            if (e.Event is Cursed)
            {
                Mood.Suffer();
                return new MoodyBranch(-(row?.Balance ?? 0));
            }

            return new MoodyBranch((row?.Balance ?? 0) + after.Balance - (before?.Balance ?? 0));
        }
    }
}
