using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Projections;
using Xunit;

namespace Orleans.EventSourced.UnitTests.Projections;

public sealed class ViewOverlayTests
{
    private const int Slices = 2;
    private static readonly Projection<Purse> Purses = Projection.Of<Purse, AccountEvent>();
    private static readonly Projection<BranchRow> Branches = Projection.Of<BranchRow, AccountEvent, BranchRow.Route>();
    private readonly Bank _bank = new();
    private readonly Dictionary<string, List<AccountEvent>> _history = new(StringComparer.Ordinal);

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    public async Task rows_and_pages_show_what_was_done_up_to_the_own_last_event_and_the_others_as_the_table_has_them(int seed)
    {
        var random = new Random(seed);
        var table = new InMemoryViewTable<Purse>();
        await LiveAsync(random, 60);
        var runners = Enumerable.Range(0, Slices).Select(s => _bank.Runner(Purses, table, new Slice(s, Slices))).ToArray();
        await AtHeadAsync(runners[0]);
        await AtHeadAsync(runners[1]);

        // From here on the slices lag behind, one more than the other.
        await LiveAsync(random, 30);
        await AtHeadAsync(runners[1]);
        await LiveAsync(random, 60);
        var own = _history.Where(_ => random.Next(2) == 0).ToDictionary(h => h.Key, h => random.Next(1, h.Value.Count + 1));

        var expected = new Dictionary<string, (Purse Row, bool IsPending)>(StringComparer.Ordinal);
        var overlay = new ViewOverlay<Purse>(Purses, table, table, _bank.Tail(), Slices);
        foreach (var (account, events) in _history)
        {
            var kept = table.Rows.TryGetValue(account, out var found) ? found.Row : null;
            var isPending = own.TryGetValue(account, out var last) && last > (kept?.Events ?? 0);
            var row = isPending ? events.Take(last).Aggregate((Purse?)null, Purse.Fold) : kept;
            if (row is not null)
            {
                expected.Add(account, (row, isPending));
            }

            var read = await overlay.ReadAsync(account, after => OwnAsync(own, after), default);
            Assert.Equal((row, isPending), (read!.Row?.Row, read.IsPending));
            Assert.Equal((await table.ReadAsync(account, Slice.Of(account, Slices), default)).Reflects, read.Reflects);
        }

        Assert.Contains(expected.Values, e => e.IsPending);
        Assert.Contains(expected.Values, e => !e.IsPending);
        foreach (var (sort, descending) in ((string?, bool)[])[(null, false), ("balance", false), ("balance", true), ("branch", true)])
        {
            var query = new RowQuery { SortBy = sort, Descending = descending, Limit = 3, Filters = [new RowFilter("balance", RowComparison.GreaterOrEqual, "60")] };
            var (rows, pending) = (new List<KeyedRow<Purse>>(), new HashSet<string>());
            do
            {
                var page = (await overlay.QueryAsync(query, after => OwnAsync(own, after), default))!;
                Assert.InRange(page.Page.Rows.Count, 0, 3);
                rows.AddRange(page.Page.Rows);
                pending.UnionWith(page.Pending);
                query = query with { After = page.Page.Next };
            }
            while (query.After is not null);

            var wanted = expected.Where(e => e.Value.Row.Balance >= 60).Select(e => (e.Key, e.Value.Row)).ToList();
            Func<(string Key, Purse Row), IComparable> by = sort switch { "balance" => w => w.Row.Balance, "branch" => w => w.Row.Branch, _ => _ => 0 };
            wanted = descending
                ? [.. wanted.OrderByDescending(by).ThenByDescending(w => w.Key, StringComparer.Ordinal)]
                : [.. wanted.OrderBy(by).ThenBy(w => w.Key, StringComparer.Ordinal)];
            Assert.Equal(wanted, rows.Select(r => (r.Key, r.Row)));
            Assert.All(rows, r => Assert.Equal(expected[r.Key].IsPending, pending.Contains(r.Key)));
        }
    }

    [Fact]
    public async Task a_row_of_many_streams_takes_the_own_streams_on_top_and_leaves_the_others()
    {
        await _bank.AppendAsync("a", new Opened("x"), new Deposited(1));
        await _bank.AppendAsync("b", new Opened("x"), new Deposited(10));
        var table = new InMemoryViewTable<BranchRow>();
        await AtHeadAsync(_bank.Runner(Branches, table));
        await _bank.AppendAsync("a", new Deposited(2), new Deposited(3));
        await _bank.AppendAsync("b", new Deposited(20));
        var overlay = new ViewOverlay<BranchRow>(Branches, table, table, _bank.Tail(), 1);

        // The own event is the second of the two: the first belongs to the same stream, and comes with it.
        OwnEvents[] own = [new(new StreamId("account", "a"), new StreamVersion(4), new StreamVersion(4))];
        var read = await overlay.ReadAsync("x", _ => Task.FromResult<IReadOnlyList<OwnEvents>>(own), default);
        Assert.Equal((new BranchRow(2, 16), 6L, new LogPosition(4), true), (read!.Row!.Row, read.Row.Position, read.Reflects, read.IsPending));

        await table.SkipAsync(new SkippedEvent(new LogPosition(5), "not this one", null, DateTimeOffset.UnixEpoch), default);
        read = await overlay.ReadAsync("x", _ => Task.FromResult<IReadOnlyList<OwnEvents>>(own), default);
        Assert.Equal(new BranchRow(2, 14), read!.Row!.Row);
    }

