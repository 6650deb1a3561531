using Microsoft.Extensions.DependencyInjection;
using Orleans.Configuration;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Snapshots;
using Orleans.EventSourced.Hosting;
using Orleans.EventSourced.IntegrationTests.Grains;
using Orleans.EventSourced.Streams;
using Xunit;

namespace Orleans.EventSourced.IntegrationTests.Streams;

/// <summary>The log as a stream provider, with subscribers on one silo or one after the other.</summary>
public sealed class EventLogStreamTests
{
    private readonly InMemoryEventLog _log = new(TimeProvider.System);
    private readonly Deliveries _deliveries = new();

    [Fact]
    public async Task subscribers_of_a_log_that_is_there_get_all_of_their_category_from_its_start_and_what_comes_then()
    {
        await using (var before = await StartAsync(streams: null))
        {
            await DepositAsync(before, 300);
            await before.Grains.GetGrain<ICounterGrain>("c").AddAsync(1);
        }

        await using var node = await StartAsync();
        await TookAsync(KeeperGrain.NameOf(0), "ledger");
        await TookAsync(TrustingGrain.Name, "ledger");
        await TookAsync(EverythingGrain.NameOf(0), null);
        await DepositAsync(node, 20);
        await node.Grains.GetGrain<ICounterGrain>("c").AddAsync(1);
        await TookAsync(KeeperGrain.NameOf(0), "ledger");
        await TookAsync(TrustingGrain.Name, "ledger");
        await TookAsync(EverythingGrain.NameOf(0), null);
        var last = _deliveries.Of(KeeperGrain.NameOf(0))[^1];
        Assert.Equal((new Deposited(20), (LogCorruptException?)null), ((Deposited)last.Event!, last.Fault));
        Assert.NotNull(last.Metadata);
    }

    private static async Task DepositAsync(TestNode node, int events)
    {
        for (var left = events; left > 0; left -= 1_000)
        {
            await node.Grains.GetGrain<ILedgerGrain>("a").DepositAllAsync([.. Enumerable.Range(1, Math.Min(left, 1_000))]);
        }
    }

    /// <summary>Waits until a subscriber has everything, and checks that it came in log order and without gap; again, if at all, only from a place that it had.</summary>
    private async Task TookAsync(string subscriber, string? category)
    {
        var events = await _log.ReadLogAsync(LogPosition.Start, int.MaxValue, CancellationToken.None);
        var expected = events.Where(e => category is null || e.Stream.Type == category).Select(e => e.Position.Value).ToList();
        await Eventually.Async($"all {expected.Count} events are with {subscriber}", () => Task.FromResult(_deliveries.PositionsOf(subscriber).Distinct().Count() >= expected.Count));
        Assert.Equal(expected, _deliveries.PositionsOf(subscriber).Distinct());
    }

    private Task<TestNode> StartAsync(Action<ISiloBuilder>? streams) => TestNode.StartAsync(
        services =>
        {
            services.AddSingleton<IEventLog>(_ => _log);
            services.AddSingleton<ISnapshotStore>(_ => new InMemorySnapshotStore());
            services.AddSingleton(_deliveries);
        },
        views: streams);

    private Task<TestNode> StartAsync(Action<EventLogStreamOptions>? configure = null) => StartAsync(silo => AddStreams(silo, configure));

    private static void AddStreams(ISiloBuilder silo, Action<EventLogStreamOptions>? configure)
    {
        silo.AddMemoryGrainStorage("PubSubStore");
        silo.AddEventLogStreams(configure: configure);
        silo.Services.Configure<StreamPullingAgentOptions>(EventLogStreams.DefaultName, o => o.MaxEventDeliveryTime = TimeSpan.FromMilliseconds(500));
    }
}
