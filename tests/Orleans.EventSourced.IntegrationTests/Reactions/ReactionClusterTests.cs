using System.Collections.Concurrent;
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
using Orleans.EventSourced.Reactions;
using Xunit;

namespace Orleans.EventSourced.IntegrationTests.Reactions;

/// <summary>Reactions in clusters of real silos: what is added to a counter <c>in...</c> is added to the counter <c>sum</c> too.</summary>
public sealed class ReactionClusterTests(PostgresFixture postgres)
{
    private const int Poison = 7;
    private static readonly ReactionName Sum = new("sum");
    private static readonly ReactionName Echo = new("echo");
    private readonly InMemoryEventLog _log = new(TimeProvider.System);
    private readonly InMemorySnapshotStore _snapshots = new();
    private readonly InMemoryReactionStore _store = new();
    private readonly ConcurrentQueue<CommandResult<CounterEvent>> _answers = new();
    private volatile bool _heals;

    [Fact]
    public async Task a_command_follows_each_event_and_says_why()
    {
        await using var node = await StartAsync();
        using (CommandContext.Begin(new CommandContext(CommandId.FromText("first").Value) { IsNamed = true, Correlation = "flow", Actor = "anna", Origin = "http" }))
        {
            await node.Grains.GetGrain<ICounterGrain>("in").AddAsync(20);
        }

        await SumsToAsync(node, 20);
        var (causes, effects) = (await EventsAsync(node, "in"), await EventsAsync(node, "sum"));
        Assert.Equal(causes.Select(e => e.Id.ToString()), effects.Select(e => EventMetadata.Parse(e.Metadata).Causation));
        Assert.All(effects, e => Assert.Equal(("flow", "reaction:sum", "reaction"), EventMetadata.Parse(e.Metadata) is var m ? (m.Correlation, m.Actor, m.Origin) : default));
        Assert.Equal(causes.Select(e => Sum.CommandOf(e.Id, 0)), effects.Select(e => EventMetadata.Parse(e.Metadata).Command));
    }

    [Fact]
    public async Task sent_and_then_crashed_before_the_checkpoint_moves_has_one_effect()
    {
        var crashing = new CrashingStore(_store);
        await using (var node = await StartAsync(store: crashing))
        {
            await AddAsync(node, "in", 30);
            await SumsToAsync(node, 30);
            await Eventually.Async("several crashes", () => Task.FromResult(crashing.Crashes > 3));
        }

        Assert.Equal(LogPosition.Start, (await _store.OpenAsync(Sum, LogPosition.Start, CancellationToken.None)).Position);
        await using var next = await StartAsync();
        await FollowsAsync(next, Sum);
        Assert.Equal(30, (await EventsAsync(next, "sum")).Count);
        Assert.True(_answers.OfType<Accepted<CounterEvent>>().Count(a => a.IsRepeated) >= 30, "nothing was sent again");
    }

    [Fact]
    public async Task two_clusters_that_both_run_it_have_one_effect()
    {
        var database = await postgres.CreateLogAsync();
        await using var one = await TestNode.StartPostgresAsync(database, views: Both);
        await using var two = await TestNode.StartPostgresAsync(database, views: Both);
        await FollowsAsync(one, Sum);
        await FollowsAsync(two, Sum);
        await Task.WhenAll(AddAsync(one, "in1", 40), AddAsync(two, "in2", 40));
        await SumsToAsync(one, 80);
        await FollowsAsync(one, Sum);
        await FollowsAsync(two, Sum);
        Assert.Equal(80, (await EventsAsync(one, "sum")).Count);
    }

