using System.Collections.Concurrent;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Projections;
using Orleans.EventSourced.Core.Reactions;
using Orleans.EventSourced.UnitTests.Projections;
using Xunit;

namespace Orleans.EventSourced.UnitTests.Log;

/// <summary>What followers in a process that goes on make of a failover to a replica that lagged.</summary>
public sealed class LogThatWentBackTests
{
    private static readonly Projection<AccountRow> Accounts = Projection.Of<AccountRow, AccountEvent>();
    private readonly Bank _bank = new();
    private readonly InMemoryEventLog _primary;
    private readonly InMemoryEventLog _replica;
    private readonly ReplaceableLog _log;
    private readonly LogTail _tail;

    public LogThatWentBackTests()
    {
        var clock = new FakeTimeProvider(DateTimeOffset.UnixEpoch);
        (_primary, _replica) = (new InMemoryEventLog(clock), new InMemoryEventLog(clock));
        _log = new ReplaceableLog(_primary);
        _tail = new LogTail(_log, _bank.Codec, new LogTailOptions { PageEvents = 7, PollInterval = TimeSpan.FromMilliseconds(10) }, TimeProvider.System);
    }

    [Fact]
    public async Task a_view_whose_checkpoint_is_of_both_folds_the_one_that_is_there_now()
    {
        await AppendAsync("a", new Opened("x"), _primary, _replica);
        await AppendAsync("a", new Deposited(1), _primary, _replica);
        var kept = new InMemoryViewTable<AccountRow>();
        await ToHeadAsync(kept);

        // This process has seen one event more.
        await AppendAsync("a", new Deposited(1_000), _primary);
        await ToHeadAsync(new InMemoryViewTable<AccountRow>());
        await _tail.ReadAsync(new LogPosition(2), CancellationToken.None);
        await AppendAsync("a", new Deposited(5), _replica);
        _log.Now = _replica;
        await ToHeadAsync(kept);
        Assert.Equal(new AccountRow("x", 6, 2), kept.Rows["a"].Row);
    }

    [Fact]
    public async Task a_reaction_that_had_passed_events_beyond_its_checkpoint_handles_those_that_are_there_now()
    {
        await AppendAsync("a", new Opened("x"), _primary, _replica);
        var handled = new ConcurrentQueue<long>();
        var reaction = new Reaction(new ReactionName("greet"), typeof(AccountEvent), ReactionStart.Beginning, (e, _, _) =>
        {
            handled.Enqueue(e.Position.Value);
            return Task.CompletedTask;
        });
        var loop = new ReactionLoop(reaction, new InMemoryReactionStore(), _tail, new ReactionOptions(), TimeProvider.System, NullLogger.Instance);
        using var stop = new CancellationTokenSource();
        var run = loop.RunAsync(stop.Token);

        // Its checkpoint is behind the event that concerns it, and stays there while others pass.
        await SeeAsync(loop, s => s is { State: ReactionState.Live, Position.Value: 1 });
        for (var i = 0; i < 5; i++)
        {
            await AppendAsync("sky", new WeatherChanged(), "weather", _primary);
        }

        await SeeAsync(loop, s => s is { State: ReactionState.Live, Position.Value: 6 });
        _log.Now = null;
        await SeeAsync(loop, s => s.State == ReactionState.Retrying);
        for (var i = 0; i < 7; i++)
        {
            await AppendAsync("a", new Deposited(i), _replica);
        }

        _log.Now = _replica;
        await SeeAsync(loop, s => s is { State: ReactionState.Live, Position.Value: 8 });
        await stop.CancelAsync();
        await run;
        Assert.Equal([1, 2, 3, 4, 5, 6, 7, 8], handled.Order());
    }

    [Fact]
    public async Task the_tail_hears_of_a_head_that_is_lower_than_before()
    {
        await AppendAsync("a", new Opened("x"), _primary, _replica);
        await AppendAsync("a", new Deposited(1), _primary);
        Assert.Equal(2, (await _tail.ReadHeadAsync(CancellationToken.None)).Position.Value);
        _log.Now = _replica;
        Assert.Equal(1, (await _tail.ReadHeadAsync(CancellationToken.None)).Position.Value);
        Assert.Equal(1, _tail.Head.Value);
    }

    private static async Task SeeAsync(ReactionLoop loop, Func<ReactionStatus, bool> seen)
    {
        for (var since = TimeProvider.System.GetTimestamp(); !seen(loop.Status); await Task.Delay(TimeSpan.FromMilliseconds(5), TimeProvider.System))
        {
            Assert.True(TimeProvider.System.GetElapsedTime(since) < TimeSpan.FromSeconds(20), $"The reaction stays at {loop.Status}.");
        }
    }

    private async Task ToHeadAsync(InMemoryViewTable<AccountRow> table)
    {
        var runner = new ProjectionRunner<AccountRow>(Accounts, Slice.Whole, table, _tail);
        while (await runner.StepAsync(CancellationToken.None) is not ProjectionStep.AtHead)
        {
            // One after the other.
        }
    }

    private Task AppendAsync(string key, AccountEvent e, params InMemoryEventLog[] logs) => AppendAsync(key, e, "account", logs);

    /// <summary>The same event, recorded at the same time, in each of them.</summary>
    private async Task AppendAsync(string key, object e, string type, params InMemoryEventLog[] logs)
    {
        var (stream, command) = (new StreamId(type, key), CommandId.New(TimeProvider.System));
        foreach (var log in logs)
        {
            await log.AppendAsync([new AppendRequest(stream, ExpectedVersion.Any, [_bank.Codec.Encode(EventId.Derive(command, stream, 0), e, new EventMetadata(command).ToJson())])], CancellationToken.None);
        }
    }
}
