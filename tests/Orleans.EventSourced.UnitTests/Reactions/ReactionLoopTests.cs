using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Projections;
using Orleans.EventSourced.Core.Reactions;
using Orleans.EventSourced.UnitTests.Projections;
using Xunit;

namespace Orleans.EventSourced.UnitTests.Reactions;

public sealed class ReactionLoopTests : IAsyncDisposable
{
    private static readonly ReactionName Name = new("greet");
    private readonly Bank _bank = new();
    private readonly InMemoryReactionStore _store = new();
    private readonly FakeTimeProvider _time = new();
    private readonly CancellationTokenSource _stop = new();
    private readonly ReactionOptions _options = new();
    private readonly LogTail _tail;
    private Task _run = Task.CompletedTask;
    private int _tries;
    private volatile Exception? _fault;

    public ReactionLoopTests() => _tail = new LogTail(_bank.Log, _bank.Codec, new LogTailOptions(), _time);

    [Fact]
    public async Task it_follows_the_log_as_signals_come()
    {
        var loop = Start();
        await SeeAsync(loop, s => s.State == ReactionState.Live);
        await _bank.AppendAsync("a", new Opened("x"));
        _tail.Signal(new LogPosition(1));
        Assert.Equal(0, (await SeeAsync(loop, s => s.Position.Value == 1)).Behind);
        Assert.Equal(1, _tries);
    }

    [Fact]
    public async Task it_stops_at_an_event_at_which_its_handler_throws_tries_it_again_when_resumed_and_goes_on_when_it_is_skipped()
    {
        _fault = new InvalidOperationException("cursed");
        await _bank.AppendAsync("a", new Opened("x"), new Deposited(5));
        var loop = Start();
        var stopped = await SeeAsync(loop, s => s.State == ReactionState.Stopped);
        Assert.Equal((0L, 1L, 3), (stopped.Position.Value, stopped.FaultAt.Value, stopped.Attempts));
        Assert.Contains("account-opened", stopped.Fault, StringComparison.Ordinal);
        Assert.Contains("cursed", stopped.Fault, StringComparison.Ordinal);

        loop.Resume();
        await SeeAsync(loop, s => s is { State: ReactionState.Stopped, Attempts: 4 });
        await _store.SkipAsync(Name, new SkippedEvent(new LogPosition(1), "cursed", "ops", _time.GetUtcNow()), CancellationToken.None);
        _fault = null;
        loop.Resume();
        Assert.Equal((2L, null), ((await SeeAsync(loop, s => s.State == ReactionState.Live)).Position.Value, loop.Status.Fault));
    }

    [Fact]
    public async Task a_resume_that_comes_while_the_handler_fails_is_not_lost()
    {
        await _bank.AppendAsync("a", new Opened("x"));
        ReactionLoop? loop = null;
        var (tries, second) = (0, new TaskCompletionSource());
        var reaction = new Reaction(Name, typeof(AccountEvent), ReactionStart.Beginning, (_, _, _) =>
        {
            if (++tries > 1)
            {
                second.TrySetResult();
                return Task.CompletedTask;
            }

            loop!.Resume();
            throw new LogUnavailableException("not now");
        });
        loop = new ReactionLoop(reaction, _store, _tail, _options, _time, NullLogger.Instance);
        _run = loop.RunAsync(_stop.Token);

        // The clock stands still: nothing but the resume can bring the second try.
        await second.Task.WaitAsync(TimeSpan.FromSeconds(20), TimeProvider.System, CancellationToken.None);
    }

    [Fact]
    public async Task an_outage_is_tried_again_until_it_is_over_and_is_no_reason_to_stop()
    {
        _fault = new LogUnavailableException("not now");
        await _bank.AppendAsync("a", new Opened("x"));
        var loop = Start();
        Assert.Equal(ReactionState.Retrying, (await SeeAsync(loop, s => s.Attempts == 8)).State);
        _fault = null;
        Assert.Equal((1L, 0), ((await SeeAsync(loop, s => s.State == ReactionState.Live)).Position.Value, loop.Status.Attempts));
    }

    [Fact]
    public async Task an_outage_does_not_count_as_a_try_of_a_handler_that_throws()
    {
        _fault = new LogUnavailableException("not now");
        await _bank.AppendAsync("a", new Opened("x"));
        var loop = Start();
        await SeeAsync(loop, s => s.Attempts == 5);
        _fault = new InvalidOperationException("cursed");
        var before = _tries;
        await SeeAsync(loop, s => s.State == ReactionState.Stopped);
        Assert.InRange(_tries - before, 3, 4);
    }

    [Fact]
    public async Task by_policy_an_event_at_which_the_handler_throws_is_skipped_with_the_error_as_the_reason()
    {
        _options.Poison = ReactionPoison.Skip;
        _fault = new InvalidOperationException("cursed");
        await _bank.AppendAsync("a", new Opened("x"), new Deposited(5));
        var loop = Start();
        await SeeAsync(loop, s => s is { State: ReactionState.Live, Position.Value: 2 });
        var skipped = await _store.ReadSkippedAsync(Name, CancellationToken.None);
        Assert.Equal([1, 2], skipped.Select(s => s.Position.Value));
        Assert.All(skipped, s => Assert.True(s.Actor == "reaction:greet" && s.Reason.Contains("cursed", StringComparison.Ordinal)));
        Assert.Equal(6, _tries);
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _run;
        _stop.Dispose();
    }

    private ReactionLoop Start()
    {
        var reaction = new Reaction(Name, typeof(AccountEvent), ReactionStart.Beginning, (_, _, _) =>
        {
            Interlocked.Increment(ref _tries);
            return _fault is { } fault ? throw fault : Task.CompletedTask;
        });
        var loop = new ReactionLoop(reaction, _store, _tail, _options, _time, NullLogger.Instance);
        _run = loop.RunAsync(_stop.Token);
        return loop;
    }

    /// <summary>The status as soon as it is like that; the clock runs meanwhile.</summary>
    private async Task<ReactionStatus> SeeAsync(ReactionLoop loop, Func<ReactionStatus, bool> wanted)
    {
        var deadline = TimeProvider.System.GetTimestamp() + (20 * TimeProvider.System.TimestampFrequency);
        while (true)
        {
            var status = loop.Status;
            if (wanted(status))
            {
                return status;
            }

            Assert.True(TimeProvider.System.GetTimestamp() < deadline, $"Not seen in time; last was {status}.");
            _time.Advance(TimeSpan.FromMilliseconds(20));
            await Task.Delay(TimeSpan.FromMilliseconds(1), TimeProvider.System);
        }
    }
}
