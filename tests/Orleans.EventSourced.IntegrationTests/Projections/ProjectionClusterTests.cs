using Microsoft.Extensions.DependencyInjection;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Projections;
using Orleans.EventSourced.Core.Snapshots;
using Orleans.EventSourced.Grains;
using Orleans.EventSourced.Hosting;
using Orleans.EventSourced.IntegrationTests.Grains;
using Orleans.EventSourced.Projections;
using Orleans.EventSourced.Queries;
using Xunit;

namespace Orleans.EventSourced.IntegrationTests.Projections;

/// <summary>Views in a cluster of real silos.</summary>
public sealed class ProjectionClusterTests
{
    private readonly InMemoryEventLog _log = new(TimeProvider.System);
    private readonly InMemorySnapshotStore _snapshots = new();
    private readonly StoppableViews _views = new();

    [Fact]
    public async Task a_view_follows_the_commands()
    {
        await using var node = await StartAsync(slices: 1);
        await AddAsync(node, 10);
        await HoldsAsync(10);
        await AddAsync(node, 10);
        await HoldsAsync(20);
    }

    [Fact]
    public async Task slices_are_spread_over_two_silos_hear_of_each_others_commits_and_are_taken_over_when_one_leaves()
    {
        await using var first = await StartAsync(slices: 4);
        await AddAsync(first, 40);
        await HoldsAsync(40);
        var second = await StartAsync(slices: 4, beside: first);
        await Eventually.Async("two slices on each silo", async () =>
        {
            var slices = await first.Services.GetRequiredService<ProjectionControl>().ListAsync();
            return slices.Count(s => s.Silo == first.Silo.SiloAddress) == 2 && slices.Count(s => s.Silo == second.Silo.SiloAddress) == 2;
        });

        await AddAsync(second, 40);
        await HoldsAsync(80);
        await second.DisposeAsync();
        await AddAsync(first, 40);
        await HoldsAsync(120);
        var report = await first.Services.GetRequiredService<ProjectionControl>().CompareAsync(new ViewId("counter", 1), CancellationToken.None);
        Assert.Equal((true, 40L, 120L), (report.IsEqual, report.Rows, report.Position.Value));
    }

    [Fact]
    public async Task reads_that_wait_in_vain_delay_no_other_and_say_how_far_the_rows_are()
    {
        await using var node = await StartAsync(slices: 1);
        await AddAsync(node, 3);
        await HoldsAsync(3);
        var grain = node.Grains.GetGrain<IViewQueryGrain>("counter");
        var head = (await node.Log.ReadHeadAsync(CancellationToken.None)).Position.Value;
        _views.Stop();
        await AddAsync(node, 1);
        var waiting = Enumerable.Range(0, 8).Select(_ => grain.GetAsync("c0", new Consistency.AtLeast(head + 1, TimeSpan.FromSeconds(3)))).ToList();
        for (var i = 0; i < 50; i++)
        {
            var row = Assert.IsType<ViewAnswer<ViewRow?>>(await grain.GetAsync("c0", new Consistency.Eventual())).Value;
            Assert.Equal(new CounterRow(1), row!.Row);
        }

        Assert.All(waiting, w => Assert.False(w.IsCompleted));
        Assert.All(await Task.WhenAll(waiting), r => Assert.Equal(new ViewBehind<ViewRow?>(head, head + 1), r));
        Assert.Equal(new BeyondTheLog<ViewRow?>(head + 1), await grain.GetAsync("c0", new Consistency.AtLeast(head + 2, TimeSpan.FromSeconds(3))));
    }

