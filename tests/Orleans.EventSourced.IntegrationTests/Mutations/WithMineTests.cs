using Microsoft.Extensions.DependencyInjection;
using Orleans.EventSourced.Commands;
using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Projections;
using Orleans.EventSourced.Core.Reactions;
using Orleans.EventSourced.Core.Snapshots;
using Orleans.EventSourced.Hosting;
using Orleans.EventSourced.IntegrationTests.Grains;
using Orleans.EventSourced.IntegrationTests.Projections;
using Orleans.EventSourced.Mutations;
using Orleans.EventSourced.Queries;
using Xunit;

namespace Orleans.EventSourced.IntegrationTests.Mutations;

/// <summary>Reads that show a session's own mutations on top of views that lag.</summary>
public sealed class WithMineTests
{
    private readonly StoppableViews _views = new();

    [Fact]
    public async Task of_10_000_reads_behind_an_own_mutation_none_lacks_it_while_the_views_lag_and_none_waits_when_they_stand_still()
    {
        await using var node = await StartAsync();
        var queue = node.Services.GetRequiredService<MutationQueue>();
        var view = node.Grains.GetGrain<IViewQueryGrain>("counter");
        _views.Throttle = TimeSpan.FromMilliseconds(60);
        var (pending, left) = (0, 10_000);
        await Task.WhenAll(Enumerable.Range(0, 64).Select(async client =>
        {
            var random = new Random(client);
            while (Interlocked.Decrement(ref left) >= 0)
            {
                var (session, key) = ($"s{client}", $"c{random.Next(40)}");
                var mine = await DoneAsync(queue, session, key);
                var read = Assert.IsType<ViewAnswer<ViewRow?>>(await view.GetAsync(key, new Consistency.WithMine(session)));

                // Each addition adds 1, so the total tells the version.
                Assert.InRange(((CounterRow)read.Value!.Row).Total, mine.Version!.Value, int.MaxValue);
                Assert.Equal(read.Value.IsPending, read.Value.Position > read.Reflects);
                Interlocked.Add(ref pending, read.Value.IsPending ? 1 : 0);
            }
        }));
        Assert.InRange(pending, 100, 10_000);

        _views.Stop();
        var before = Assert.IsType<ViewAnswer<ViewRow?>>(await view.GetAsync("c0", new Consistency.Eventual()));
        var last = await DoneAsync(queue, "s0", "c0");
        await DoneAsync(queue, "another", "new");
        var shown = Assert.IsType<ViewAnswer<ViewRow?>>(await view.GetAsync("c0", new Consistency.WithMine("s0")));
        Assert.Equal((true, last.Version, last.Position), (shown.Value!.IsPending, ((CounterRow)shown.Value.Row).Total, shown.Value.Position));
        Assert.InRange(shown.Reflects, before.Reflects, last.Position!.Value - 1);
        Assert.Null(Assert.IsType<ViewAnswer<ViewRow?>>(await view.GetAsync("new", new Consistency.WithMine("s0"))).Value);
        var list = Assert.IsType<ViewAnswer<ViewRows>>(await view.ListAsync(new RowQuery { Limit = 1_000 }, new Consistency.WithMine("another"))).Value.Rows;
        Assert.Equal("new", Assert.Single(list, r => r.IsPending).Key);
        Assert.Equal(list.Select(r => r.Key).Order(StringComparer.Ordinal), list.Select(r => r.Key));
        Assert.Throws<ArgumentException>(() => new Consistency.WithMine(""));
    }

    private static async Task<MutationStatus> DoneAsync(MutationQueue queue, string session, string key)
    {
        var id = CommandId.New(TimeProvider.System).Value;
        Assert.IsType<MutationAnswer.Taken>(await queue.RequestAsync(session, key, new AddOne(), new CommandContext(id) { IsNamed = true }));
        MutationStatus? status = null;
        await Eventually.Async("its fate", async () => (status = await queue.FindAsync(session, id)) is { State: not MutationState.Requested }, seconds: 60);
        Assert.Equal(MutationState.Accepted, status!.State);
        return status;
    }

    private Task<TestNode> StartAsync() => TestNode.StartAsync(
        services =>
        {
            services.AddSingleton<IEventLog>(_ => new InMemoryEventLog(TimeProvider.System));
            services.AddSingleton<ISnapshotStore>(new InMemorySnapshotStore());
            services.AddSingleton<IReactionStore>(new InMemoryReactionStore());
            services.AddSingleton<IViewStore>(_views);
        },
        views: silo => silo
            .AddView(Projection.Of<CounterRow, CounterEvent>(), slices: 2)
            .AddMutation<AddOne, CounterEvent>("add-one", "counter", (grains, id, _) => grains.GetGrain<ICounterGrain>(id).AddAsync(1)));

    private sealed record AddOne;
}