    [Fact]
    public async Task where_the_fold_refuses_what_is_on_top_the_row_is_answered_as_the_table_has_it()
    {
        await _bank.AppendAsync("a", new Opened("x"), new Deposited(1));
        var table = new InMemoryViewTable<AccountRow>();
        var accounts = Projection.Of<AccountRow, AccountEvent>();
        await AtHeadAsync(_bank.Runner(accounts, table));
        await _bank.AppendAsync("a", new Deposited(2), new Cursed());
        var overlay = new ViewOverlay<AccountRow>(accounts, table, table, _bank.Tail(), 1);
        OwnEvents[] own = [new(new StreamId("account", "a"), new StreamVersion(3), new StreamVersion(4))];
        var read = await overlay.ReadAsync("a", _ => Task.FromResult<IReadOnlyList<OwnEvents>>(own), default);
        Assert.Equal((new AccountRow("x", 1, 1), false), (read!.Row!.Row, read.IsPending));
    }

    [Fact]
    public async Task what_is_on_top_has_the_form_that_the_table_will_keep_and_is_not_shown_where_no_table_keeps_it()
    {
        await _bank.AppendAsync("a", new Opened("x"), new Deposited(2));
        await _bank.AppendAsync("b", new Opened("x"), new Deposited(1));
        var projection = Projection.Of<EighthRow, AccountEvent>();
        var table = new InMemoryViewTable<EighthRow>();
        var overlay = new ViewOverlay<EighthRow>(projection, table, table, _bank.Tail(), 1);
        var (kept, refused) = (await ReadAsync("a"), await ReadAsync("b"));
        await _bank.Runner(projection, table).StepAsync(default);
        Assert.Equal((table.Rows["a"].Row, true), (kept.Row!.Row, kept.IsPending));
        Assert.Equal((null, false), (refused.Row, refused.IsPending));

        async Task<OverlaidRow<EighthRow>> ReadAsync(string account) =>
            (await overlay.ReadAsync(account, _ => Task.FromResult<IReadOnlyList<OwnEvents>>([new(new StreamId("account", account), new(1), new(2))]), default))!;
    }

    [Fact]
    public async Task the_events_that_a_row_lacks_are_found_far_before_the_own_one_and_too_many_are_refused()
    {
        await _bank.AppendAsync("a", new Opened("x"));
        await _bank.AppendAsync("a", [.. Enumerable.Repeat(new Deposited(1), 200)]);
        var table = new InMemoryViewTable<Purse>();
        await AtHeadAsync(_bank.Runner(Purses, table, stepEvents: 500));
        for (var i = 0; i < 13; i++)
        {
            await _bank.AppendAsync("a", [.. Enumerable.Repeat(new Deposited(1), 900)]);
        }

        Task<OverlaidRow<Purse>?> ReadAsync(int version) =>
            new ViewOverlay<Purse>(Purses, table, table, _bank.Tail(500), 1).ReadAsync(
                "a", _ => Task.FromResult<IReadOnlyList<OwnEvents>>([new(new StreamId("account", "a"), new StreamVersion(version), new StreamVersion(version))]), default);
        Assert.Equal(new Purse("x", 8_999, 9_000), (await ReadAsync(9_000))!.Row!.Row);
        Assert.Null(await ReadAsync(11_900));
    }

    private async Task<IReadOnlyList<OwnEvents>> OwnAsync(Dictionary<string, int> own, LogPosition after)
    {
        var answers = new List<OwnEvents>();
        foreach (var (account, last) in own)
        {
            var stream = new StreamId("account", account);
            var recorded = (await _bank.Log.ReadStreamsAsync([new StreamRead(stream, new StreamVersion(last - 1), 1)], default))[0][0];
            if (recorded.Position > after)
            {
                answers.Add(new OwnEvents(stream, new StreamVersion(last), new StreamVersion(last)));
            }
        }

        return answers;
    }

    private async Task LiveAsync(Random random, int events)
    {
        for (var i = 0; i < events; i++)
        {
            var account = $"a{random.Next(15)}";
            if (!_history.TryGetValue(account, out var history))
            {
                _history.Add(account, history = []);
            }

            AccountEvent next = history.Count == 0 ? new Opened($"x{random.Next(3)}") : new Deposited(random.Next(-40, 60));
            history.Add(next);
            await _bank.AppendAsync(account, next);
        }
    }

    private static async Task AtHeadAsync<TRow>(ProjectionRunner<TRow> runner)
        where TRow : class
    {
        while (await runner.StepAsync(default) is ProjectionStep.Advanced)
        {
            // Up to the head.
        }
    }

    [View("purse")]
    private sealed record Purse([property: Indexed] string Branch, [property: Indexed] int Balance, int Events) : IView<Purse, AccountEvent>
    {
        public static string? KeyOf(ViewEvent<AccountEvent> e) => e.Recorded.Stream.Key;

        public static Purse? Apply(Purse? row, string key, ViewEvent<AccountEvent> e) => Fold(row, e.Event);

        public static Purse? Fold(Purse? row, AccountEvent e) => e switch
        {
            Opened opened => new Purse(opened.Branch, 0, 1),
            Deposited deposited => row! with { Balance = row.Balance + deposited.Amount, Events = row.Events + 1 },
            _ => throw new InvalidOperationException($"{e}"),
        };
    }
}