    [Fact]
    public async Task of_10_000_reads_behind_an_own_write_none_is_older_than_asked_and_none_waits_beyond_its_bound_while_the_views_lag()
    {
        await using var first = await StartAsync(slices: 4);
        await using var second = await StartAsync(slices: 4, beside: first);
        _views.Throttle = TimeSpan.FromMilliseconds(60);
        var (answered, behind, left) = (0, 0, 10_000);
        await Task.WhenAll(Enumerable.Range(0, 64).Select(n => Task.Run(async () =>
        {
            var random = new Random(n);
            while (Interlocked.Decrement(ref left) >= 0)
            {
                var (writes, reads) = random.Next(2) == 0 ? (first, second) : (second, first);
                var key = $"c{random.Next(200)}";
                var mine = Assert.IsType<Accepted<CounterEvent>>(await writes.Grains.GetGrain<ICounterGrain>(key).AddAsync(1));
                var patience = TimeSpan.FromMilliseconds(random.Next(4) == 0 ? 30 : 10_000);
                var result = await reads.Grains.GetGrain<IViewQueryGrain>("counter").GetAsync(key, new Consistency.AtLeast(mine.Position, patience)).WaitAsync(TimeSpan.FromSeconds(30), TimeProvider.System);
                switch (result)
                {
                    case ViewAnswer<ViewRow?>(var row, var reflects):
                        // Each event of a counter adds 1, so its version is the least total that holds the own write.
                        Assert.True(reflects >= mine.Position && ((CounterRow)row!.Row).Total >= mine.Version, $"{row} at {reflects} behind {mine}");
                        Interlocked.Increment(ref answered);
                        break;
                    case ViewBehind<ViewRow?> late:
                        Assert.True(late.Reflects < mine.Position, $"{late} behind {mine}");
                        Interlocked.Increment(ref behind);
                        break;
                    case var other:
                        Assert.Fail($"{other}");
                        break;
                }
            }
        })));
        Assert.Equal(10_000, answered + behind);
        Assert.True(answered > 5_000 && behind > 100, $"{answered} answered, {behind} behind: too few to mean anything");
    }

    [Fact]
    public async Task a_poisoned_event_stops_its_slice_only_and_the_slice_goes_on_when_it_is_skipped()
    {
        await using var node = await StartAsync(slices: 4);
        var control = node.Services.GetRequiredService<ProjectionControl>();
        var view = new ViewId("counter", 1);
        await node.Grains.GetGrain<ICounterGrain>("c0").AddAsync(CounterRow.Poison);
        var poison = (await node.Log.ReadHeadAsync(CancellationToken.None)).Position;
        await AddAsync(node, 40);
        SliceReport[] stopped = [];
        await Eventually.Async("one slice stopped, the others live", async () =>
        {
            var slices = await control.ListAsync();
            stopped = [.. slices.Where(s => s.Status.State == ProjectionState.Stopped)];
            return stopped.Length == 1 && slices.Count(s => s.Status is { State: ProjectionState.Live, Behind: 0 }) == 3;
        });
        Assert.Equal((poison, Slice.Of("c0", 4)), (stopped[0].Status.FaultAt, stopped[0].Status.Slice));
        Assert.DoesNotContain("c0", _views.Kept.Rows.Keys);

        await Assert.ThrowsAsync<LogRequestRefusedException>(() => control.SkipAsync(view, poison + 1, "not that one", null, CancellationToken.None));
        await Assert.ThrowsAsync<ArgumentException>(() => control.SkipAsync(view, poison, " ", null, CancellationToken.None));
        await Assert.ThrowsAsync<ArgumentException>(() => control.SkipAsync(new ViewId("counter", 2), poison, "no such version", null, CancellationToken.None));
        await control.SkipAsync(view, poison, "a test of poison", "ops", CancellationToken.None);
        await HoldsAsync(40);
        await control.SkipAsync(view, poison, "said twice", null, CancellationToken.None);
        Assert.Equal(("a test of poison", "ops"), Assert.Single(await control.ListSkippedAsync(view, CancellationToken.None)) is var s ? (s.Reason, s.Actor) : default);
        Assert.True((await control.CompareAsync(view, CancellationToken.None)).IsEqual);
    }

