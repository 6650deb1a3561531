using System.Collections.Concurrent;
using Microsoft.Extensions.Time.Testing;
using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Projections;
using Orleans.EventSourced.Core.Reactions;
using Orleans.EventSourced.UnitTests.Projections;
using Xunit;

namespace Orleans.EventSourced.UnitTests.Reactions;

public sealed class ReactionRunnerTests
{
    private static readonly ReactionName Name = new("greet");
    private readonly Bank _bank = new();
    private readonly InMemoryReactionStore _store = new();
    private readonly ConcurrentQueue<RecordedEvent> _handled = new();
    private readonly ReactionOptions _options = new();

    [Fact]
    public async Task a_new_reaction_begins_behind_what_is_there_and_keeps_that_position()
    {
        await _bank.AppendAsync("a", new Opened("x"), new Deposited(1));
        Assert.Equal(new ReactionStep.AtHead(new LogPosition(2)), await Runner().StepAsync(CancellationToken.None));
        await _bank.AppendAsync("a", new Deposited(2));

        await ToHeadAsync(Runner());
        Assert.Equal([3], Positions);
    }

    [Fact]
    public async Task one_that_is_told_to_begins_with_the_first_event()
    {
        await _bank.AppendAsync("a", new Opened("x"), new Deposited(1));
        await ToHeadAsync(Runner(start: ReactionStart.Beginning));
        Assert.Equal([1, 2], Positions);
        await ToHeadAsync(Runner(start: ReactionStart.Head));
        Assert.Equal([1, 2], Positions);
    }

    [Theory]
    [InlineData(1, 1, 7)]
    [InlineData(4, 3, 7)]
    [InlineData(16, 100, 5_000)]
    public async Task every_event_of_the_family_is_handled_once_and_each_streams_in_order(int concurrency, int checkpoint, int page)
    {
        (_options.Concurrency, _options.CheckpointEvents) = (concurrency, checkpoint);
        await _bank.LiveAsync(seed: 5, commits: 200);
        var (running, most) = (0, 0);
        await ToHeadAsync(Runner(page, ReactionStart.Beginning, async (e, _) =>
        {
            most = Math.Max(most, Interlocked.Increment(ref running));
            await Task.Yield();
            _handled.Enqueue(e);
            Interlocked.Decrement(ref running);
        }));
        var all = (await _bank.Log.ReadLogAsync(LogPosition.Start, 10_000, CancellationToken.None)).Where(e => e.Stream.Type == "account").ToList();
        Assert.Equal(all.Select(e => e.Position.Value), Positions.Order());
        Assert.All(_handled.GroupBy(e => e.Stream), s => Assert.Equal(s.Select(e => e.Version.Value).Order(), s.Select(e => e.Version.Value)));
        Assert.InRange(most, 1, concurrency);
    }

    [Fact]
    public async Task after_a_crash_between_handling_and_checkpoint_the_events_are_handled_again_with_the_same_command_ids()
    {
        await _bank.AppendAsync("a", new Opened("x"));
        await _bank.AppendAsync("b", new Opened("y"));
        var crashing = new CrashingStore(_store) { Crashes = true };
        var runner = Runner(start: ReactionStart.Beginning, store: crashing);
        await Assert.ThrowsAsync<LogUnavailableException>(() => runner.StepAsync(CancellationToken.None));
        crashing.Crashes = false;

        await ToHeadAsync(Runner(start: ReactionStart.Beginning));
        Assert.Equal([1, 1, 2, 2], Positions.Order());
        var ids = _handled.Select(e => Name.CommandOf(e.Id, 0)).ToList();
        Assert.Equal(2, ids.Distinct().Count());
        Assert.NotEqual(Name.CommandOf(_handled.First().Id, 0), Name.CommandOf(_handled.First().Id, 1));
        Assert.NotEqual(Name.CommandOf(_handled.First().Id, 0), new ReactionName("other").CommandOf(_handled.First().Id, 0));
    }

