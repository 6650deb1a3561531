using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Projections;
using Xunit;

namespace Orleans.EventSourced.UnitTests.Projections;

public sealed class ProjectionRunnerTests
{
    private static readonly Projection<AccountRow> Accounts = Projection.Of<AccountRow, AccountEvent>();
    private static readonly Projection<BranchRow> Branches = Projection.Of<BranchRow, AccountEvent, BranchRow.Route>();
    private readonly Bank _bank = new();

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(10_000)]
    public async Task rows_equal_the_fold_whatever_the_size_of_a_step(int stepEvents)
    {
        await _bank.LiveAsync(seed: 1, commits: 300);
        var (accounts, branches) = (new InMemoryViewTable<AccountRow>(), new InMemoryViewTable<BranchRow>());
        await ToHeadAsync(_bank.Runner(Accounts, accounts, stepEvents: stepEvents));
        await ToHeadAsync(_bank.Runner(Branches, branches, stepEvents: stepEvents));

        AssertEqualsFold(accounts);
        AssertEqualsFold(branches);
    }

    [Theory]
    [InlineData(2)]
    [InlineData(4)]
    public async Task slices_share_the_rows_and_keep_the_routes_of_their_own_streams_alone(int slices)
    {
        await _bank.LiveAsync(seed: 2, commits: 300);
        var (accounts, branches, whole) = (new InMemoryViewTable<AccountRow>(), new InMemoryViewTable<BranchRow>(), new InMemoryViewTable<BranchRow>());
        await ToHeadAsync(_bank.Runner(Branches, whole));
        for (var i = 0; i < slices; i++)
        {
            await ToHeadAsync(_bank.Runner(Accounts, accounts, new Slice(i, slices)));
            await ToHeadAsync(_bank.Runner(Branches, branches, new Slice(i, slices)));
        }

        AssertEqualsFold(accounts);
        AssertEqualsFold(branches);
        Assert.Equal(whole.Routes, branches.Routes);
        await Assert.ThrowsAsync<LogMisconfiguredException>(() => _bank.Runner(Branches, branches, new Slice(0, slices + 1)).StepAsync(CancellationToken.None));
    }

    [Fact]
    public async Task a_deleted_row_leaves_its_tombstone_and_a_row_the_position_of_its_last_event()
    {
        var table = new InMemoryViewTable<AccountRow>();
        await _bank.AppendAsync("a", new Opened("x"), new Deposited(5));
        await _bank.AppendAsync("b", new Opened("x"));
        await _bank.AppendAsync("a", new Closed());
        await ToHeadAsync(_bank.Runner(Accounts, table));
        Assert.Equal((new AccountRow("x", 0, 0), new LogPosition(3)), Assert.Single(table.Rows).Value);
        Assert.Equal(("a", new LogPosition(4)), (Assert.Single(table.Tombstones).Key, table.Tombstones["a"]));

        await _bank.AppendAsync("a", new Opened("y"));
        await ToHeadAsync(_bank.Runner(Accounts, table));
        Assert.Empty(table.Tombstones);
        Assert.Equal((new AccountRow("y", 0, 0), new LogPosition(5)), table.Rows["a"]);
    }

    [Fact]
    public async Task two_runners_of_one_slice_disturb_each_other_and_never_the_rows()
    {
        await _bank.LiveAsync(seed: 3, commits: 200);
        var table = new InMemoryViewTable<BranchRow>();
        var runners = new[] { _bank.Runner(Branches, table), _bank.Runner(Branches, table, stepEvents: 5) };
        var (random, overtaken) = (new Random(3), 0);
        for (var atHead = 0; atHead < 2;)
        {
            var step = await runners[random.Next(2)].StepAsync(CancellationToken.None);
            overtaken += step is ProjectionStep.Overtaken ? 1 : 0;
            atHead = step is ProjectionStep.AtHead ? atHead + 1 : 0;
        }

        Assert.True(overtaken > 10, $"overtaken {overtaken} times");
        AssertEqualsFold(table);
    }

    [Fact]
    public async Task a_commit_whose_reply_was_lost_is_not_folded_twice()
    {
        await _bank.LiveAsync(seed: 4, commits: 100);
        var table = new InMemoryViewTable<BranchRow>();
        var forgetful = new ForgetfulTable<BranchRow>(table);
        var runner = _bank.Runner(Branches, forgetful);
        for (var atHead = false; !atHead;)
        {
            try
            {
                atHead = await runner.StepAsync(CancellationToken.None) is ProjectionStep.AtHead;
            }
            catch (LogUnavailableException)
            {
                // As a silo would: it tries again.
            }
        }

        Assert.True(forgetful.Lost > 10, $"{forgetful.Lost} lost");
        AssertEqualsFold(table);
    }

    [Fact]
    public async Task at_an_event_that_the_fold_refuses_the_projection_stands_still_with_all_before_it_in_the_rows()
    {
        await _bank.AppendAsync("a", new Opened("x"), new Deposited(5));
        await _bank.AppendAsync("a", new Deposited(6), new Cursed(), new Deposited(7));
        Assert.Equal(11, (await StandsStillAsync(Accounts)).Rows["a"].Row.Balance);
        Assert.Equal(11, (await StandsStillAsync(Branches)).Rows["x"].Row.Balance);
    }

    [Theory]
    [InlineData(1, "0.125")]
    [InlineData(EighthRow.Keyless, "NUL")]
    public async Task a_row_that_no_table_keeps_poisons_its_event_and_no_other(int amount, string reason)
    {
        await _bank.AppendAsync("a", new Opened("x"), new Deposited(4));
        await _bank.AppendAsync("b", new Opened("x"), new Deposited(amount), new Deposited(8));
        var table = new InMemoryViewTable<EighthRow>();
        var runner = _bank.Runner(Projection.Of<EighthRow, AccountEvent>(), table);

        Assert.Equal(new ProjectionStep.Advanced(new LogPosition(3), 3), await runner.StepAsync(CancellationToken.None));
        var fault = Assert.IsType<ProjectionStep.Poisoned>(await runner.StepAsync(CancellationToken.None)).Fault;
        Assert.Equal(new LogPosition(4), fault.Recorded.Position);
        Assert.Contains("View eighth_v1", fault.Message, StringComparison.Ordinal);
        Assert.Contains(reason, fault.Message, StringComparison.Ordinal);
        Assert.Equal([0.5m, 0m], table.Rows.OrderBy(r => r.Key, StringComparer.Ordinal).Select(r => r.Value.Row.Eighths));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(10_000)]
    public async Task a_fold_meets_the_row_as_tables_keep_it_within_a_step_too(int stepEvents)
    {
        await _bank.AppendAsync("a", new Opened("x"), new Deposited(4), new Deposited(4));
        var table = new InMemoryViewTable<EighthRow>();
        await ToHeadAsync(_bank.Runner(Projection.Of<EighthRow, AccountEvent>(), table, stepEvents: stepEvents));
        Assert.Equal("0.50 2010-03-31T21:30:00.0000000+00:00", table.Rows["a"].Row.Seen);
    }

    [Fact]
    public async Task at_an_event_of_an_unknown_type_it_says_what_it_lacks()
    {
        await _bank.AppendAsync("a", new Opened("x"), new Deposited(5));
        var (stream, command) = (new StreamId("account", "a"), CommandId.New(TimeProvider.System));
        await _bank.Log.AppendAsync([new AppendRequest(stream, ExpectedVersion.Any, [new NewEvent(EventId.Derive(command, stream, 0), "account-split", 1, "{}"u8.ToArray(), new EventMetadata(command).ToJson())])], CancellationToken.None);
        var runner = _bank.Runner(Accounts, new InMemoryViewTable<AccountRow>());

        Assert.Equal(new LogPosition(2), Assert.IsType<ProjectionStep.Advanced>(await runner.StepAsync(CancellationToken.None)).Position);
        var unknown = Assert.IsType<ProjectionStep.Unknown>(await runner.StepAsync(CancellationToken.None));
        Assert.Equal((new LogPosition(2), "account-split"), (unknown.Position, unknown.Missing.EventType));
    }

    [Fact]
    public async Task a_view_that_was_folded_further_than_the_log_reaches_says_so_and_stays_as_it_is()
    {
        await _bank.AppendAsync("a", new Opened("x"), new Deposited(5));
        var table = new InMemoryViewTable<AccountRow>();
        await ToHeadAsync(_bank.Runner(Accounts, table));

        var restored = new Bank();
        await restored.AppendAsync("a", new Opened("y"));
        var e = await Assert.ThrowsAsync<LogMisconfiguredException>(() => restored.Runner(Accounts, table).StepAsync(CancellationToken.None));
        Assert.Contains("the log ends at 1", e.Message, StringComparison.Ordinal);
        Assert.Equal("x", table.Rows["a"].Row.Branch);
    }

    [Fact]
    public async Task a_log_that_went_back_is_known_also_when_it_has_grown_again()
    {
        await _bank.AppendAsync("a", new Opened("x"), new Deposited(5));
        var table = new InMemoryViewTable<AccountRow>();
        await ToHeadAsync(_bank.Runner(Accounts, table));

        var restored = new Bank();
        await restored.AppendAsync("a", new Opened("y"));
        await restored.AppendAsync("b", new Opened("y"), new Deposited(7));
        var e = await Assert.ThrowsAsync<LogMisconfiguredException>(() => restored.Runner(Accounts, table).StepAsync(CancellationToken.None));
        Assert.Contains("up to position 2, but the log has another event there", e.Message, StringComparison.Ordinal);
        Assert.Equal("x", Assert.Single(table.Rows).Value.Row.Branch);

        // Who stands where the logs agree goes on.
        await ToHeadAsync(restored.Runner(Accounts, new InMemoryViewTable<AccountRow>()));
    }

    [Fact]
    public async Task events_of_other_families_move_the_checkpoint_alone()
    {
        await _bank.AppendAsync("sky", "weather", new WeatherChanged(), new WeatherChanged());
        var table = new InMemoryViewTable<AccountRow>();
        Assert.Equal(new ProjectionStep.Advanced(new LogPosition(2), 2), await _bank.Runner(Accounts, table).StepAsync(CancellationToken.None));
        Assert.Empty(table.Rows);
    }

    [Theory]
    [InlineData("a", 0, 4)]
    [InlineData("foobar", 0, 4)]
    [InlineData("A10000", 3, 4)]
    [InlineData("ünï", 3, 7)]
    public void a_key_stays_in_its_slice_for_ever(string key, int slice, int slices) =>
        Assert.Equal([slice], Enumerable.Range(0, slices).Where(i => new Slice(i, slices).Owns(key)));

    [Fact]
    public async Task a_fold_that_fails_on_rows_which_a_twin_took_further_is_no_fault_of_the_event()
    {
        var bank = new Bank();
        await bank.AppendAsync("a", new Opened("x"));
        await bank.AppendAsync("a", new Deposited(5));
        await bank.AppendAsync("a", new Closed());
        var (projection, table) = (Projection.Of<AccountRow, AccountEvent>(), new InMemoryViewTable<AccountRow>());
        var twin = bank.Runner(projection, table, stepEvents: 1);
        Assert.Equal(new ProjectionStep.Advanced(new LogPosition(1), 1), await twin.StepAsync(CancellationToken.None));

        async Task TwinToHeadAsync()
        {
            while (await twin.StepAsync(CancellationToken.None) is ProjectionStep.Advanced)
            {
                // It closes the account, whose row is gone then.
            }
        }

        var runner = bank.Runner(projection, new HookedTable<AccountRow>(table) { BeforeRows = TwinToHeadAsync }, stepEvents: 1);
        Assert.Equal(new ProjectionStep.Overtaken(new LogPosition(3)), await runner.StepAsync(CancellationToken.None));
        Assert.Equal(new ProjectionStep.AtHead(new LogPosition(3)), await runner.StepAsync(CancellationToken.None));
    }

    [Fact]
    public void a_view_needs_a_name_that_sql_takes_as_it_is()
    {
        Assert.Equal("branch_v2", Branches.View.Table);
        Assert.Throws<ArgumentException>(() => new ViewId("Branch", 1));
        Assert.Throws<ArgumentException>(() => new ViewId("x; drop table y", 1));
        Assert.Throws<ArgumentException>(() => new ViewId("x", 0));
        Assert.Throws<ArgumentException>(() => ViewId.Of(typeof(string)));
        Assert.All(["checkpoints", "live", "sqlite_x", "x_v1", "x_v12_routes", "x_v1_tombstones"], name => Assert.Throws<ArgumentException>(() => new ViewId(name, 1)));
        Assert.All(["x_v", "checkpoints2", "x_v1_rows", "order"], name => Assert.Equal(name, new ViewId(name, 1).Name));
    }

    [Theory]
    [InlineData(typeof(SetRow))]
    [InlineData(typeof(PrivatelySetRow))]
    public void a_row_that_can_be_changed_after_it_was_made_is_refused_by_class_and_property(Type row)
    {
        var refused = Assert.Throws<ArgumentException>(() => ViewColumn.Of(row));
        Assert.Contains($"The property Balance of the row '{row}' can be changed", refused.Message, StringComparison.Ordinal);
    }

    private sealed record SetRow(string Owner)
    {
        public int Balance { get; set; }
    }

    private sealed record PrivatelySetRow(string Owner)
    {
        public int Balance { get; private set; }
    }

    /// <summary>The fourth event is the cursed one.</summary>
    private async Task<InMemoryViewTable<TRow>> StandsStillAsync<TRow>(Projection<TRow> projection)
        where TRow : class
    {
        var table = new InMemoryViewTable<TRow>();
        var runner = _bank.Runner(projection, table);
        Assert.Equal(new ProjectionStep.Advanced(new LogPosition(3), 3), await runner.StepAsync(CancellationToken.None));
        for (var i = 0; i < 2; i++)
        {
            var (position, fault) = Assert.IsType<ProjectionStep.Poisoned>(await runner.StepAsync(CancellationToken.None));
            Assert.Equal((3, 4, "account/a", 4), (position.Value, fault.Recorded.Position.Value, fault.Recorded.Stream.Value, fault.Recorded.Version.Value));
            Assert.Contains("account-cursed", fault.Message, StringComparison.Ordinal);
        }

        return table;
    }

    private static async Task ToHeadAsync<TRow>(ProjectionRunner<TRow> runner)
        where TRow : class
    {
        while (await runner.StepAsync(CancellationToken.None) is var step and not ProjectionStep.AtHead)
        {
            Assert.IsType<ProjectionStep.Advanced>(step);
        }
    }

    private void AssertEqualsFold(InMemoryViewTable<AccountRow> table) => Assert.Equal(_bank.Accounts, table.Rows.ToDictionary(r => r.Key, r => r.Value.Row, StringComparer.Ordinal));

    private void AssertEqualsFold(InMemoryViewTable<BranchRow> table) => Assert.Equal(_bank.BranchRows, table.Rows.ToDictionary(r => r.Key, r => r.Value.Row, StringComparer.Ordinal));

    /// <summary>Every third commit is written and its reply lost.</summary>
    private sealed class ForgetfulTable<TRow>(IViewTable<TRow> inner) : HookedTable<TRow>(inner)
        where TRow : class
    {
        private int _commits;

        public int Lost { get; private set; }

        public override async Task<bool> CommitAsync(ViewCommit<TRow> commit, CancellationToken cancellationToken)
        {
            var written = await base.CommitAsync(commit, cancellationToken);
            if (++_commits % 3 == 0)
            {
                Lost++;
                throw new LogUnavailableException("the reply is lost");
            }

            return written;
        }
    }
}