    [Fact]
    public async Task a_handler_that_throws_stops_its_reaction_alone_and_the_event_can_be_skipped()
    {
        await using var node = await StartAsync();
        var control = node.Services.GetRequiredService<ReactionControl>();
        await node.Grains.GetGrain<ICounterGrain>("in").AddAsync(Poison);
        var poison = (await node.Log.ReadHeadAsync(CancellationToken.None)).Position;
        await AddAsync(node, "in", 5);
        var stopped = await StoppedAsync(control);
        Assert.Equal((poison, 3), (stopped.FaultAt, stopped.Attempts));
        Assert.Contains("This is poison.", stopped.Fault, StringComparison.Ordinal);
        await FollowsAsync(node, Echo);
        Assert.Empty(await EventsAsync(node, "sum"));

        await Assert.ThrowsAsync<LogRequestRefusedException>(() => control.SkipAsync(Sum, poison + 1, "not that one", null, CancellationToken.None));
        await Assert.ThrowsAsync<ArgumentException>(() => control.SkipAsync(Sum, poison, " ", null, CancellationToken.None));
        await Assert.ThrowsAsync<ArgumentException>(() => control.ResumeAsync(new ReactionName("nobody"), "a test", null));
        await control.SkipAsync(Sum, poison, "a test of poison", "ops", CancellationToken.None);
        await SumsToAsync(node, 5);
        await control.SkipAsync(Sum, poison, "said twice", null, CancellationToken.None);
        Assert.Equal(("a test of poison", "ops"), Assert.Single(await control.ListSkippedAsync(Sum, CancellationToken.None)) is var s ? (s.Reason, s.Actor) : default);
    }

    [Fact]
    public async Task a_mended_handler_goes_on_with_the_event_when_it_is_resumed()
    {
        await using var node = await StartAsync();
        var control = node.Services.GetRequiredService<ReactionControl>();
        await node.Grains.GetGrain<ICounterGrain>("in").AddAsync(Poison);
        await AddAsync(node, "in", 5);
        await StoppedAsync(control);
        _heals = true;
        await control.ResumeAsync(Sum, "a test", null);
        await SumsToAsync(node, Poison + 5);
    }

    [Fact]
    public async Task a_refusal_is_an_answer_and_the_reaction_goes_on()
    {
        await using var node = await StartAsync();
        await Task.WhenAll(Enumerable.Range(0, 5).Select(i => node.Grains.GetGrain<ICounterGrain>($"in{i}").AddAsync(Counter.Limit / 4)));
        await FollowsAsync(node, Sum);
        Assert.Equal(Counter.Limit / 10, (await EventsAsync(node, "sum")).Count);
        Assert.Equal(Counter.Limit / 4 / 10, _answers.OfType<Rejected<CounterEvent>>().Count(r => r.Code == "limit"));
    }

    [Fact]
    public async Task a_new_reaction_begins_at_the_head_and_one_that_was_away_where_it_left()
    {
        await using (var before = await StartAsync(views: static _ => { }))
        {
            await AddAsync(before, "in", 10);
        }

        await using (var node = await StartAsync())
        {
            await AddAsync(node, "in", 3);
            await SumsToAsync(node, 3);
        }

        await using (var without = await StartAsync(views: static _ => { }))
        {
            await AddAsync(without, "in", 4);
        }

        await using var again = await StartAsync();
        await SumsToAsync(again, 7);
        await FollowsAsync(again, Sum);
        Assert.Equal(7, (await EventsAsync(again, "sum")).Count);
    }

    [Fact]
    public async Task it_runs_only_where_the_program_knows_it_and_moves_when_its_silo_leaves()
    {
        await using var old = await StartAsync(views: static _ => { });
        var second = await StartAsync(beside: old);
        await AddAsync(old, "in", 5);
        await SumsToAsync(old, 5);
        Assert.All(await second.Services.GetRequiredService<ReactionControl>().ListAsync(), r => Assert.Equal(second.Silo.SiloAddress, r.Silo));
        await second.DisposeAsync();
        await AddAsync(old, "in", 5);
        await Task.Delay(TimeSpan.FromSeconds(1.5), TimeProvider.System);
        Assert.Equal(5, (await EventsAsync(old, "sum")).Count);

        await using var third = await StartAsync(beside: old);
        await SumsToAsync(old, 10);
    }

    private static Task AddAsync(TestNode node, string counter, int times) => Task.WhenAll(Enumerable.Range(0, times).Select(_ => node.Grains.GetGrain<ICounterGrain>(counter).AddAsync(1)));

