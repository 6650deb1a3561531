using Microsoft.Extensions.DependencyInjection;
using Orleans.EventSourced.Commands;
using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Snapshots;
using Orleans.EventSourced.Grains;
using Xunit;

namespace Orleans.EventSourced.IntegrationTests.Grains;

/// <summary>What happens to a grain when the log below it goes back or is full, when its own hooks throw, and when calls meet in an awkward order.</summary>
public sealed class AwkwardTurnsTests
{
    private static readonly StreamId Moody = new("moody", "a");
    private readonly InMemoryEventLog _log = new(TimeProvider.System);

    [Fact]
    public async Task a_grain_whose_log_went_back_starts_again_from_the_log()
    {
        await using var node = await StartAsync();
        for (var i = 0; i < 3; i++)
        {
            await Counter(node, "a").AddAsync(1);
        }

        node.Reads.TurnInto(await RestoredAsync(new StreamId("counter", "a"), [new Added(10)]));
        var e = await Assert.ThrowsAsync<LogCorruptException>(() => Counter(node, "a").AddAsync(1));
        Assert.Contains("went back", e.Message, StringComparison.Ordinal);

        Assert.Equal(2, Assert.IsType<Accepted<CounterEvent>>(await Eventually.ServedAsync(() => Counter(node, "a").AddAsync(1))).Version);
        Assert.Equal(11, (await Counter(node, "a").GetAsync()).Total);
    }

    [Fact]
    public async Task a_mutable_state_that_cannot_be_folded_again_because_the_log_went_back_starts_again_from_the_log()
    {
        await using var node = await StartAsync();
        var first = new CommandContext(CommandId.FromText("first").Value) { IsNamed = true };
        using (CommandContext.Begin(first))
        {
            await Ledger(node, "moody").DepositAsync(10);
        }

        await Ledger(node, "moody").DepositAsync(1);
        var stream = new StreamId("ledger", "moody");
        node.Reads.TurnInto(await RestoredAsync(stream, [new Deposited(10)], new CommandId(first.Command)));
        using (CommandContext.Begin(first))
        {
            // It is in the log, as it was answered before; only its grain cannot go on.
            await Ledger(node, "moody").DepositAsync(10).WaitAsync(TimeSpan.FromSeconds(20), TimeProvider.System);
        }

        Assert.Equal((10, 1), await Eventually.ServedAsync(() => Ledger(node, "moody").GetAsync()));
    }

    [Fact]
    public async Task a_command_that_lost_every_conflict_leaves_a_grain_that_starts_again()
    {
        await using var node = await StartAsync(o => o.MaxConflicts = 1);
        await Counter(node, "a").AddAsync(1);
        await AppendAsync(new StreamId("counter", "a"), new Added(1));
        node.Reads.BeforeNextAppend(() =>
        {
            // The second try meets another writer too.
            node.Reads.BeforeNextAppend(() => AppendAsync(new StreamId("counter", "a"), new Added(1)));
            return Task.CompletedTask;
        });

        Assert.IsType<Contended<CounterEvent>>(await Counter(node, "a").AddAsync(1));
        var reads = node.Reads.EventsRead;
        Assert.Equal((3, 3), ((await Counter(node, "a").GetAsync()).Total, (await Counter(node, "a").GetAsync()).Version));
        Assert.Equal(3, node.Reads.EventsRead - reads);
    }

    [Fact]
    public async Task the_first_refresh_of_a_grain_that_does_without_the_bases_activation_reads_the_log()
    {
        await using var node = await StartAsync();
        await Moodily(node).GetAsync();
        await AppendAsync(Moody, new Deposited(5));
        Assert.Equal(5, await Moodily(node).RefreshAsync());
    }

    [Fact]
    public async Task an_event_whose_raising_threw_in_the_grains_own_hook_is_never_written()
    {
        await using var node = await StartAsync();
        await Moodily(node).DepositAsync(1);
        var e = await Assert.ThrowsAsync<InvalidOperationException>(() => Moodily(node).DepositInABadMoodAsync(10));
        Assert.Equal("not in the mood", e.Message);

        Assert.Equal((1, 1), await Eventually.ServedAsync(() => Moodily(node).GetAsync()));
        await Moodily(node).DepositAsync(2);
        Assert.Equal((3, 2), await Moodily(node).GetAsync());
    }

