using Fines;
using Fines.Views;
using Microsoft.Extensions.DependencyInjection;
using Orleans.EventSourced.Commands;
using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Projections;
using Orleans.EventSourced.Core.Reactions;
using Orleans.EventSourced.Core.Snapshots;
using Orleans.EventSourced.Grains;
using Orleans.EventSourced.Hosting;
using Orleans.EventSourced.IntegrationTests.Grains;
using Orleans.EventSourced.Queries;
using Orleans.EventSourced.Reactions;
using Xunit;

namespace Orleans.EventSourced.IntegrationTests.Reactions;

/// <summary>Deadlines in clusters of real silos, by a clock that the tests move.</summary>
public sealed class DeadlineClusterTests(PostgresFixture postgres)
{
    private static readonly DateTimeOffset Day = new(2026, 3, 1, 0, 0, 0, TimeSpan.FromHours(1));
    private static readonly DateTimeOffset Due = Day.AddDays(60);
    private readonly MovedClock _clock = new(Day);
    private readonly InMemoryEventLog _log = new(TimeProvider.System);
    private readonly InMemoryViewStore _views = new(TimeProvider.System);

    [Fact]
    public async Task a_fine_that_is_open_at_its_deadline_gets_one_penalty_dated_to_the_deadline()
    {
        await using var node = await StartAsync();
        await NotifiedAsync(node, "open");
        await NotifiedAsync(node, "paid");
        await NotifiedAsync(node, "imported", origin: "import");
        _clock.MoveTo(Due.AddSeconds(-1));
        await ExecuteAsync(node, "paid", new RegisterPayment(Due.AddSeconds(-1), 35));
        await TickedAsync(node);
        Assert.Equal(2, (await EventsAsync(node, "open")).Count);

        _clock.MoveTo(Due.AddDays(3));
        await HasPenaltyAsync(node, "open");
        await TickedAsync(node);
        var events = await EventsAsync(node, "open");
        Assert.Equal(3, events.Count);
        var metadata = EventMetadata.Parse(events[2].Metadata);
        Assert.Equal(("deadline:penalty", "deadline", "flow-open", events[1].Id.ToString()), (metadata.Actor, metadata.Origin, metadata.Correlation, metadata.Causation));
        Assert.Equal((Due, 70m), ((await FineAsync(node, "open")).LastOccurredAt, (await FineAsync(node, "open")).Penalty));
        Assert.Equal((3, 2), ((await EventsAsync(node, "paid")).Count, (await EventsAsync(node, "imported")).Count));
        await Eventually.Async("no row of a fine that has its penalty", async () => (await RowsAsync(node)).Rows.Count == 0);
    }

    [Fact]
    public async Task a_fine_that_went_on_behind_its_deadline_gets_its_penalty_behind_its_last_event()
    {
        await using var node = await StartAsync(deadlines: false);
        await NotifiedAsync(node, "late");
        await ExecuteAsync(node, "late", new RegisterPayment(Due.AddDays(1), 35));
        _clock.MoveTo(Due.AddDays(3));
        await using var second = await StartAsync(beside: node);
        await HasPenaltyAsync(node, "late");
        Assert.Equal(Due.AddDays(1), (await FineAsync(node, "late")).LastOccurredAt);
    }

    [Fact]
    public async Task the_clock_is_watched_by_another_silo_when_the_one_that_did_is_gone()
    {
        var first = await StartAsync();
        await using var second = await StartAsync(beside: first);
        for (var i = 0; i < 20; i++)
        {
            await NotifiedAsync(first, $"f{i}");
        }

        await TickedAsync(first);
        var keeper = Assert.Single(await first.Services.GetRequiredService<ReactionControl>().ListDeadlinesAsync()).Silo;
        var (gone, stays) = keeper == first.Silo.SiloAddress ? (first, second) : (second, first);
        await gone.DisposeAsync();
        _clock.MoveTo(Due);
        for (var i = 0; i < 20; i++)
        {
            await HasPenaltyAsync(stays, $"f{i}");
        }

        Assert.All(await Task.WhenAll(Enumerable.Range(0, 20).Select(i => EventsAsync(stays, $"f{i}"))), events => Assert.Equal(3, events.Count));
        await stays.DisposeAsync();
    }

