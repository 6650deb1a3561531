using System.Text.Json;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;
using Orleans.EventSourced.Core.History;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Projections;
using Orleans.EventSourced.Core.Snapshots;
using Orleans.EventSourced.Grains;
using Orleans.EventSourced.History;
using Orleans.EventSourced.Hosting;
using Orleans.EventSourced.IntegrationTests.Grains;
using Orleans.EventSourced.Queries;
using Orleans.EventSourced.Sqlite;
using Xunit;

namespace Orleans.EventSourced.IntegrationTests.History;

/// <summary>Branches in clusters of real silos.</summary>
public sealed class BranchClusterTests(PostgresFixture postgres) : IDisposable
{
    private static readonly TimeSpan Long = TimeSpan.FromSeconds(20);
    private readonly TestFolder _folder = new();
    private readonly InMemoryEventLog _log = new(TimeProvider.System);

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("sqlite")]
    [InlineData("postgres")]
    public async Task commands_on_a_branch_run_in_the_same_grain_class_and_leave_every_byte_of_the_trunk_as_it_is(string store)
    {
        var eventlog = store == "postgres" ? await postgres.CreateLogAsync() : null;
        await using var node = eventlog is null
            ? await TestNode.StartAsync(services => services.AddSqliteEventLog(o => o.Path = _folder.Database), views: Silo)
            : await TestNode.StartPostgresAsync(eventlog, views: Silo);
        var position = 0L;
        for (var i = 0; i < 30; i++)
        {
            position = Position(await node.Grains.GetGrain<IRovingGrain>($"c{i % 7}").AddAsync(1 + i));
        }

        await CaughtUpAsync(node, position);
        var before = await HashAsync(eventlog);
        var branches = node.Services.GetRequiredService<Branches>();
        var info = await branches.CreateAsync("b1", Request([new BranchEditRequest("drop") { Stream = "roving/c0", Version = 1 }]));
        Assert.Equal((position, position), (info.Base, info.Head));
        var (c0, c1) = (node.Grains.GetGrain<IRovingGrain>(BranchKey.Of("b1", "c0")), node.Grains.GetGrain<IRovingGrain>(BranchKey.Of("b1", "c1")));
        var trunk = await node.Grains.GetGrain<IRovingGrain>("c0").GetAsync();
        Assert.Equal(("c0", trunk.Total - 1, trunk.Version - 1), await c0.GetAsync());
        Assert.Equal(position + 1, Position(await c0.AddAsync(5)));
        Assert.Equal("c1", await c1.AddToEachOtherAsync("c2", 7));
        Assert.IsType<Rejected<CounterEvent>>(await c0.AddAsync(Counter.Limit));
        Assert.Equal(("c0", trunk.Total + 4, trunk.Version), await c0.GetAsync());

        var view = await branches.Get("b1").ListAsync("roving", new RowQuery { Limit = 10 }, Long);
        Assert.Equal((7, position + 3), (view!.Value.Rows.Count, view.Position));
        Assert.Equal(new RovingRow(trunk.Total + 4), view.Value.Rows[0].Row);
        var comparison = (await branches.Get("b1").CompareAsync("roving", Long))!.Value;
        Assert.Equal((0, 0, 3, 18L), (comparison.Added, comparison.Removed, comparison.Changed, comparison.Difference.Counts["total"]));
        var state = await branches.Get("b1").GetStateAsync("roving/c0");
        Assert.Equal(trunk.Total, JsonDocument.Parse(state.TrunkState).RootElement.GetProperty("total").GetInt32());
        Assert.Equal($$"""[{"op":"replace","path":"/total","value":{{trunk.Total + 4}}}]""", state.Patch);

        Assert.Equal(trunk, await node.Grains.GetGrain<IRovingGrain>("c0").GetAsync());
        Assert.True(await branches.DropAsync("b1", "it was seen", null));
        Assert.Equal(before, await HashAsync(eventlog));
    }

    [Fact]
    public async Task a_grain_on_a_branch_reaches_neither_the_trunk_nor_another_branch_nor_a_stream_nor_a_reminder()
    {
        await using var node = await StartAsync();
        var branches = node.Services.GetRequiredService<Branches>();
        await branches.CreateAsync("b1", Request([]));
        await branches.CreateAsync("b2", Request([]));
        var grain = node.Grains.GetGrain<IRovingGrain>(BranchKey.Of("b1", "a"));
        await RefusedAsync("roving/b", () => grain.AddToAsync("b", 1));
        await RefusedAsync("roving/~b/b2/b", () => grain.AddToAsync(BranchKey.Of("b2", "b"), 1));
        await RefusedAsync("roving/b", () => grain.AddOutsideAsync("b", 1));
        Assert.IsType<Accepted<CounterEvent>>(await grain.AddOutsideAsync(BranchKey.Of("b1", "c"), 1));
        await RefusedAsync("which is not on the branch", () => grain.TellAsync("something"));
        await RefusedAsync("Reminder", grain.RemindAsync);
        Assert.Equal(1, Assert.IsType<Accepted<CounterEvent>>(await grain.AddBesideAsync("b", 4)).Version);
        Assert.Equal(("b", 4, 1), await node.Grains.GetGrain<IRovingGrain>(BranchKey.Of("b1", "b")).GetAsync());
        Assert.Equal(("b", 0, 0), await node.Grains.GetGrain<IRovingGrain>("b").GetAsync());

        // On the trunk all of it is allowed.
        var trunk = node.Grains.GetGrain<IRovingGrain>("a");
        await trunk.AddToAsync("b", 1);
        await trunk.TellAsync("something");
        await trunk.RemindAsync();

        static async Task RefusedAsync(string says, Func<Task> call) =>
            Assert.Contains(says, (await Assert.ThrowsAsync<BranchIsolationException>(call)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task a_grain_whose_branch_is_gone_refuses_and_one_whose_branch_was_made_anew_or_edited_begins_anew()
    {
        await using var node = await StartAsync();
        await node.Grains.GetGrain<IRovingGrain>("a").AddAsync(3);
        var branches = node.Services.GetRequiredService<Branches>();
        var grain = node.Grains.GetGrain<IRovingGrain>(BranchKey.Of("b1", "a"));
        Assert.Equal(HistoryFault.NoSuchBranch, (await Assert.ThrowsAsync<HistoryException>(grain.GetAsync)).Fault);
        await branches.CreateAsync("b1", Request([]));
        Assert.Equal(3, (await Eventually.ServedAsync(grain.GetAsync)).Total);
        await branches.Get("b1").EditAsync([new BranchEditRequest("drop") { Stream = "roving/a", Version = 1 }]);
        Assert.Equal(0, (await Eventually.ServedAsync(grain.GetAsync)).Total);
        await grain.AddAsync(8);
        Assert.Equal(HistoryFault.NotNow, (await Assert.ThrowsAsync<HistoryException>(() => branches.Get("b1").EditAsync([new BranchEditRequest("drop") { Stream = "roving/a", Version = 1 }]))).Fault);
        await branches.DropAsync("b1", "it was seen", null);
        Assert.Equal(HistoryFault.NoSuchBranch, (await Assert.ThrowsAsync<HistoryException>(grain.GetAsync)).Fault);
        await branches.CreateAsync("b1", Request([]));
        Assert.Equal(3, (await Eventually.ServedAsync(grain.GetAsync)).Total);
    }

    [Fact]
    public async Task a_stream_of_many_pages_is_whole_on_a_branch()
    {
        await using var node = await StartAsync();
        var (trunk, events) = (node.Grains.GetGrain<IRovingGrain>("a"), 2_100);
        for (var i = 0; i < events; i++)
        {
            await trunk.AddAsync(1);
        }

        var expected = await trunk.GetAsync();
        await node.Services.GetRequiredService<Branches>().CreateAsync("b1", Request([]));
        var grain = node.Grains.GetGrain<IRovingGrain>(BranchKey.Of("b1", "a"));
        Assert.Equal(expected, await grain.GetAsync());
        Assert.Equal(expected.Version + 1, Assert.IsType<Accepted<CounterEvent>>(await grain.AddAsync(1)).Version);
    }

    [Fact]
    public async Task other_rules_decide_and_fold_on_a_branch_that_names_them()
    {
        await using var node = await StartAsync();
        await node.Grains.GetGrain<IRovingGrain>("a").AddAsync(3);
        var branches = node.Services.GetRequiredService<Branches>();
        await branches.CreateAsync("b1", Request([]) with { Rules = ["generous", "double"] });
        var grain = node.Grains.GetGrain<IRovingGrain>(BranchKey.Of("b1", "a"));
        Assert.Equal(6, (await grain.GetAsync()).Total);
        Assert.IsType<Accepted<CounterEvent>>(await grain.AddAsync(2 * Counter.Limit));
        Assert.Equal(6 + (4 * Counter.Limit), (await grain.GetAsync()).Total);
        Assert.Equal(6 + (4 * Counter.Limit), JsonDocument.Parse((await branches.Get("b1").GetStateAsync("roving/a")).State).RootElement.GetProperty("total").GetInt32());
        Assert.IsType<Rejected<CounterEvent>>(await node.Grains.GetGrain<IRovingGrain>("a").AddAsync(2 * Counter.Limit));
    }

    [Fact]
    public async Task branches_are_reached_from_every_silo_and_are_limited()
    {
        await using var first = await StartAsync(o => (o.MaxBranches, o.MaxLiveEvents) = (2, 3));
        await using var second = await StartAsync(o => (o.MaxBranches, o.MaxLiveEvents) = (2, 3), beside: first);
        await first.Grains.GetGrain<IRovingGrain>("a").AddAsync(3);
        await first.Services.GetRequiredService<Branches>().CreateAsync("b1", Request([]));
        var keys = Enumerable.Range(0, 3).Select(i => BranchKey.Of("b1", $"k{i}")).ToList();
        foreach (var (key, node) in keys.Zip((TestNode[])[first, second, second]))
        {
            Assert.Equal(1, Assert.IsType<Accepted<CounterEvent>>(await node.Grains.GetGrain<IRovingGrain>(key).AddAsync(1)).Version);
        }

        Assert.Equal(3, (await second.Services.GetRequiredService<Branches>().Get("b1").DescribeAsync()).Head - (await second.Services.GetRequiredService<Branches>().Get("b1").DescribeAsync()).Base);
        var refused = await Assert.ThrowsAsync<LogRequestRefusedException>(() => second.Grains.GetGrain<IRovingGrain>(keys[0]).AddAsync(1));
        Assert.Contains("3 are allowed", refused.Message, StringComparison.Ordinal);
        await second.Services.GetRequiredService<Branches>().CreateAsync("b2", Request([]));
        Assert.Equal(HistoryFault.QuotaReached, (await Assert.ThrowsAsync<HistoryException>(() => first.Services.GetRequiredService<Branches>().CreateAsync("b3", Request([])))).Fault);
        Assert.Equal(HistoryFault.NotNow, (await Assert.ThrowsAsync<HistoryException>(() => first.Services.GetRequiredService<Branches>().CreateAsync("b2", Request([])))).Fault);
        Assert.Equal(["b1", "b2"], (await second.Services.GetRequiredService<Branches>().ListAsync()).Select(b => b.Id));
        await second.Services.GetRequiredService<Branches>().DropAsync("b1", "it was seen", null);
        await first.Services.GetRequiredService<Branches>().CreateAsync("b3", Request([]));
        Assert.Equal(HistoryFault.QuotaReached, (await Assert.ThrowsAsync<HistoryException>(() => first.Services.GetRequiredService<Branches>().CreateAsync("b4", Request([]) with { Life = TimeSpan.FromDays(2) }))).Fault);
    }

    [Fact]
    public async Task a_branch_ends_when_its_life_is_over()
    {
        var time = new Microsoft.Extensions.Time.Testing.FakeTimeProvider(new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero));
        await using var node = await TestNode.StartAsync(services => services.AddSingleton<TimeProvider>(time).AddSingleton<IEventLog>(_ => _log).AddSingleton<ISnapshotStore>(new InMemorySnapshotStore()).AddSingleton<IViewStore>(new InMemoryViewStore(time)), views: Silo);
        var branches = node.Services.GetRequiredService<Branches>();
        await branches.CreateAsync("b1", Request([]) with { Life = TimeSpan.FromMinutes(5) });
        var grain = node.Grains.GetGrain<IRovingGrain>(BranchKey.Of("b1", "a"));
        await grain.AddAsync(1);
        time.Advance(TimeSpan.FromMinutes(5));
        Assert.Equal(HistoryFault.NoSuchBranch, (await Assert.ThrowsAsync<HistoryException>(grain.GetAsync)).Fault);
        Assert.Empty(await branches.ListAsync());
        await branches.CreateAsync("b1", Request([]));
    }

    [Fact]
    public async Task grains_of_other_kinds_do_not_live_on_branches()
    {
        await using var node = await StartAsync();
        await node.Services.GetRequiredService<Branches>().CreateAsync("b1", Request([]));
        await Assert.ThrowsAnyAsync<Exception>(() => node.Grains.GetGrain<ILedgerGrain>(BranchKey.Of("b1", "a")).DepositAsync(1));
        await Assert.ThrowsAsync<BranchIsolationException>(() => node.Grains.GetGrain<IViewQueryGrain>(BranchKey.Of("b1", "a")).GetAsync("a", new Consistency.Eventual()));
        Assert.Equal(0, (await _log.ReadHeadAsync(CancellationToken.None)).Position.Value);
    }

    [Fact]
    public async Task a_view_of_the_past_is_answered_at_once_when_it_is_small_and_goes_on_beside_when_it_is_long()
    {
        await using var node = await StartAsync();
        var totals = new List<int> { 0 };
        for (var i = 1; i <= 40; i++)
        {
            await node.Grains.GetGrain<IRovingGrain>("a").AddAsync(1 + (i % 3));
            totals.Add(totals[^1] + 1 + (i % 3));
        }

        foreach (var position in (int[])[1, 7, 40])
        {
            var past = node.Grains.GetGrain<IPastViewGrain>(new PastViewKey("roving", 1, new PointInTime.AtPosition(new LogPosition(position))).ToString());
            Assert.Equal(OperationState.None, (await past.GetStatusAsync()).State);
            Assert.Equal(new RovingRow(totals[position]), (await past.GetAsync("a", Long))!.Value!.Row);
            Assert.Equal(new OperationStatus(OperationState.Done, position, position), await past.GetStatusAsync());
            Assert.Equal(totals[position], (await past.GetTotalsAsync(Long))!.Value.Counts["total"]);
            Assert.Null((await past.GetAsync("nobody", Long))!.Value);
        }

        await Assert.ThrowsAsync<HistoryException>(() => node.Grains.GetGrain<IPastViewGrain>("roving/v9/7").GetAsync("a", Long));
        await Assert.ThrowsAsync<HistoryException>(() => node.Grains.GetGrain<IPastViewGrain>("roving/v1/v3").GetAsync("a", Long));
    }

    [Fact]
    public async Task a_view_of_the_past_takes_the_place_of_one_that_is_done_and_of_none_that_is_being_folded()
    {
        await using var node = await StartAsync(o => o.MaxKeptViews = 2);
        for (var i = 0; i < 3; i++)
        {
            await node.Grains.GetGrain<IRovingGrain>("a").AddAsync(1);
        }

        var held = new TaskCompletionSource();
        node.Reads.HoldFromTheBeginning(held.Task);
        var past = Enumerable.Range(1, 3).Select(i => node.Grains.GetGrain<IPastViewGrain>($"roving/v1/{i}")).ToList();
        Assert.Null(await past[0].GetAsync("a", TimeSpan.FromMilliseconds(20)));
        Assert.Null(await past[1].GetAsync("a", TimeSpan.FromMilliseconds(20)));
        Assert.Equal(HistoryFault.NotNow, (await Assert.ThrowsAsync<HistoryException>(() => past[2].GetAsync("a", Long))).Fault);
        held.SetResult();
        Assert.Equal(new RovingRow(1), (await past[0].GetAsync("a", Long))!.Value!.Row);
        Assert.Equal(new RovingRow(2), (await past[1].GetAsync("a", Long))!.Value!.Row);
        Assert.Equal(new RovingRow(3), (await past[2].GetAsync("a", Long))!.Value!.Row);
        await Eventually.Async("the first one is let go", async () => (await past[0].GetStatusAsync()).State == OperationState.None);
        Assert.Equal(new RovingRow(1), (await past[0].GetAsync("a", Long))!.Value!.Row);
    }

    private static long Position(CommandResult<CounterEvent> result) => Assert.IsType<Accepted<CounterEvent>>(result).Position;

    private static BranchRequest Request(IReadOnlyList<BranchEditRequest> edits) => new(null, edits, [], "to see");

    private static void Silo(ISiloBuilder silo)
    {
        silo.AddMemoryGrainStorage("PubSubStore");
        silo.AddMemoryStreams("memory");
        silo.UseInMemoryReminderService();
        silo.AddView(Projection.Of<RovingRow, CounterEvent>());
        silo.AddBranchFold<Counter, CounterEvent>("double", "What is added counts twice.", "roving", (c, e) => new Counter(c.Total + (2 * ((Added)e).Amount)));
        silo.AddBranchDecider<Counter, int, CounterEvent>("generous", "No limit.", "roving", (_, amount) => Core.Deciding.Decide.Accept<CounterEvent>([new Added(amount)]));
    }

    private Task<TestNode> StartAsync(Action<HistoryOptions>? options = null, TestNode? beside = null)
    {
        var views = beside?.Services.GetRequiredService<IViewStore>() ?? new InMemoryViewStore(TimeProvider.System);
        return TestNode.StartAsync(
            services => services.AddSingleton<IEventLog>(_ => _log).AddSingleton<ISnapshotStore>(new InMemorySnapshotStore()).AddSingleton(views).Configure<HistoryOptions>(o => options?.Invoke(o)), beside: beside, views: Silo);
    }

    private static async Task CaughtUpAsync(TestNode node, long position) =>
        Assert.IsType<ViewAnswer<ViewRows>>(await node.Grains.GetGrain<IViewQueryGrain>("roving").ListAsync(new RowQuery(), new Consistency.AtLeast(position, Long)));

    /// <summary>Every row of every table of log and views, as the database has it.</summary>
    private async Task<string> HashAsync(string? eventlog)
    {
        var text = new System.Text.StringBuilder();
        if (eventlog is not null)
        {
            await using var connection = new NpgsqlConnection(eventlog);
            await connection.OpenAsync();
            foreach (var table in await ReadAsync(connection, "select schemaname || '.' || quote_ident(tablename) from pg_tables where schemaname like 'es%' order by 1"))
            {
                text.AppendLine(table).AppendJoin('\n', await ReadAsync(connection, $"select t::text from {table} t order by 1"));
            }
        }
        else
        {
            foreach (var file in Directory.GetFiles(_folder.Path, "*.db").Order(StringComparer.Ordinal))
            {
                await using var connection = new SqliteConnection($"Data Source={file};Mode=ReadOnly;Pooling=False");
                await connection.OpenAsync();
                foreach (var table in await ReadAsync(connection, "select name from sqlite_master where type = 'table' order by 1"))
                {
                    text.AppendLine(table).AppendJoin('\n', (await ReadAsync(connection, $"select * from \"{table}\"")).Order(StringComparer.Ordinal));
                }
            }
        }

        Assert.Contains("counter-added", text.ToString(), StringComparison.Ordinal);
        return text.ToString();
    }

    private static async Task<List<string>> ReadAsync(System.Data.Common.DbConnection connection, string sql)
    {
        await using var command = connection.CreateCommand();
        command.CommandText = sql;
        await using var reader = await command.ExecuteReaderAsync();
        var rows = new List<string>();
        while (await reader.ReadAsync())
        {
            rows.Add(string.Join('|', Enumerable.Range(0, reader.FieldCount).Select(i => reader.GetValue(i) is byte[] bytes ? Convert.ToHexString(bytes) : Convert.ToString(reader.GetValue(i), System.Globalization.CultureInfo.InvariantCulture))));
        }

        return rows;
    }
}

/// <summary>One row for each roving counter.</summary>
[View("roving"), GenerateSerializer, Alias("tests.RovingRow")]
public sealed record RovingRow([property: Id(0)] int Total) : IView<RovingRow, CounterEvent>
{
    public static string? KeyOf(ViewEvent<CounterEvent> e) => e.Recorded.Stream.Type == "roving" ? e.Recorded.Stream.Key : null;

    public static RovingRow? Apply(RovingRow? row, string key, ViewEvent<CounterEvent> e) => new((row?.Total ?? 0) + ((Added)e.Event).Amount);
}
