using System.Text;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Orleans.Configuration;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Snapshots;
using Orleans.EventSourced.Hosting;
using Orleans.EventSourced.IntegrationTests.Grains;
using Orleans.EventSourced.IntegrationTests.Log;
using Orleans.EventSourced.Streams;
using Orleans.Serialization;
using Orleans.Streams;
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
        await TookAsync(TrustingGrain.NameOf("0"), "ledger");
        await TookAsync(EverythingGrain.NameOf(0), null);
        await DepositAsync(node, 20);
        await node.Grains.GetGrain<ICounterGrain>("c").AddAsync(1);
        await TookAsync(KeeperGrain.NameOf(0), "ledger");
        await TookAsync(TrustingGrain.NameOf("0"), "ledger");
        await TookAsync(EverythingGrain.NameOf(0), null);
        var last = _deliveries.Of(KeeperGrain.NameOf(0))[^1];
        Assert.Equal((new Deposited(20), (LogCorruptException?)null), ((Deposited)last.Event!, last.Fault));
        Assert.NotNull(last.Metadata);
    }

    [Fact]
    public async Task a_subscriber_that_comes_back_goes_on_where_it_was()
    {
        await using var node = await StartAsync();
        var keeper = node.Grains.GetGrain<IKeeperGrain>("0");
        for (var i = 0; i < 5; i++)
        {
            await DepositAsync(node, 50);
            await keeper.LeaveAsync();
            await DepositAsync(node, 50);
            await TookAsync(KeeperGrain.NameOf(0), "ledger");
        }

        Assert.Equal(500, _deliveries.Of(KeeperGrain.NameOf(0)).Count);
    }

    [Fact]
    public async Task after_a_restart_of_the_silo_who_keeps_a_position_goes_on_and_who_keeps_none_gets_everything_again()
    {
        await using (var first = await StartAsync())
        {
            await DepositAsync(first, 100);
            await TookAsync(KeeperGrain.NameOf(0), "ledger");
            await TookAsync(TrustingGrain.NameOf("0"), "ledger");
        }

        await using (var nobody = await StartAsync(streams: null))
        {
            await DepositAsync(nobody, 100);
        }

        await using var second = await StartAsync();
        await TookAsync(KeeperGrain.NameOf(0), "ledger");
        await Eventually.Async("the first 100 came a second time", () => Task.FromResult(_deliveries.Of(TrustingGrain.NameOf("0")).Count == 300));
        Assert.Equal(200, _deliveries.Of(KeeperGrain.NameOf(0)).Count);
        Assert.Equal(_deliveries.PositionsOf(TrustingGrain.NameOf("0")).Take(100), _deliveries.PositionsOf(TrustingGrain.NameOf("0")).Skip(100).Take(100));
        await TookAsync(TrustingGrain.NameOf("0"), "ledger");
    }

    [Fact]
    public async Task an_event_that_a_subscriber_refuses_comes_again_until_it_is_taken_and_the_others_go_on()
    {
        const int Poison = 130;
        var (tries, isMended) = (0, false);
        _deliveries.Before = (subscriber, e) =>
        {
            if (e.Event is Deposited { Amount: Poison } && subscriber != EverythingGrain.NameOf(0) && !Volatile.Read(ref isMended))
            {
                Interlocked.Increment(ref tries);
                throw new InvalidOperationException("This is poison.");
            }

            return Task.CompletedTask;
        };
        await using var node = await StartAsync(o => o.BatchEvents = 40);
        await DepositAsync(node, 300);
        await TookAsync(EverythingGrain.NameOf(0), null);

        // Longer than the agent tries one delivery: it gives up some rounds, and begins each again.
        await Eventually.Async("both were told of errors", () => Task.FromResult(_deliveries.Errors.Select(e => e.Subscriber).Distinct().Count() == 2));
        await DepositAsync(node, 100);
        await TookAsync(EverythingGrain.NameOf(0), null);
        Assert.Equal(Poison - 1, _deliveries.Of(KeeperGrain.NameOf(0)).Count);
        Assert.Equal(Poison - 1, _deliveries.PositionsOf(TrustingGrain.NameOf("0")).Distinct().Count());
        Assert.True(tries > 2, $"{tries} tries");

        Volatile.Write(ref isMended, true);
        await TookAsync(KeeperGrain.NameOf(0), "ledger");
        await TookAsync(TrustingGrain.NameOf("0"), "ledger");
        Assert.Equal(400, _deliveries.Of(KeeperGrain.NameOf(0)).Count);
    }

    [Fact]
    public async Task subscribers_that_cannot_be_activated_hold_up_no_other_and_begin_where_they_should()
    {
        await using (var first = await StartAsync())
        {
            await DepositAsync(first, 100);
            await TookAsync(KeeperGrain.NameOf(0), "ledger");
            await TookAsync(TrustingGrain.NameOf("0"), "ledger");
        }

        var isMended = false;
        _deliveries.Activating = subscriber => subscriber == EverythingGrain.NameOf(0) || Volatile.Read(ref isMended) ? Task.CompletedTask : throw new InvalidOperationException("Not today.");
        await using var second = await StartAsync();
        await DepositAsync(second, 100);
        await TookAsync(EverythingGrain.NameOf(0), null);
        await DepositAsync(second, 100);
        await TookAsync(EverythingGrain.NameOf(0), null);
        Assert.Equal(100, _deliveries.Of(KeeperGrain.NameOf(0)).Count);

        Volatile.Write(ref isMended, true);
        await TookAsync(KeeperGrain.NameOf(0), "ledger");
        await Eventually.Async("all came to the one that keeps no position", () => Task.FromResult(_deliveries.Of(TrustingGrain.NameOf("0")).Count == 400));
        Assert.Equal(300, _deliveries.Of(KeeperGrain.NameOf(0)).Count);
    }

    [Fact]
    public async Task a_slow_subscriber_thousands_of_events_behind_misses_nothing()
    {
        var gate = new TaskCompletionSource();
        _deliveries.Before = (subscriber, _) => subscriber == KeeperGrain.NameOf(0) ? gate.Task : Task.CompletedTask;
        await using var node = await StartAsync();
        await DepositAsync(node, 12_000);
        await TookAsync(TrustingGrain.NameOf("0"), "ledger");
        Assert.Empty(_deliveries.Of(KeeperGrain.NameOf(0)));
        gate.SetResult();
        await TookAsync(KeeperGrain.NameOf(0), "ledger");
        Assert.Equal(12_000, _deliveries.Of(KeeperGrain.NameOf(0)).Count);
        Assert.Equal(12_000, _deliveries.Of(TrustingGrain.NameOf("0")).Count);
    }

    [Fact]
    public async Task an_explicit_subscription_begins_where_it_is_told_and_goes_on_after_its_grain_was_away()
    {
        await using var node = await StartAsync();
        await DepositAsync(node, 700);
        await SubscribeAsync(node, "rewound", EventLogStreams.TokenFrom(LogPosition.Start));
        await SubscribeAsync(node, "at 600", EventLogStreams.TokenFrom(new LogPosition(600)));
        await SubscribeAsync(node, "behind 600", EventLogStreams.TokenAfter(new LogPosition(600)));
        await SubscribeAsync(node, "anywhere", null);
        await SubscribeAsync(node, "ahead", EventLogStreams.TokenAfter(new LogPosition(720)));
        await HasAsync("rewound", 1, 700);
        await HasAsync("anywhere", 1, 700);
        await HasAsync("at 600", 600, 700);
        await HasAsync("behind 600", 601, 700);

        var reader = node.Grains.GetGrain<IReaderGrain>("rewound");
        await reader.LeaveAsync();
        await DepositAsync(node, 50);
        await HasAsync("rewound", 1, 750);
        await HasAsync("behind 600", 601, 750);
        await HasAsync("ahead", 721, 750);
    }

    [Fact]
    public async Task a_stream_that_was_left_by_all_gives_its_past_to_who_comes_then()
    {
        await using var node = await StartAsync();
        await Task.WhenAll(Enumerable.Range(0, 100).Select(i => node.Grains.GetGrain<ICounterGrain>($"c{i}").AddAsync(1)));
        await SubscribeAsync(node, "counter/first", null);
        await HasAsync("counter/first", 1, 100);
        await node.Grains.GetGrain<IReaderGrain>("counter/first").UnsubscribeAsync();
        await SubscribeAsync(node, "counter/second", EventLogStreams.TokenAfter(new LogPosition(40)));
        await HasAsync("counter/second", 41, 100);
    }

    [Fact]
    public async Task an_event_of_an_unknown_type_is_delivered_as_json_and_blocks_only_who_requires_it()
    {
        await using var node = await StartAsync();
        await DepositAsync(node, 10);
        Assert.IsType<AppendOutcome.Appended>(Assert.Single(await _log.AppendAsync([Requests.One("ledger/b")], CancellationToken.None)));
        await DepositAsync(node, 10);
        await TookAsync(KeeperGrain.NameOf(0), "ledger");
        var unknown = _deliveries.Of(KeeperGrain.NameOf(0)).Single(e => e.Event is null);
        Assert.Equal((11L, "tested", """{"n":0}"""), (unknown.Position.Value, unknown.Recorded.Type, Encoding.UTF8.GetString(unknown.Recorded.Data.Span)));
        Assert.IsType<UnknownEventTypeException>(unknown.Fault);
        Assert.Equal(11, Assert.Throws<UnknownEventTypeException>(() => unknown.Require()).Position);

        _deliveries.Before = (_, e) => Task.FromResult(e.Require());
        await SubscribeAsync(node, "strict", null);
        await HasAsync("strict", 1, 10);
        _deliveries.Before = (_, _) => Task.CompletedTask;
        await Eventually.Async("the unknown event and those behind it", () => Task.FromResult(_deliveries.PositionsOf("strict").Distinct().Count() == 21));
        Assert.Equal(Enumerable.Range(1, 21).Select(i => (long)i), _deliveries.PositionsOf("strict").Distinct());
    }

    [Fact]
    public async Task events_are_divided_by_log_stream_and_each_slice_is_in_order()
    {
        await using var node = await StartAsync(o => o.Slices = 4);
        await Task.WhenAll(Enumerable.Range(0, 60).Select(async i =>
        {
            for (var n = 0; n < 5; n++)
            {
                await node.Grains.GetGrain<ILedgerGrain>($"l{i}").DepositAsync(1);
            }
        }));
        await Eventually.Async("300 events in four slices", () => Task.FromResult(Enumerable.Range(0, 4).Sum(i => _deliveries.Of(KeeperGrain.NameOf(i)).Count) == 300));
        for (var i = 0; i < 4; i++)
        {
            var taken = _deliveries.Of(KeeperGrain.NameOf(i));
            Assert.NotEmpty(taken);
            Assert.All(taken, e => Assert.Equal(i, Core.Projections.Slice.Of(e.Stream.Value, 4).Index));
            Assert.Equal(taken.Select(e => e.Position).Order(), taken.Select(e => e.Position));
            await Eventually.Async("everything of the slice", () => Task.FromResult(_deliveries.PositionsOf(EverythingGrain.NameOf(i)).Distinct().Count() == taken.Count));
        }
    }

    [Fact]
    public async Task an_event_travels_as_the_json_of_the_log_and_is_read_where_it_arrives()
    {
        await using var node = await StartAsync();
        await DepositAsync(node, 1);
        await _log.AppendAsync([Requests.One("ledger/b")], CancellationToken.None);
        await TookAsync(KeeperGrain.NameOf(0), "ledger");
        var serializer = node.Services.GetRequiredService<Serializer>();
        foreach (var sent in _deliveries.Of(KeeperGrain.NameOf(0)))
        {
            var received = serializer.Deserialize<StreamedEvent>(serializer.SerializeToArray(sent))!;
            Assert.Equal((sent.Event, sent.Fault?.Message, sent.Metadata, sent.ToString()), (received.Event, received.Fault?.Message, received.Metadata, received.ToString()));
            Assert.Equal(sent.Recorded with { Data = default, Metadata = default }, received.Recorded with { Data = default, Metadata = default });
            Assert.True(sent.Recorded.Data.Span.SequenceEqual(received.Recorded.Data.Span) && sent.Recorded.Metadata.Span.SequenceEqual(received.Recorded.Metadata.Span));
        }
    }

    [Fact]
    public async Task a_delivery_is_limited_by_events_and_by_bytes_but_for_a_single_event()
    {
        await using (var before = await StartAsync(streams: null))
        {
            await DepositAsync(before, 130);
            foreach (var kilobytes in new[] { 400, 400, 400, 1, 900, 400, 1_000, 1_000 })
            {
                var one = Requests.One("ledger/b");
                var large = one.Events[0] with { Data = Encoding.UTF8.GetBytes($"\"{new string('x', (kilobytes * 1024) - 2)}\"") };
                await _log.AppendAsync([new AppendRequest(one.Stream, one.Expected, [large])], CancellationToken.None);
            }
        }

        await using var node = await StartAsync(o => o.BatchEvents = 50);
        await TookAsync(EverythingGrain.NameOf(0), null);
        Assert.Equal([50, 50, 32, 2, 1, 1, 1, 1], _deliveries.Batches.Select(b => b.Events).ToArray());
        Assert.All(_deliveries.Batches, b => Assert.InRange(b.Bytes, 1, 1024 * 1024));
    }

    [Fact]
    public async Task nobody_writes_into_the_log_through_a_stream()
    {
        await using var node = await StartAsync();
        var stream = node.Services.GetRequiredKeyedService<IStreamProvider>(EventLogStreams.DefaultName).GetStream<string>(EventLogStreams.Of("ledger"));
        Assert.Contains("ReadOnly", Assert.Throws<InvalidOperationException>(() => { _ = stream.OnNextAsync("mine"); }).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task what_cannot_be_is_refused_when_the_silo_starts()
    {
        var refused = await Assert.ThrowsAsync<OptionsValidationException>(() => StartAsync(o =>
        {
            (o.Slices, o.BatchEvents) = (65, 0);
            o.Categories.Add("fine/1 2");
        }));
        Assert.Equal(3, refused.Failures.Count());
    }

    private static Task SubscribeAsync(TestNode node, string reader, StreamSequenceToken? token) => node.Grains.GetGrain<IReaderGrain>(reader).SubscribeAsync(token);

    private Task HasAsync(string reader, int first, int last) => Eventually.Async(
        $"{reader} has exactly {first} to {last}",
        () => Task.FromResult(_deliveries.PositionsOf(reader).SequenceEqual(Enumerable.Range(first, last - first + 1).Select(i => (long)i))));

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