    [Fact]
    public async Task two_clusters_that_both_watch_it_add_one_penalty()
    {
        var database = await postgres.CreateLogAsync();
        await using var one = await StartAsync(database: database);
        await using var two = await StartAsync(database: database);
        for (var i = 0; i < 20; i++)
        {
            await NotifiedAsync(i % 2 == 0 ? one : two, $"f{i}");
        }

        _clock.MoveTo(Due);
        for (var i = 0; i < 20; i++)
        {
            await HasPenaltyAsync(one, $"f{i}");
        }

        await TickedAsync(one);
        await TickedAsync(two);
        Assert.All(await Task.WhenAll(Enumerable.Range(0, 20).Select(i => EventsAsync(one, $"f{i}"))), events => Assert.Equal(3, events.Count));
    }

    [Fact]
    public async Task a_fine_that_is_in_memory_as_it_was_before_another_cluster_wrote_gets_its_penalty_too()
    {
        var database = await postgres.CreateLogAsync();
        await using var one = await StartAsync(database: database);
        await using var two = await StartAsync(database: database, deadlines: false);
        await ExecuteAsync(one, "f", new IssueFine(Day.AddDays(-1), 35, 157, 0, "A", "561", "NIL"));
        await ExecuteAsync(two, "f", new InsertNotification(Day, "P", null));
        _clock.MoveTo(Due);
        await HasPenaltyAsync(one, "f");
        Assert.Equal((3, 70m), ((await EventsAsync(one, "f")).Count, (await FineAsync(one, "f")).Penalty));
    }

    [Fact]
    public async Task a_penalty_that_the_rules_refuse_is_not_sent_at_every_tick_and_keeps_no_other_from_its_turn()
    {
        await using var node = await StartAsync();
        await NotifiedAsync(node, "too-large", amount: Fine.MaxAmount);
        _clock.MoveTo(Due);
        await Eventually.Async("a row that rests", async () => (await StatusAsync(node)) is { Resting: 1, Handled: >= 1 });
        await TickedAsync(node, 20);
        Assert.InRange((await StatusAsync(node)).Handled, 1, 1);

        await NotifiedAsync(node, "next");
        await HasPenaltyAsync(node, "next");
        Assert.Equal(2, (await EventsAsync(node, "too-large")).Count);
    }

    [Fact]
    public async Task a_row_that_is_seen_again_after_its_command_was_accepted_has_one_effect()
    {
        var handled = 0;
        await using var node = await TestNode.StartAsync(
            Memory,
            views: silo => silo
                .AddView(Projection.Of<DueCounter, CounterEvent>())
                .AddDeadline<DueCounter>("follow", row => row.DueAt, async context =>
                {
                    Interlocked.Increment(ref handled);
                    await context.SendAsync(grains => grains.GetGrain<ICounterGrain>($"of-{context.Due.Key}").AddAsync(1));
                })
                .Services.Configure<DeadlineOptions>(o => (o.Clock, o.TickInterval, o.FirstRest, o.LongestRest) = (_clock, TimeSpan.FromMilliseconds(20), TimeSpan.FromMilliseconds(100), TimeSpan.FromMilliseconds(100))));
        await node.Grains.GetGrain<ICounterGrain>("c").AddAsync(1);
        await Eventually.Async("the row handled several times", () => Task.FromResult(Volatile.Read(ref handled) > 3));

        // Another event changes the row, not its time: it is the same deadline.
        await node.Grains.GetGrain<ICounterGrain>("c").AddAsync(1);
        var before = Volatile.Read(ref handled);
        await Eventually.Async("the row handled several times more", () => Task.FromResult(Volatile.Read(ref handled) > before + 3));
        Assert.Equal(1, (await node.Grains.GetGrain<ICounterGrain>("of-c").GetAsync()).Total);
    }

    [Fact]
    public async Task a_deadline_without_its_view_is_refused_at_start() => await Assert.ThrowsAnyAsync<OrleansConfigurationException>(
        () => TestNode.StartAsync(Memory, o => o.EventTypes = FineEventTypes.Map, views: silo => silo.AddFineDeadlines()));

    private static async Task NotifiedAsync(TestNode node, string id, decimal amount = 35, string origin = "http")
    {
        await ExecuteAsync(node, id, new IssueFine(Day.AddDays(-1), amount, 157, 0, "A", "561", "NIL"), origin);
        await ExecuteAsync(node, id, new InsertNotification(Day, "P", null), origin);
    }