    [Fact]
    public async Task by_policy_a_poisoned_event_parks_its_row_only_and_the_row_goes_on_when_it_is_skipped()
    {
        await using var node = await StartAsync(slices: 2, poison: PoisonPolicy.Park);
        var (control, view) = (node.Services.GetRequiredService<ProjectionControl>(), new ViewId("counter", 1));
        await AddAsync(node, 20);
        var before = (await node.Log.ReadHeadAsync(CancellationToken.None)).Position;
        await node.Grains.GetGrain<ICounterGrain>("c0").AddAsync(CounterRow.Poison);
        await AddAsync(node, 20);
        await HoldsAsync(39);
        var all = (await control.ListAsync()).Select(s => s.Status).ToList();
        Assert.All(all, s => Assert.Equal((ProjectionState.Live, 0L), (s.State, s.Behind)));
        var (slice, poison) = (Assert.Single(all, s => s.Parked == 1), before + 1);
        Assert.Equal((Slice.Of("c0", 2), poison), (slice.Slice, slice.FaultAt));
        Assert.Contains("This is poison.", slice.Fault, StringComparison.Ordinal);
        var waiting = await control.ListParkedAsync(view, CancellationToken.None);
        Assert.Equal((2, poison, "c0", null), (waiting.Count, waiting[0].Position, waiting[1].Key, waiting[1].Fault));

        var grain = node.Grains.GetGrain<IViewQueryGrain>("counter");
        var head = (await node.Log.ReadHeadAsync(CancellationToken.None)).Position.Value;
        Assert.Equal((new CounterRow(1), before.Value), Assert.IsType<ViewAnswer<ViewRow?>>(await grain.GetAsync("c0", new Consistency.Eventual())) is var c0 ? (c0.Value!.Row, c0.Reflects) : default);
        Assert.Equal(new ViewBehind<ViewRow?>(before.Value, head), await grain.GetAsync("c0", new Consistency.AtLeast(head, TimeSpan.FromSeconds(1))));
        Assert.Equal(new CounterRow(2), Assert.IsType<ViewAnswer<ViewRow?>>(await grain.GetAsync("c1", new Consistency.AtLeast(head, TimeSpan.FromSeconds(5)))).Value!.Row);
        Assert.True((await control.CompareAsync(view, CancellationToken.None)).IsEqual);

        await Assert.ThrowsAsync<LogRequestRefusedException>(() => control.SkipAsync(view, waiting[1].Position, "it only waits", null, CancellationToken.None));
        await control.SkipAsync(view, poison, "a test of poison", "ops", CancellationToken.None);
        await HoldsAsync(40);
        await Eventually.Async("nothing is parked", async () => (await control.ListAsync()).All(s => s.Status is { Parked: 0, Fault: null }));
        Assert.Equal(new CounterRow(2), Assert.IsType<ViewAnswer<ViewRow?>>(await grain.GetAsync("c0", new Consistency.AtLeast(head, TimeSpan.FromSeconds(5)))).Value!.Row);
        Assert.True((await control.CompareAsync(view, CancellationToken.None)).IsEqual);
    }

    [Theory]
    [InlineData(PoisonPolicy.Stop)]
    [InlineData(PoisonPolicy.Park)]
    public async Task an_event_at_which_only_the_table_that_is_built_stands_can_be_skipped_and_the_table_switched_to(PoisonPolicy poison)
    {
        await using var node = await StartAsync(slices: 1, defers: true, poison: poison, attempts: 1);
        var (control, rebuild, view) = (node.Services.GetRequiredService<ProjectionControl>(), node.Services.GetRequiredService<RebuildControl>(), new ViewId("counter", 1));
        await node.Grains.GetGrain<ICounterGrain>("c0").AddAsync(CounterRow.Poison);
        var position = (await node.Log.ReadHeadAsync(CancellationToken.None)).Position;

        // An older fold took the event.
        var live = _views.Table<CounterRow>();
        var opened = (await live.OpenAsync(Slice.Whole, CancellationToken.None))!;
        Assert.True(await live.CommitAsync(new ViewCommit<CounterRow>(Slice.Whole, opened.Edition, opened.Position, position, [new("c0", new CounterRow(CounterRow.Poison), position)], []), CancellationToken.None));
        control.StartDeferred();
        await AddAsync(node, 10);
        await HoldsAsync(10 + CounterRow.Poison);

        await rebuild.BeginAsync(view, "the fold was mended, too much", null, CancellationToken.None);
        await Eventually.Async("the table that is built stands at the event", async () => (await rebuild.ListAsync(CancellationToken.None)).Single().Fault is not null);
        Assert.All(await control.ListAsync(), s => Assert.Null(s.Status.Fault));
        Assert.Empty(await control.ListParkedAsync(view, CancellationToken.None));
        if (poison == PoisonPolicy.Park)
        {
            Assert.Equal(new SwitchOutcome.Parked(1), await rebuild.SwitchAsync(view, TimeSpan.FromSeconds(10), "it is filled", "ops", CancellationToken.None));
            Assert.Equal(position, (await rebuild.ListParkedAsync(view, CancellationToken.None))[0].Position);
        }

        await Assert.ThrowsAsync<LogRequestRefusedException>(() => control.SkipAsync(view, position + 1, "not that one", null, CancellationToken.None));
        await control.SkipAsync(view, position, "it is wrong", "ops", CancellationToken.None);
        await Eventually.Async("the table is filled", async () => (await rebuild.ListAsync(CancellationToken.None)).Single() is { Behind: 0, Fault: null });
        Assert.Empty(await rebuild.ListParkedAsync(view, CancellationToken.None));
        Assert.Equal(new SwitchOutcome.Switched(2), await rebuild.SwitchAsync(view, TimeSpan.FromSeconds(10), "it is filled", "ops", CancellationToken.None));
        await HoldsAsync(10);
        Assert.True((await control.CompareAsync(view, CancellationToken.None)).IsEqual);
    }

