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
using Orleans.EventSourced.Mutations;
using Xunit;

namespace Orleans.EventSourced.IntegrationTests.Mutations;

/// <summary>Sessions in clusters of real silos: clients ask for additions to counters and do not wait.</summary>
public sealed class MutationQueueTests(PostgresFixture postgres)
{
    private readonly InMemoryReactionStore _reactions = new();

    private Func<IGrainFactory, string, AddTo, Task<CommandResult<CounterEvent>>> _send =
        (grains, id, command) => command.Amount >= 0 ? grains.GetGrain<ICounterGrain>(id).AddAsync(command.Amount) : throw new InvalidOperationException("This entity fails.");

    [Fact]
    public async Task what_is_asked_for_is_done_in_order_and_its_fate_is_recorded_with_who_and_why()
    {
        await using var node = await StartAsync(_reactions);
        var queue = node.Services.GetRequiredService<MutationQueue>();
        var asked = new List<Guid>();
        for (var i = 0; i < 30; i++)
        {
            asked.Add((await TakenAsync(queue, "anna's", $"c{i % 3}", i == 20 ? Counter.Limit : 1, $"m{i}")).Mutation);
        }

        var done = await SettledAsync(queue, "anna's", 30);
        Assert.Equal(asked, done.Select(m => m.Mutation));
        Assert.Equal(("limit", $"The limit is {Counter.Limit}."), (done[20].Code, done[20].Reason));
        var accepted = done.Where(m => m.State == MutationState.Accepted).ToList();
        Assert.Equal(29, accepted.Count);
        Assert.Equal(accepted.Select(m => m.Position).Order(), accepted.Select(m => m.Position));
        Assert.Equal(done[29], await queue.FindAsync("anna's", asked[29]));
        Assert.Null(await queue.FindAsync("nobody's", asked[29]));

        // The workflow is in the log: the request causes the counter's event, which has the mutation's id, and the one who asked.
        var request = (await node.Loader.ReadAsync(new StreamId("es-session", "anna's"), StreamVersion.None, 1))[0];
        var effect = (await node.Loader.ReadAsync(new StreamId("counter", "c0"), StreamVersion.None, 1))[0];
        Assert.Equal(
            (new CommandId(asked[0]), request.Id.ToString(), "anna", "because", "mutation", $"{asked[0]:D}"),
            EventMetadata.Parse(effect.Metadata) is var m ? (m.Command, m.Causation, m.Actor, m.Reason, m.Origin, m.Correlation) : default);
        Assert.Equal(accepted[0].Position, effect.Position.Value);
    }

    [Fact]
    public async Task asked_for_twice_under_one_id_it_is_one_mutation_and_with_another_content_it_is_refused()
    {
        await using var node = await StartAsync(_reactions);
        var queue = node.Services.GetRequiredService<MutationQueue>();
        var first = await TakenAsync(queue, "s", "c", 5, "once");
        await SettledAsync(queue, "s", 1);
        var again = await TakenAsync(queue, "s", "c", 5, "once");
        Assert.Equal((first.Mutation, MutationState.Accepted, 1), (again.Mutation, again.State, again.Version));
        var other = Assert.IsType<MutationAnswer.Refused>(await queue.RequestAsync("s", "c", new AddTo(6), Context("once", "6")));
        Assert.Equal(MutationRefusals.Known, other.Code);
        Assert.Equal(5, (await node.Grains.GetGrain<ICounterGrain>("c").GetAsync()).Total);
    }

    [Fact]
    public async Task two_clusters_that_both_execute_them_have_one_effect_of_each()
    {
        var database = await postgres.CreateLogAsync();
        await using var one = await TestNode.StartPostgresAsync(database, views: Mutations);
        await using var two = await TestNode.StartPostgresAsync(database, views: Mutations);
        var queue = one.Services.GetRequiredService<MutationQueue>();
        await Task.WhenAll(Enumerable.Range(0, 4).Select(async s =>
        {
            for (var i = 0; i < 20; i++)
            {
                await TakenAsync(queue, $"s{s}", "c", 1, $"{s}-{i}");
            }
        }));
        for (var s = 0; s < 4; s++)
        {
            Assert.All(await SettledAsync(queue, $"s{s}", 20), m => Assert.Equal(MutationState.Accepted, m.State));
        }

        Assert.Equal(80, (await one.Loader.ReadAsync(new StreamId("counter", "c"), StreamVersion.None, 200)).Count);
    }