    [Fact]
    public async Task a_handler_that_throws_keeps_the_checkpoint_before_its_event_while_other_streams_go_on_a_bounded_way()
    {
        _options.CheckpointEvents = 10;
        await _bank.AppendAsync("a", new Opened("x"));
        await _bank.AppendAsync("b", new Cursed(), new Deposited(1));
        for (var i = 0; i < 30; i++)
        {
            await _bank.AppendAsync($"c{i}", new Opened("x"));
        }

        var runner = Runner(page: 1_000, start: ReactionStart.Beginning, handle: (e, payload) => payload is Cursed ? throw new InvalidOperationException("cursed") : Handled(e));
        for (var i = 0; i < 3; i++)
        {
            var failed = Assert.IsType<ReactionStep.Failed>(await runner.StepAsync(CancellationToken.None));
            Assert.Equal((1L, 2L, false), (failed.Position.Value, failed.Fault.Recorded.Position.Value, failed.Fault.IsOutage));
        }

        // Once each, however often the failing one was tried, and none of its own stream behind it.
        Assert.Equal([1, 4, 5, 6, 7, 8, 9, 10, 11], Positions.Order());
        Assert.Equal(new LogPosition(1), (await _store.OpenAsync(Name, LogPosition.Start, CancellationToken.None)).Position);

        await _store.SkipAsync(Name, new SkippedEvent(new LogPosition(2), "cursed", null, DateTimeOffset.UnixEpoch), CancellationToken.None);
        await ToHeadAsync(runner);
        Assert.Equal([1, .. Enumerable.Range(3, 31).Select(p => (long)p)], Positions.Order());
    }

    [Fact]
    public async Task an_outage_is_told_from_a_handler_that_throws_and_nothing_is_lost_by_it()
    {
        await _bank.AppendAsync("a", new Opened("x"));
        var answers = false;
        var runner = Runner(start: ReactionStart.Beginning, handle: (e, _) => answers ? Handled(e) : throw new LogOverloadedException("full"));
        Assert.True(Assert.IsType<ReactionStep.Failed>(await runner.StepAsync(CancellationToken.None)).Fault.IsOutage);
        answers = true;
        await ToHeadAsync(runner);
        Assert.Equal([1], Positions);
    }

    [Fact]
    public async Task a_handler_that_takes_too_long_is_an_outage()
    {
        await _bank.AppendAsync("a", new Opened("x"));
        var time = new FakeTimeProvider();
        var reached = new TaskCompletionSource();
        var reaction = new Reaction(Name, typeof(AccountEvent), ReactionStart.Beginning, (_, _, stop) =>
        {
            reached.SetResult();
            return Task.Delay(Timeout.InfiniteTimeSpan, time, CancellationToken.None);
        });
        var step = new ReactionRunner(reaction, _store, _bank.Tail(), _options, time).StepAsync(CancellationToken.None);
        await reached.Task;
        time.Advance(_options.HandlerTimeout);
        Assert.True(Assert.IsType<ReactionStep.Failed>(await step).Fault.IsOutage);
    }

    [Fact]
    public async Task two_runners_of_one_reaction_handle_everything_at_least_once_and_never_move_the_checkpoint_back()
    {
        _options.CheckpointEvents = 3;
        await _bank.LiveAsync(seed: 6, commits: 100);
        var runners = new[] { Runner(start: ReactionStart.Beginning), Runner(5, ReactionStart.Beginning) };
        var (random, overtaken, last) = (new Random(6), 0, 0L);
        for (var atHead = 0; atHead < 2;)
        {
            var step = await runners[random.Next(2)].StepAsync(CancellationToken.None);
            overtaken += step is ReactionStep.Overtaken ? 1 : 0;
            atHead = step is ReactionStep.AtHead ? atHead + 1 : 0;
            var kept = (await _store.OpenAsync(Name, LogPosition.Start, CancellationToken.None)).Position.Value;
            Assert.True(kept >= last, $"{kept} after {last}");
            last = kept;
        }

        Assert.True(overtaken > 5, $"overtaken {overtaken} times");
        var all = (await _bank.Log.ReadLogAsync(LogPosition.Start, 10_000, CancellationToken.None)).Where(e => e.Stream.Type == "account");
        Assert.Equal(all.Select(e => e.Position.Value), Positions.Distinct().Order());
    }

    [Fact]
    public async Task events_that_do_not_concern_it_move_its_checkpoint_only_now_and_then()
    {
        var counting = new CrashingStore(_store);
        var runner = Runner(page: 1_000, start: ReactionStart.Beginning, store: counting);
        for (var i = 0; i < 60; i++)
        {
            await _bank.AppendAsync("sky", "weather", [.. Enumerable.Range(0, 100).Select(_ => (object)new WeatherChanged())]);
            await runner.StepAsync(CancellationToken.None);
        }

        Assert.Equal((1, 5_000L), (counting.Moves, (await _store.OpenAsync(Name, LogPosition.Start, CancellationToken.None)).Position.Value));
        await _bank.AppendAsync("a", new Opened("x"));
        await ToHeadAsync(runner);
        Assert.Equal((2, 6_001L), (counting.Moves, (await _store.OpenAsync(Name, LogPosition.Start, CancellationToken.None)).Position.Value));
    }