    [Theory]
    [InlineData(PoisonPolicy.Stop)]
    [InlineData(PoisonPolicy.Park)]
    public async Task where_both_tables_stand_at_an_event_both_go_on_when_it_is_skipped(PoisonPolicy poison)
    {
        await using var node = await StartAsync(slices: 2, poison: poison, attempts: 1);
        var (control, rebuild, view) = (node.Services.GetRequiredService<ProjectionControl>(), node.Services.GetRequiredService<RebuildControl>(), new ViewId("counter", 1));
        await node.Grains.GetGrain<ICounterGrain>("c0").AddAsync(CounterRow.Poison);
        var position = (await node.Log.ReadHeadAsync(CancellationToken.None)).Position;
        await AddAsync(node, 10);
        await Eventually.Async("the live table stands at the event", async () => (await control.ListAsync()).Count(s => s.Status.FaultAt == position) == 1);
        await rebuild.BeginAsync(view, "perhaps it helps", null, CancellationToken.None);
        await Eventually.Async("the table that is built does too", async () => (await rebuild.ListAsync(CancellationToken.None)).Single().Fault is not null);

        await control.SkipAsync(view, position, "it is wrong", "ops", CancellationToken.None);
        await HoldsAsync(10);
        await Eventually.Async("the table is filled", async () => (await rebuild.ListAsync(CancellationToken.None)).Single() is { Behind: 0, Fault: null });
        Assert.Equal(new SwitchOutcome.Switched(2), await rebuild.SwitchAsync(view, TimeSpan.FromSeconds(10), "it is filled", "ops", CancellationToken.None));
        Assert.True((await control.CompareAsync(view, CancellationToken.None)).IsEqual);
    }

    [Fact]
    public async Task a_silo_that_defers_its_views_folds_them_when_it_is_told_and_only_those_that_no_other_keeps()
    {
        await using var loader = await StartAsync(slices: 4, defers: true);
        var control = loader.Services.GetRequiredService<ProjectionControl>();
        await AddAsync(loader, 20);
        await Task.Delay(TimeSpan.FromSeconds(1.5), TimeProvider.System);
        Assert.Empty(_views.Kept.Rows);

        await using var second = await StartAsync(slices: 4, beside: loader);
        await HoldsAsync(20);
        control.StartDeferred();
        await Task.Delay(TimeSpan.FromSeconds(1.5), TimeProvider.System);
        Assert.All(await control.ListAsync(), s => Assert.Equal(second.Silo.SiloAddress, s.Silo));

        await second.DisposeAsync();
        await AddAsync(loader, 20);
        await HoldsAsync(40);
        Assert.All(await control.ListAsync(), s => Assert.Equal(loader.Silo.SiloAddress, s.Silo));
    }

    private static Task AddAsync(TestNode node, int counters) =>
        Task.WhenAll(Enumerable.Range(0, counters).Select(i => node.Grains.GetGrain<ICounterGrain>($"c{i}").AddAsync(1)));

    private Task HoldsAsync(int total) => Eventually.Async($"{total} in the rows", () => Task.FromResult(_views.Kept.Rows.Values.Sum(r => r.Row.Total) == total));