    private static async Task<List<RecordedEvent>> EventsAsync(TestNode node, string counter) => [.. await node.Loader.ReadAsync(new StreamId("counter", counter), StreamVersion.None)];

    /// <summary>What the log holds: while silos come and go, a grain may have a twin whose state is older.</summary>
    private static Task SumsToAsync(TestNode node, int total)
    {
        var codec = node.Services.GetRequiredService<JsonEventCodec>();
        return Eventually.Async($"{total} in the sum", async () => (await EventsAsync(node, "sum")).Sum(e => ((Added)codec.Decode(e)).Amount) == total);
    }

    private static Task FollowsAsync(TestNode node, ReactionName reaction) => Eventually.Async($"{reaction} at the head", async () =>
    {
        var head = (await node.Log.ReadHeadAsync(CancellationToken.None)).Position;
        var status = (await node.Services.GetRequiredService<ReactionControl>().ListAsync()).Single(r => r.Status.Name == reaction).Status;
        return status is { State: ReactionState.Live } && status.Position >= head;
    });

    private static async Task<ReactionStatus> StoppedAsync(ReactionControl control)
    {
        ReactionStatus? stopped = null;
        await Eventually.Async("a reaction that stands still", async () =>
        {
            stopped = (await control.ListAsync()).Select(r => r.Status).SingleOrDefault(r => r.State == ReactionState.Stopped);
            return stopped is not null;
        });
        return stopped!;
    }

    /// <summary>Starts a silo; one that knows the reactions, up to where they have begun: a new one begins at the head of that moment.</summary>
    private async Task<TestNode> StartAsync(TestNode? beside = null, IReactionStore? store = null, Action<ISiloBuilder>? views = null)
    {
        var node = await TestNode.StartAsync(
            services =>
            {
                services.AddSingleton<IEventLog>(_ => _log);
                services.AddSingleton<ISnapshotStore>(_snapshots);
                services.AddSingleton(store ?? _store);
            },
            beside: beside,
            views: views ?? Both);
        if (views is null)
        {
            await FollowsAsync(node, Sum);
            await FollowsAsync(node, Echo);
        }

        return node;
    }

    private void Both(ISiloBuilder silo) => silo
        .AddReaction<CounterEvent>(Echo.Value, static _ => Task.CompletedTask)
        .AddReaction<CounterEvent>(Sum.Value, async context =>
        {
            if (!context.Recorded.Stream.Key.StartsWith("in", StringComparison.Ordinal))
            {
                return;
            }

            var amount = ((Added)context.Event).Amount;
            if (amount == Poison && !_heals)
            {
                throw new InvalidOperationException("This is poison.");
            }

            _answers.Enqueue(await context.SendAsync(grains => grains.GetGrain<ICounterGrain>("sum").AddAsync(amount)));
        });

    /// <summary>Loses the process, as it were, each time before the checkpoint moves.</summary>
    private sealed class CrashingStore(IReactionStore inner) : IReactionStore
    {
        private int _crashes;

        public int Crashes => Volatile.Read(ref _crashes);

        public Task<OpenedReaction> OpenAsync(ReactionName reaction, LogPosition start, CancellationToken cancellationToken) => inner.OpenAsync(reaction, start, cancellationToken);

        public Task<bool> MoveAsync(ReactionName reaction, LogPosition expected, LogPosition next, LogMark? mark, CancellationToken cancellationToken)
        {
            Interlocked.Increment(ref _crashes);
            throw new LogUnavailableException("The process is gone.");
        }

        public Task<bool> SkipAsync(ReactionName reaction, SkippedEvent skipped, CancellationToken cancellationToken) => inner.SkipAsync(reaction, skipped, cancellationToken);

        public Task<IReadOnlyList<SkippedEvent>> ReadSkippedAsync(ReactionName reaction, CancellationToken cancellationToken) => inner.ReadSkippedAsync(reaction, cancellationToken);
    }
}