    [Fact]
    public async Task an_event_of_an_unknown_type_is_waited_for()
    {
        await _bank.AppendAsync("a", new Opened("x"));
        var (stream, command) = (new StreamId("account", "a"), CommandId.New(TimeProvider.System));
        await _bank.Log.AppendAsync([new AppendRequest(stream, ExpectedVersion.Any, [new NewEvent(EventId.Derive(command, stream, 0), "account-split", 1, "{}"u8.ToArray(), new EventMetadata(command).ToJson())])], CancellationToken.None);
        var runner = Runner(start: ReactionStart.Beginning);
        Assert.Equal(new ReactionStep.Advanced(new LogPosition(1), 1), await runner.StepAsync(CancellationToken.None));
        Assert.Equal("account-split", Assert.IsType<ReactionStep.Unknown>(await runner.StepAsync(CancellationToken.None)).Missing.EventType);
    }

    [Fact]
    public async Task a_checkpoint_behind_the_logs_end_is_refused()
    {
        await _bank.AppendAsync("a", new Opened("x"));
        await _store.OpenAsync(Name, new LogPosition(9), CancellationToken.None);
        await Assert.ThrowsAsync<LogMisconfiguredException>(() => Runner().StepAsync(CancellationToken.None));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(100)]
    public async Task a_log_that_went_back_is_known_also_when_it_has_grown_again(int page)
    {
        await _bank.AppendAsync("a", new Opened("x"), new Deposited(1));
        await ToHeadAsync(Runner(page, ReactionStart.Beginning));
        var restored = new Bank();
        await restored.AppendAsync("a", new Opened("y"), new Deposited(2));
        await restored.AppendAsync("a", new Deposited(3));

        var runner = new ReactionRunner(new Reaction(Name, typeof(AccountEvent), ReactionStart.Head, (e, _, _) => Handled(e)), _store, restored.Tail(page), _options, TimeProvider.System);
        var refused = await Assert.ThrowsAsync<LogMisconfiguredException>(() => runner.StepAsync(CancellationToken.None));
        Assert.Contains("up to position 2, but the log has another event there", refused.Message, StringComparison.Ordinal);
        Assert.Equal([1, 2], Positions);
    }

    [Theory]
    [InlineData("")]
    [InlineData("Upper")]
    [InlineData("1st")]
    [InlineData("a name")]
    [InlineData("a-name-that-is-longer-than-forty-characters")]
    public void a_bad_name_is_refused(string name)
    {
        Assert.Throws<ArgumentException>(() => new ReactionName(name));
        Assert.Throws<ArgumentException>(() => new DeadlineName(name));
    }

    private List<long> Positions => [.. _handled.Select(e => e.Position.Value)];

    private Task Handled(RecordedEvent e)
    {
        _handled.Enqueue(e);
        return Task.CompletedTask;
    }

    private ReactionRunner Runner(int page = 7, ReactionStart start = ReactionStart.Head, Func<RecordedEvent, object, Task>? handle = null, IReactionStore? store = null) => new(
        new Reaction(Name, typeof(AccountEvent), start, (e, payload, _) => handle is null ? Handled(e) : handle(e, payload)), store ?? _store, _bank.Tail(page), _options, TimeProvider.System);

    private static async Task ToHeadAsync(ReactionRunner runner)
    {
        while (await runner.StepAsync(CancellationToken.None) is var step and not ReactionStep.AtHead)
        {
            Assert.IsType<ReactionStep.Advanced>(step);
        }
    }
}

/// <summary>Counts how often the checkpoint moves, and can lose the process, as it were, just before it does.</summary>
internal sealed class CrashingStore(IReactionStore inner) : IReactionStore
{
    public bool Crashes { get; set; }

    public int Moves { get; private set; }

    public Task<OpenedReaction> OpenAsync(ReactionName reaction, LogPosition start, CancellationToken cancellationToken) => inner.OpenAsync(reaction, start, cancellationToken);

    public Task<bool> MoveAsync(ReactionName reaction, LogPosition expected, LogPosition next, LogMark? mark, CancellationToken cancellationToken)
    {
        Moves++;
        return Crashes ? throw new LogUnavailableException("the process is gone") : inner.MoveAsync(reaction, expected, next, mark, cancellationToken);
    }

    public Task<bool> SkipAsync(ReactionName reaction, SkippedEvent skipped, CancellationToken cancellationToken) => inner.SkipAsync(reaction, skipped, cancellationToken);

    public Task<IReadOnlyList<SkippedEvent>> ReadSkippedAsync(ReactionName reaction, CancellationToken cancellationToken) => inner.ReadSkippedAsync(reaction, cancellationToken);
}