    [Fact]
    public async Task a_command_refused_because_the_queue_is_full_costs_that_command_only()
    {
        await using var node = await StartAsync(services: s => s.Configure<GroupCommitOptions>(o => o.MaxQueuedRequests = 1));
        await Counter(node, "a").AddAsync(1);
        await Counter(node, "b").AddAsync(1);
        var (sent, release) = (new TaskCompletionSource(), new TaskCompletionSource());
        node.Reads.BeforeNextAppend(() =>
        {
            sent.SetResult();
            return release.Task;
        });
        var first = Counter(node, "a").AddAsync(1);
        await sent.Task;
        var reads = node.Reads.StreamReads;
        var context = new CommandContext(CommandId.FromText("again").Value) { IsNamed = true };
        using (CommandContext.Begin(context))
        {
            await Assert.ThrowsAsync<LogOverloadedException>(() => Counter(node, "b").AddAsync(1));
        }

        release.SetResult();
        Assert.IsType<Accepted<CounterEvent>>(await first);
        using (CommandContext.Begin(context))
        {
            Assert.Equal((2, false), await Counter(node, "b").AddAsync(1) is Accepted<CounterEvent> again ? (again.Version, again.IsRepeated) : default);
        }

        Assert.Equal(0, node.Reads.StreamReads - reads);
    }

    [Fact]
    public async Task an_event_raised_without_waiting_that_the_full_queue_refuses_is_told_to_whoever_confirms()
    {
        await using var node = await StartAsync(services: s => s.Configure<GroupCommitOptions>(o => o.MaxQueuedRequests = 1));
        await Moodily(node).DepositAsync(1);
        await Counter(node, "a").AddAsync(1);
        var (sent, release) = (new TaskCompletionSource(), new TaskCompletionSource());
        node.Reads.BeforeNextAppend(() =>
        {
            sent.SetResult();
            return release.Task;
        });
        var first = Counter(node, "a").AddAsync(1);
        await sent.Task;
        await Assert.ThrowsAsync<LogOverloadedException>(() => Moodily(node).DepositAsync(1));
        release.SetResult();
        await first;
        Assert.Equal((1, 1), await Eventually.ServedAsync(() => Moodily(node).GetAsync()));
    }

    [Theory]
    [InlineData(true, false)]
    [InlineData(false, true)]
    public async Task a_command_sent_again_takes_effect_once_however_its_events_fall_into_appends(bool pauseFirst, bool pauseThen)
    {
        await using var node = await StartAsync();
        var context = new CommandContext(CommandId.FromText("twice").Value) { IsNamed = true, RequestHash = "same" };
        foreach (var pause in (bool[])[pauseFirst, pauseThen])
        {
            using (CommandContext.Begin(context))
            {
                await Moodily(node).DepositTwiceAsync(5, pause);
            }
        }

        Assert.Equal((11, 2), await Moodily(node).GetAsync());
        using (CommandContext.Begin(context with { RequestHash = "other" }))
        {
            await Assert.ThrowsAsync<LogConsistency.CommandIdReusedException>(() => Moodily(node).DepositTwiceAsync(5, pauseThen));
        }
    }

    [Fact]
    public async Task a_command_that_was_cut_off_between_its_appends_is_completed_when_it_is_sent_again()
    {
        await using var node = await StartAsync();
        var context = new CommandContext(CommandId.FromText("cut").Value) { IsNamed = true };
        await AppendAsync(Moody, new Deposited(5), new CommandId(context.Command));
        using (CommandContext.Begin(context))
        {
            await Moodily(node).DepositTwiceAsync(5, pause: false);
        }

        Assert.Equal((11, 2), await Moodily(node).GetAsync());
    }

