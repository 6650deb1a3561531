using Microsoft.Extensions.DependencyInjection;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Projections;
using Orleans.EventSourced.Core.Snapshots;
using Orleans.EventSourced.Hosting;
using Orleans.EventSourced.IntegrationTests.Grains;
using Orleans.EventSourced.Projections;
using Xunit;

namespace Orleans.EventSourced.IntegrationTests.Projections;

/// <summary>Views in a cluster of real silos.</summary>
public sealed class ProjectionClusterTests
{
    private readonly InMemoryEventLog _log = new(TimeProvider.System);
    private readonly InMemorySnapshotStore _snapshots = new();
    private readonly InMemoryViewStore _views = new(TimeProvider.System);

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
    }

    private static Task AddAsync(TestNode node, int counters) =>
        Task.WhenAll(Enumerable.Range(0, counters).Select(i => node.Grains.GetGrain<ICounterGrain>($"c{i}").AddAsync(1)));

    private Task HoldsAsync(int total) => Eventually.Async($"{total} in the rows", () => Task.FromResult(((InMemoryViewTable<CounterRow>)_views.Table<CounterRow>()).Rows.Values.Sum(r => r.Row.Total) == total));

    private Task<TestNode> StartAsync(int slices, TestNode? beside = null) => TestNode.StartAsync(
        services =>
        {
            services.AddSingleton<IEventLog>(_ => _log);
            services.AddSingleton<ISnapshotStore>(_snapshots);
            services.AddSingleton<IViewStore>(_views);
        },
        beside: beside,
        views: silo => silo.AddView(Projection.Of<CounterRow, CounterEvent>(), slices));
}

/// <summary>One row a counter.</summary>
[View("counter")]
public sealed record CounterRow(int Total) : IView<CounterRow, CounterEvent>
{
    public static string? KeyOf(ViewEvent<CounterEvent> e) => e.Recorded.Stream.Key;

    public static CounterRow? Apply(CounterRow? row, string key, ViewEvent<CounterEvent> e) => new((row?.Total ?? 0) + ((Added)e.Event).Amount);
}