    [Fact]
    public async Task executed_again_after_a_crash_before_the_checkpoint_each_has_one_effect_and_one_fate()
    {
        var log = new InMemoryEventLog(TimeProvider.System);
        await using (var node = await StartAsync(new BrokenReactions(_reactions) { Moves = false }, log))
        {
            var queue = node.Services.GetRequiredService<MutationQueue>();
            for (var i = 0; i < 10; i++)
            {
                await TakenAsync(queue, "s", "c", 1, $"m{i}");
            }

            await SettledAsync(queue, "s", 10);
        }

        await using var next = await StartAsync(_reactions, log);
        var head = (await log.ReadHeadAsync(CancellationToken.None)).Position;
        await Eventually.Async("the checkpoint at the head", async () => (await _reactions.OpenAsync(new ReactionName("es-mutations"), LogPosition.Start, CancellationToken.None)).Position >= head);
        Assert.Equal(30, (await log.ReadHeadAsync(CancellationToken.None)).Position.Value);
        Assert.Equal(10, (await next.Grains.GetGrain<ICounterGrain>("c").GetAsync()).Total);
    }

    [Fact]
    public async Task what_was_asked_for_while_nothing_was_executed_is_done_by_the_next_silo_without_a_caller_and_a_full_session_says_so()
    {
        var log = new InMemoryEventLog(TimeProvider.System);
        await using (var node = await StartAsync(new BrokenReactions(_reactions) { Opens = false }, log))
        {
            var queue = node.Services.GetRequiredService<MutationQueue>();
            for (var i = 0; i < 1_000; i++)
            {
                await TakenAsync(queue, "full", "c", 1, $"m{i}");
            }

            Assert.Equal(MutationRefusals.Full, Assert.IsType<MutationAnswer.Refused>(await queue.RequestAsync("full", "c", new AddTo(1), Context("more", "1"))).Code);
            await TakenAsync(queue, "other", "c", 1, "not full");
            Assert.All(await queue.ListAsync("full"), m => Assert.Equal(MutationState.Requested, m.State));
        }

        await using var next = await StartAsync(_reactions, log);
        await Eventually.Async("all executed", async () => (await log.ReadHeadAsync(CancellationToken.None)).Position.Value == 3 * 1_001, seconds: 60);
        Assert.Equal(1_001, (await next.Grains.GetGrain<ICounterGrain>("c").GetAsync()).Total);
        await TakenAsync(next.Services.GetRequiredService<MutationQueue>(), "full", "c", 1, "room again");
    }

    [Fact]
    public async Task a_command_that_the_program_does_not_know_or_an_entity_that_fails_is_a_fate_and_holds_up_nobody()
    {
        await using var node = await StartAsync(_reactions);
        var queue = node.Services.GetRequiredService<MutationQueue>();
        await TakenAsync(queue, "s", "c", -1, "fails");
        await TakenAsync(queue, "s", "c", 3, "works");
        var done = await SettledAsync(queue, "s", 2);
        Assert.Equal([("failed", MutationState.Rejected), (null, MutationState.Accepted)], done.Select(m => (m.Code, m.State)));
        await Assert.ThrowsAsync<InvalidOperationException>(() => queue.RequestAsync("s", "c", "no command", Context("x", "x")));
        await Assert.ThrowsAsync<ArgumentException>(() => queue.RequestAsync("", "c", new AddTo(1), Context("x", "x")));
    }

    [Fact]
    public async Task what_fails_behind_its_append_took_effect_and_what_fails_for_a_moment_is_sent_again()
    {
        var moments = 0;
        _send = async (grains, id, command) =>
        {
            if (id == "moment" && Interlocked.Increment(ref moments) < 3)
            {
                throw new ObjectDisposedException("A silo that goes.");
            }

            var result = await grains.GetGrain<ICounterGrain>(id).AddAsync(command.Amount);
            return id == "behind" ? throw new InvalidOperationException("Too late to fail.") : result;
        };
        await using var node = await StartAsync(_reactions);
        var queue = node.Services.GetRequiredService<MutationQueue>();
        await TakenAsync(queue, "s", "behind", 5, "behind");
        await TakenAsync(queue, "s", "moment", 3, "moment");
        var done = await SettledAsync(queue, "s", 2);
        Assert.All(done, m => Assert.Equal(MutationState.Accepted, m.State));
        Assert.Equal([("counter/behind", 1, 1), ("counter/moment", 1, 1)], done.Select(m => (m.Stream, m.Version!.Value, m.Events!.Value)));
        Assert.Equal((await node.Loader.ReadAsync(new StreamId("counter", "behind"), StreamVersion.None, 1))[0].Position.Value, done[0].Position);
    }