    [Fact]
    public async Task an_event_raised_while_the_tentative_state_is_folded_again_is_written()
    {
        await using var node = await StartAsync();
        await Moodily(node).DepositAsync(10);
        await AppendAsync(Moody, new Deposited(1));
        Task? interleaved = null;
        node.Reads.BeforeNextRead(() =>
        {
            // That was the read behind the confirmed version; the next one folds the second instance.
            node.Reads.BeforeNextRead(async () =>
            {
                interleaved = Moodily(node).DepositAtOnceAsync(1_000);
                await Eventually.Async("the interleaved event is raised", async () => interleaved.IsCompleted || await Moodily(node).UnconfirmedAsync() == 2);
            });
            return Task.CompletedTask;
        });

        await Moodily(node).DepositAsync(100);
        await interleaved!;
        Assert.Equal((1_111, 4), await Moodily(node).GetAsync());
    }

    [Fact]
    public async Task an_event_pending_when_a_refresh_fails_is_not_written_as_its_caller_is_told()
    {
        await using var node = await StartAsync();
        await Moodily(node).DepositAsync(1);
        Task? deposit = null;
        node.Reads.BeforeNextRead(async () =>
        {
            deposit = Moodily(node).DepositAtOnceAsync(7);
            await Eventually.Async("the interleaved event is raised", async () => await Moodily(node).UnconfirmedAsync() == 1);
            throw new LogUnavailableException("away for a moment");
        });

        await Assert.ThrowsAsync<LogUnavailableException>(() => Moodily(node).RefreshAsync());
        await Assert.ThrowsAsync<LogUnavailableException>(() => deposit!);
        Assert.Equal((1, 1), await Eventually.ServedAsync(() => Moodily(node).GetAsync()));
        Assert.Equal(new LogPosition(1), (await _log.ReadHeadAsync(CancellationToken.None)).Position);
    }

    [Fact]
    public async Task an_expected_version_above_the_grains_own_is_looked_for_in_the_log_before_it_is_refused()
    {
        await using var node = await StartAsync();
        await Counter(node, "a").AddAsync(1);
        await AppendAsync(new StreamId("counter", "a"), new Added(1));
        Assert.Equal(3, Assert.IsType<Accepted<CounterEvent>>(await AddAsync(node, expected: 2)).Version);

        await AppendAsync(new StreamId("counter", "a"), new Added(1));
        Assert.Equal(new VersionMismatch<CounterEvent>(4), await AddAsync(node, expected: 9));
    }

    private static async Task<CommandResult<CounterEvent>> AddAsync(TestNode node, int expected)
    {
        using (CommandContext.Begin(new CommandContext(CommandId.New(TimeProvider.System).Value) { ExpectedVersion = expected }))
        {
            return await Counter(node, "a").AddAsync(1);
        }
    }

    private static ICounterGrain Counter(TestNode node, string key) => node.Grains.GetGrain<ICounterGrain>(key);

    private static ILedgerGrain Ledger(TestNode node, string key) => node.Grains.GetGrain<ILedgerGrain>(key);

    private static IMoodyGrain Moodily(TestNode node) => node.Grains.GetGrain<IMoodyGrain>("a");

    private static async Task<InMemoryEventLog> RestoredAsync(StreamId stream, object[] events, CommandId? command = null)
    {
        var log = new InMemoryEventLog(TimeProvider.System);
        await AppendAsync(log, stream, events, command ?? CommandId.New(TimeProvider.System));
        return log;
    }

    private static async Task AppendAsync(IEventLog log, StreamId stream, object[] events, CommandId command)
    {
        var codec = new JsonEventCodec(TestNode.Types);
        var metadata = new EventMetadata(command).ToJson();
        var request = new AppendRequest(stream, ExpectedVersion.Any, [.. events.Select((e, i) => codec.Encode(EventId.Derive(command, stream, i), e, metadata))]);
        Assert.IsType<AppendOutcome.Appended>(Assert.Single(await log.AppendAsync([request], CancellationToken.None)));
    }

    private Task AppendAsync(StreamId stream, object e, CommandId? command = null) => AppendAsync(_log, stream, [e], command ?? CommandId.New(TimeProvider.System));

    private Task<TestNode> StartAsync(Action<Hosting.EventSourcingOptions>? configure = null, Action<IServiceCollection>? services = null) => TestNode.StartAsync(
        s =>
        {
            s.AddSingleton<IEventLog>(_ => _log);
            s.AddSingleton<ISnapshotStore, InMemorySnapshotStore>();
            services?.Invoke(s);
        },
        configure);
}