    private Task<TestNode> StartAsync(int slices, TestNode? beside = null, bool defers = false, PoisonPolicy poison = PoisonPolicy.Stop, int attempts = 3) => TestNode.StartAsync(
        services =>
        {
            services.AddSingleton<IEventLog>(_ => _log);
            services.AddSingleton<ISnapshotStore>(_snapshots);
            services.AddSingleton<IViewStore>(_views);
            services.Configure<EventSourcingOptions>(o => o.DefersViews = defers);
            services.Configure<ProjectionOptions>(o => o.Attempts = attempts);
        },
        beside: beside,
        views: silo => silo.AddView(Projection.Of<CounterRow, CounterEvent>(), slices, poison));
}

/// <summary>One row a counter.</summary>
[View("counter")]
public sealed record CounterRow(int Total) : IView<CounterRow, CounterEvent>
{
    /// <summary>An amount that the fold cannot take.</summary>
    public const int Poison = 7;

    public static string? KeyOf(ViewEvent<CounterEvent> e) => e.Recorded.Stream.Key;

    public static CounterRow? Apply(CounterRow? row, string key, ViewEvent<CounterEvent> e) =>
        ((Added)e.Event).Amount is var amount and not Poison ? new((row?.Total ?? 0) + amount) : throw new InvalidOperationException("This is poison.");
}

/// <summary>Views in memory whose writes can be made to fail, so that the projections stand still.</summary>
internal sealed class StoppableViews : IViewStore
{
    private readonly InMemoryViewStore _inner = new(TimeProvider.System);
    private volatile bool _stopped;

    public InMemoryViewTable<CounterRow> Kept => (InMemoryViewTable<CounterRow>)_inner.Table<CounterRow>();

    public void Stop() => _stopped = true;

    /// <summary>How long each commit of rows is held up.</summary>
    public TimeSpan Throttle { get; set; }

    public IViewTable<TRow> Table<TRow>(ViewRole role = ViewRole.Live)
        where TRow : class => new StoppableTable<TRow>(this, _inner.Table<TRow>(role));

    public IViewReader<TRow> Reader<TRow>(ViewRole role = ViewRole.Live)
        where TRow : class => _inner.Reader<TRow>(role);

    public IViewEditions Editions<TRow>()
        where TRow : class => _inner.Editions<TRow>();

    public Task<IReadOnlyList<Checkpoint>> ReadCheckpointsAsync(CancellationToken cancellationToken) => _inner.ReadCheckpointsAsync(cancellationToken);

    public Task<bool> DropAsync(ViewId view, CancellationToken cancellationToken) => _inner.DropAsync(view, cancellationToken);

    private sealed class StoppableTable<TRow>(StoppableViews views, IViewTable<TRow> inner) : IViewTable<TRow>
        where TRow : class
    {
        public Task IndexAsync(CancellationToken cancellationToken) => inner.IndexAsync(cancellationToken);

        public Task<bool> SkipAsync(SkippedEvent skipped, CancellationToken cancellationToken) => inner.SkipAsync(skipped, cancellationToken);

        public Task<IReadOnlyList<SkippedEvent>> ReadSkippedAsync(CancellationToken cancellationToken) => inner.ReadSkippedAsync(cancellationToken);

        public Task<IReadOnlyList<ParkedEvent>> ReadParkedAsync(Slice slice, CancellationToken cancellationToken) => inner.ReadParkedAsync(slice, cancellationToken);

        public Task<OpenedSlice?> OpenAsync(Slice slice, CancellationToken cancellationToken) => inner.OpenAsync(slice, cancellationToken);

        public Task<IReadOnlyDictionary<string, TRow>> ReadRowsAsync(IReadOnlyCollection<string> keys, CancellationToken cancellationToken) => inner.ReadRowsAsync(keys, cancellationToken);

        public Task<IReadOnlyDictionary<Core.Log.StreamId, ViewRoute>> ReadRoutesAsync(Slice slice, IReadOnlyCollection<Core.Log.StreamId> streams, CancellationToken cancellationToken) =>
            inner.ReadRoutesAsync(slice, streams, cancellationToken);

        public async Task<bool> CommitAsync(ViewCommit<TRow> commit, CancellationToken cancellationToken)
        {
            await Task.Delay(views.Throttle, TimeProvider.System, cancellationToken);
            return views._stopped ? throw new LogUnavailableException("The views are stopped.") : await inner.CommitAsync(commit, cancellationToken);
        }
    }
}