    private static async Task ExecuteAsync(TestNode node, string id, FineCommand command, string origin = "http")
    {
        using (CommandContext.Begin(new CommandContext(CommandId.New(TimeProvider.System).Value) { Correlation = $"flow-{id}", Origin = origin }))
        {
            Assert.IsType<Accepted<FineEvent>>(await node.Grains.GetGrain<IFineGrain>(id).ExecuteAsync(command));
        }
    }

    private static async Task<Fine> FineAsync(TestNode node, string id) => (await node.Grains.GetGrain<IFineGrain>(id).GetAsync()).State;

    private static Task HasPenaltyAsync(TestNode node, string id) => Eventually.Async($"a penalty of {id}", async () => (await EventsAsync(node, id)).Any(e => e.Type == "penalty-added"));

    private static async Task<List<RecordedEvent>> EventsAsync(TestNode node, string id) => [.. await node.Loader.ReadAsync(new StreamId("fine", id), StreamVersion.None)];

    private static async Task<DeadlineStatus> StatusAsync(TestNode node) => Assert.Single(await node.Services.GetRequiredService<ReactionControl>().ListDeadlinesAsync()).Status;

    private static async Task<ViewRows> RowsAsync(TestNode node)
    {
        var head = (await node.Log.ReadHeadAsync(CancellationToken.None)).Position.Value;
        var answer = await node.Grains.GetGrain<IViewQueryGrain>("penalty_due").ListAsync(new RowQuery(), new Consistency.AtLeast(head, TimeSpan.FromSeconds(10)));
        return Assert.IsType<ViewAnswer<ViewRows>>(answer).Value;
    }

    /// <summary>Waits until the view reflects the log and the clock was read some times more.</summary>
    private async Task TickedAsync(TestNode node, int times = 3)
    {
        await RowsAsync(node);
        var before = _clock.Reads;
        await Eventually.Async($"{times} more looks at the clock", () => Task.FromResult(_clock.Reads >= before + times));
    }

    private async Task<TestNode> StartAsync(TestNode? beside = null, string? database = null, bool deadlines = true)
    {
        void Configure(ISiloBuilder silo)
        {
            silo.AddFineViews();
            silo.Services.Configure<EventSourcingOptions>(o => o.EventTypes = FineEventTypes.Map);
            silo.Services.Configure<DeadlineOptions>(o => (o.Clock, o.TickInterval) = (_clock, TimeSpan.FromMilliseconds(20)));
            if (deadlines)
            {
                silo.AddFineDeadlines();
            }
        }

        return database is null ? await TestNode.StartAsync(Memory, beside: beside, views: Configure) : await TestNode.StartPostgresAsync(database, beside, Configure);
    }

    private void Memory(IServiceCollection services)
    {
        services.AddSingleton<IEventLog>(_ => _log);
        services.AddSingleton<ISnapshotStore>(new InMemorySnapshotStore());
        services.AddSingleton<IViewStore>(_views);
    }

    /// <summary>The time of the business, where the test puts it.</summary>
    private sealed class MovedClock(DateTimeOffset now) : TimeProvider
    {
        private long _ticks = now.UtcTicks;
        private int _reads;

        public int Reads => Volatile.Read(ref _reads);

        public void MoveTo(DateTimeOffset now) => Interlocked.Exchange(ref _ticks, now.UtcTicks);

        public override DateTimeOffset GetUtcNow()
        {
            Interlocked.Increment(ref _reads);
            return new DateTimeOffset(Interlocked.Read(ref _ticks), TimeSpan.Zero);
        }
    }
}

/// <summary>One row a counter, due at once and for good.</summary>
[View("due_counter")]
public sealed record DueCounter([property: Indexed] DateTimeOffset DueAt, int Total) : IView<DueCounter, CounterEvent>
{
    public static string? KeyOf(ViewEvent<CounterEvent> e) => e.Recorded.Stream.Key.StartsWith("of-", StringComparison.Ordinal) ? null : e.Recorded.Stream.Key;

    public static DueCounter? Apply(DueCounter? row, string key, ViewEvent<CounterEvent> e) => new(new DateTimeOffset(2020, 1, 1, 0, 0, 0, TimeSpan.Zero), (row?.Total ?? 0) + ((Added)e.Event).Amount);
}
