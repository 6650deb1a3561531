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

    [Fact]
    public async Task two_runners_that_take_up_a_row_at_once_fold_what_waits_once()
    {
        var mood = Mood.Begin();
        await _bank.AppendAsync("a", new Opened("x"), new Deposited(1), new Cursed(), new Deposited(2));
        var table = new InMemoryViewTable<MoodyRow>();
        await AtHeadAsync(_bank.Runner(Moody, table));
        mood.IsMended = true;
        var slow = new HookedTable<MoodyRow>(table);
        slow.BeforeRows = async () =>
        {
            slow.BeforeRows = null;
            await AtHeadAsync(_bank.Runner(Moody, table));
        };

        await AtHeadAsync(_bank.Runner(Moody, slow));
        Assert.Equal((new MoodyRow(-3), new LogPosition(4)), (table.Rows["a"].Row, table.Rows["a"].Position));
    }

    [Fact]
    public async Task a_runner_whose_row_another_one_took_up_parks_no_later_event_of_it()
    {
        var mood = Mood.Begin();
        await _bank.AppendAsync("a", new Opened("x"), new Deposited(1), new Cursed());
        var table = new InMemoryViewTable<MoodyRow>();
        var runner = _bank.Runner(Moody, table);
        await AtHeadAsync(runner);
        mood.IsMended = true;
        await AtHeadAsync(_bank.Runner(Moody, table));

        await _bank.AppendAsync("a", new Deposited(2));
        await AtHeadAsync(runner);
        Assert.Empty(await table.ReadParkedAsync(Slice.Whole, default));
        Assert.Equal((new MoodyRow(-3), 0), (table.Rows["a"].Row, runner.Parked));
    }

    [Fact]
    public async Task a_row_whose_retry_the_table_did_not_answer_is_tried_again_by_the_next_step()
    {
        var mood = Mood.Begin();
        await _bank.AppendAsync("a", new Opened("x"), new Deposited(1), new Cursed());
        var table = new InMemoryViewTable<MoodyRow>();
        await AtHeadAsync(_bank.Runner(Moody, table));
        mood.IsMended = true;
        var failing = new HookedTable<MoodyRow>(table) { BeforeRows = () => throw new LogUnavailableException("not now") };
        var runner = _bank.Runner(Moody, failing);
        await Assert.ThrowsAsync<LogUnavailableException>(() => runner.StepAsync(PoisonPolicy.Park, default));
        failing.BeforeRows = null;
        await AtHeadAsync(runner);
        Assert.Equal((new MoodyRow(-5), 0), (table.Rows["a"].Row, runner.Parked));
    }

    [Fact]
    public async Task between_two_rows_that_are_taken_up_the_others_go_on()
    {
        var mood = Mood.Begin();
        foreach (var account in (string[])["a", "b", "c"])
        {
            await _bank.AppendAsync(account, new Opened("x"), new Cursed());
        }

        var table = new InMemoryViewTable<MoodyRow>();
        var runner = _bank.Runner(Moody, table);
        await AtHeadAsync(runner);
        mood.IsMended = true;
        runner.RetryParked();
        await _bank.AppendAsync("d", new Opened("x"));

        Assert.Equal(new ProjectionStep.Advanced(new LogPosition(7), 1), await runner.StepAsync(PoisonPolicy.Park, default));
        Assert.Equal(2, runner.Parked);
        await AtHeadAsync(runner);
        Assert.Equal(0, runner.Parked);
        Assert.Equal(4, table.Rows.Count);
    }

    [Fact]
    public async Task an_event_that_a_newer_fold_gives_another_row_is_not_dropped_but_waits_for_a_rebuild()
    {
        var mood = Mood.Begin();
        await _bank.AppendAsync("a", new Opened("x"), new Cursed(), new Deposited(2));
        var table = new InMemoryViewTable<MovedRow>();
        await AtHeadAsync(_bank.Runner(Projection.Of<MovedRow, AccountEvent>(), table));
        mood.IsMended = true;
        var runner = _bank.Runner(Projection.Of<MovedRow, AccountEvent>(), table);
        await AtHeadAsync(runner);
        Assert.Equal([2, 3], (await table.ReadParkedAsync(Slice.Whole, default)).Select(p => p.Position.Value));
        Assert.Contains("rebuild", runner.FirstParked!.Fault, StringComparison.Ordinal);
    }

    [Fact]
    public async Task a_stream_whose_first_event_is_skipped_concerns_no_row_any_more()
    {
        Mood.Begin();
        await _bank.AppendAsync("a", new Opened("cursed"), new Deposited(1), new Deposited(2));
        var table = new InMemoryViewTable<MoodyBranch>();
        var runner = _bank.Runner(Branches, table, stepEvents: 2);
        await AtHeadAsync(runner);
        Assert.Equal(3, (await table.ReadParkedAsync(Slice.Whole, default)).Count);
        await table.SkipAsync(new SkippedEvent(new LogPosition(1), "cursed", null, DateTimeOffset.UnixEpoch), default);
        runner.RetryParked();
        await AtHeadAsync(runner);
        await _bank.AppendAsync("a", new Deposited(3));
        await AtHeadAsync(runner);
        Assert.Equal((0, 0, 0), (runner.Parked, table.Rows.Count, table.Routes));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public async Task whatever_is_skipped_in_a_view_with_routes_its_rows_come_to_those_of_a_fold_without_it(int seed)
    {
        Mood.Begin();
        var random = new Random(seed);
        var table = new InMemoryViewTable<MoodyBranch>();
        var runner = _bank.Runner(Branches, table, stepEvents: 3);
        for (var i = 0; i < 60; i++)
        {
            await LiveAsync(random);
            await runner.StepAsync(PoisonPolicy.Park, default);
            if (runner.FirstParked is { Position: var refused } && random.Next(3) == 0)
            {
                await table.SkipAsync(new SkippedEvent(refused, "cursed", null, DateTimeOffset.UnixEpoch), default);
                runner.RetryParked();
            }
        }

        await AtHeadAsync(runner);
        while (runner.FirstParked is { Position: var refused })
        {
            await table.SkipAsync(new SkippedEvent(refused, "cursed", null, DateTimeOffset.UnixEpoch), default);
            runner.RetryParked();
            await AtHeadAsync(runner);
        }

        await LiveAsync(random);
        await AtHeadAsync(runner);
        var straight = new InMemoryViewTable<MoodyBranch>();
        foreach (var skipped in await table.ReadSkippedAsync(default))
        {
            await straight.SkipAsync(skipped, default);
        }

        await AtHeadAsync(_bank.Runner(Branches, straight));
        Assert.NotEmpty(await straight.ReadSkippedAsync(default));
        Assert.Equal(straight.Rows.ToDictionary(r => r.Key, r => r.Value.Row), table.Rows.ToDictionary(r => r.Key, r => r.Value.Row));
        Assert.Equal(straight.Routes, table.Routes);
    }

    [Fact]
    public void a_fault_can_be_stored_whatever_the_fold_said()
    {
        Assert.Equal("no NUL \uFFFD, nor a half \uFFFD of a pair", new ParkedEvent("a", new LogPosition(1), "no NUL \0, nor a half \uD83D of a pair").Fault);
        var begins = new string('x', ParkedEvent.MaxFault - 1);
        Assert.Equal(begins, new ParkedEvent("a", new LogPosition(1), begins + "\U0001F600").Fault);
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
            await LiveAsync(random);
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

    /// <summary>Opens an account in one of four branches, where it is new, and pays in or curses.</summary>
    private async Task LiveAsync(Random random)
    {
        var account = $"a{random.Next(12)}";
        if (_bank.Accounts.TryAdd(account, new AccountRow("", 0, 0)))
        {
            await _bank.AppendAsync(account, new Opened($"x{random.Next(4)}"));
        }

        await _bank.AppendAsync(account, random.Next(8) == 0 ? new Cursed() : new Deposited(random.Next(1, 100)));
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

        public static bool IsMendedNow => Current.Value is { IsMended: true };

        public static void Suffer()
        {
            if (!IsMendedNow)
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

    /// <summary>The mended fold gives a curse, and what is behind it, to another row.</summary>
    [View("moved")]
    private sealed record MovedRow(int Events) : IView<MovedRow, AccountEvent>
    {
        public static string? KeyOf(ViewEvent<AccountEvent> e) => e.Event is not Opened && Mood.IsMendedNow ? "another" : e.Recorded.Stream.Key;

        public static MovedRow? Apply(MovedRow? row, string key, ViewEvent<AccountEvent> e)
        {
            if (e.Event is Cursed)
            {
                Mood.Suffer();
            }

            return new MovedRow((row?.Events ?? 0) + 1);
        }
    }

    /// <summary>All accounts of a branch together: the order of events shows, and what their routes hold.</summary>
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
            if (e.Event is Cursed or Opened { Branch: "cursed" })
            {
                Mood.Suffer();
            }

            return new MoodyBranch(unchecked(((row?.Balance ?? 0) * 31) + after.Balance));
        }
    }
}