    [Fact]
    public async Task an_entity_that_never_answers_holds_up_nobody_for_good_and_its_fate_says_that_it_is_not_known()
    {
        _send = (grains, id, command) => id == "dead" ? throw new TimeoutException("No answer.") : grains.GetGrain<ICounterGrain>(id).AddAsync(command.Amount);
        await using var node = await StartAsync(_reactions);
        var queue = node.Services.GetRequiredService<MutationQueue>();
        await TakenAsync(queue, "s", "dead", 5, "dead");
        await TakenAsync(queue, "s", "c", 3, "behind it");
        await TakenAsync(queue, "another", "c", 3, "elsewhere");
        await SettledAsync(queue, "another", 1);
        var done = await SettledAsync(queue, "s", 2);
        Assert.Equal(["Unknown", "Accepted"], done.Select(m => $"{m.State}"));
        Assert.Contains("No answer.", done[0].Reason, StringComparison.Ordinal);
    }

    [Fact]
    public async Task a_refusal_in_words_that_no_store_keeps_is_a_fate_too()
    {
        _send = (_, _, _) => Task.FromResult<CommandResult<CounterEvent>>(new Rejected<CounterEvent>("odd", "Because \0 of this."));
        await using var node = await StartAsync(_reactions);
        var queue = node.Services.GetRequiredService<MutationQueue>();
        await TakenAsync(queue, "s", "c", 5, "odd");
        Assert.Equal("Because \uFFFD of this.", (await SettledAsync(queue, "s", 1))[0].Reason);
    }

    [Fact]
    public async Task a_run_that_was_given_up_records_nothing_when_it_comes_to_an_end_at_last()
    {
        var runs = 0;
        var (first, second) = (new TaskCompletionSource(), new TaskCompletionSource());
        _send = async (grains, id, command) =>
        {
            if (Interlocked.Increment(ref runs) == 1)
            {
                await first.Task;
                return new Rejected<CounterEvent>("late", "It was decided on what was then.");
            }

            await second.Task;
            return await grains.GetGrain<ICounterGrain>(id).AddAsync(command.Amount);
        };
        await using var node = await StartAsync(_reactions, handlerTimeout: TimeSpan.FromSeconds(2));
        var queue = node.Services.GetRequiredService<MutationQueue>();
        var asked = await TakenAsync(queue, "s", "c", 5, "slow");
        await Eventually.Async("a second run", () => Task.FromResult(Volatile.Read(ref runs) == 2));
        first.SetResult();

        // The late run has no way to tell that it ended; what it would record takes a few milliseconds.
        for (var look = 0; look < 50; look++)
        {
            Assert.Equal(MutationState.Requested, (await queue.FindAsync("s", asked.Mutation))!.State);
            await Task.Delay(TimeSpan.FromMilliseconds(10), TimeProvider.System);
        }

        second.SetResult();
        Assert.Equal(MutationState.Accepted, (await SettledAsync(queue, "s", 1))[0].State);
    }

    [Fact]
    public async Task one_that_is_passed_over_is_told_of_and_frees_its_place_with_the_next_fate()
    {
        var log = new InMemoryEventLog(TimeProvider.System);
        await using (var node = await StartAsync(new BrokenReactions(_reactions) { Opens = false }, log))
        {
            var queue = node.Services.GetRequiredService<MutationQueue>();
            for (var i = 0; i < 3; i++)
            {
                await TakenAsync(queue, "s", "c", 1, $"m{i}");
            }
        }

        await _reactions.SkipAsync(new ReactionName("es-mutations"), new SkippedEvent(new LogPosition(2), "not this one", "ops", DateTimeOffset.UnixEpoch), CancellationToken.None);
        await using var next = await StartAsync(_reactions, log);
        var done = await SettledAsync(next.Services.GetRequiredService<MutationQueue>(), "s", 3);
        Assert.Equal(["Accepted", "Unknown", "Accepted"], done.Select(m => $"{m.State}"));
        Assert.Equal(2, (await next.Grains.GetGrain<ICounterGrain>("c").GetAsync()).Total);
    }

    [Fact]
    public async Task one_that_the_session_does_not_remember_any_more_is_not_taken_again()
    {
        await using var node = await StartAsync(_reactions);
        var queue = node.Services.GetRequiredService<MutationQueue>();
        await TakenAsync(queue, "s", "c0", 1, "long ago");
        await SettledAsync(queue, "s", 1);
        for (var i = 0; i < 2; i++)
        {
            await Task.WhenAll(Enumerable.Range(0, 1_000).Select(n => TakenAsync(queue, "s", $"c{n % 50}", 1, $"m{i} {n}")));
            await Eventually.Async("all done", async () => (await queue.ListAsync("s")).All(m => m.State != MutationState.Requested), seconds: 60);
        }

        Assert.Equal(MutationRefusals.Known, Assert.IsType<MutationAnswer.Refused>(await queue.RequestAsync("s", "c0", new AddTo(1), Context("long ago", "c0 1"))).Code);
    }

    private static CommandContext Context(string name, string content) =>
        new(CommandId.FromText(name).Value) { IsNamed = true, RequestHash = content, Actor = "anna", Reason = "because", Origin = "http" };

    private static async Task<MutationStatus> TakenAsync(MutationQueue queue, string session, string target, int amount, string name) =>
        Assert.IsType<MutationAnswer.Taken>(await queue.RequestAsync(session, target, new AddTo(amount), Context(name, $"{target} {amount}"))).Mutation;

    private static async Task<IReadOnlyList<MutationStatus>> SettledAsync(MutationQueue queue, string session, int count)
    {
        IReadOnlyList<MutationStatus> all = [];
        await Eventually.Async($"{count} settled", async () => (all = await queue.ListAsync(session)).Count(m => m.State != MutationState.Requested) == count, seconds: 60);
        return all;
    }

    private void Mutations(ISiloBuilder silo) => silo.AddMutation<AddTo, CounterEvent>("add-to", "counter", (grains, id, command) => _send(grains, id, command));

    private Task<TestNode> StartAsync(IReactionStore reactions, InMemoryEventLog? log = null, TimeSpan? handlerTimeout = null) => TestNode.StartAsync(
        services =>
        {
            services.AddSingleton<IEventLog>(_ => log ?? new InMemoryEventLog(TimeProvider.System));
            services.AddSingleton<ISnapshotStore>(new InMemorySnapshotStore());
            services.AddSingleton(reactions);
            services.Configure<ReactionOptions>(o => o.HandlerTimeout = handlerTimeout ?? o.HandlerTimeout);
        },
        views: Mutations);

    private sealed record AddTo(int Amount);

    /// <summary>A store that does not answer some of its questions.</summary>
    private sealed class BrokenReactions(IReactionStore inner) : IReactionStore
    {
        public bool Opens { get; init; } = true;

        public bool Moves { get; init; } = true;

        public Task<OpenedReaction> OpenAsync(ReactionName reaction, LogPosition start, CancellationToken cancellationToken) =>
            Opens ? inner.OpenAsync(reaction, start, cancellationToken) : throw new LogUnavailableException("The store is gone.");

        public Task<bool> MoveAsync(ReactionName reaction, LogPosition expected, LogPosition next, LogMark? mark, CancellationToken cancellationToken) =>
            Moves ? inner.MoveAsync(reaction, expected, next, mark, cancellationToken) : throw new LogUnavailableException("The store is gone.");

        public Task<bool> SkipAsync(ReactionName reaction, SkippedEvent skipped, CancellationToken cancellationToken) => inner.SkipAsync(reaction, skipped, cancellationToken);

        public Task<IReadOnlyList<SkippedEvent>> ReadSkippedAsync(ReactionName reaction, CancellationToken cancellationToken) => inner.ReadSkippedAsync(reaction, cancellationToken);
    }
}
