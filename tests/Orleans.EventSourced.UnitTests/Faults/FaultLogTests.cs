using System.Text;
using Microsoft.Extensions.Time.Testing;
using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Projections;
using Orleans.EventSourced.Testing.Faults;
using Orleans.EventSourced.UnitTests.Projections;
using Xunit;

namespace Orleans.EventSourced.UnitTests.Faults;

public sealed class FaultLogTests
{
    private readonly FakeTimeProvider _time = new();
    private readonly FaultPlan _plan = new();
    private readonly InMemoryEventLog _inner;
    private readonly FaultLog _log;

    public FaultLogTests()
    {
        _inner = new InMemoryEventLog(_time);
        _log = new FaultLog(_inner, _plan, _time);
    }

    [Fact]
    public async Task each_scripted_append_ends_as_its_fault_says_and_the_next_one_is_unharmed()
    {
        _plan.NextWrite(FaultKind.Unavailable).NextWrite(FaultKind.Race).NextWrite(FaultKind.LostRequest);
        await Assert.ThrowsAsync<LogUnavailableException>(() => AppendAsync("s/1"));
        await Assert.ThrowsAsync<LogRaceException>(() => AppendAsync("s/1"));
        await Assert.ThrowsAsync<LogOutcomeUnknownException>(() => AppendAsync("s/1"));
        Assert.Equal(0, await HeadAsync());

        _plan.NextWrite(FaultKind.LostReply);
        await Assert.ThrowsAsync<LogOutcomeUnknownException>(() => AppendAsync("s/1"));
        Assert.Equal(1, await HeadAsync());
        Assert.IsType<AppendOutcome.Duplicate>(await AppendAsync("s/1"));
        Assert.Equal((1, 1, 1, 1, 1), (_plan.Given(FaultKind.Unavailable), _plan.Given(FaultKind.Race), _plan.Given(FaultKind.LostRequest), _plan.Given(FaultKind.LostReply), _plan.Given(FaultKind.None)));
        Assert.Equal(0, _plan.ScriptedWrites);
    }

    [Fact]
    public async Task a_late_append_is_written_after_its_caller_was_told_that_nobody_knows()
    {
        _plan.NextWrite(FaultKind.LateRequest, after: TimeSpan.FromSeconds(3));
        await Assert.ThrowsAsync<LogOutcomeUnknownException>(() => AppendAsync("s/1"));
        Assert.Equal(0, await HeadAsync());
        var settled = _log.SettleAsync();
        Assert.False(settled.IsCompleted);

        _time.Advance(TimeSpan.FromSeconds(3));
        await settled;
        Assert.Equal(1, await HeadAsync());
    }

    [Fact]
    public async Task a_delayed_append_is_written_and_answered_when_its_time_has_come()
    {
        _plan.NextWrite(FaultKind.None, before: TimeSpan.FromSeconds(1), after: TimeSpan.FromSeconds(1));
        var append = AppendAsync("s/1");
        Assert.Equal(0, await HeadAsync());
        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal((1, false), (await HeadAsync(), append.IsCompleted));
        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.IsType<AppendOutcome.Appended>(await append);
    }

    [Fact]
    public async Task a_store_that_is_away_fails_every_call_and_leaves_the_script_as_it_is()
    {
        _plan.NextRead(FaultKind.Unavailable);
        _plan.IsAway = true;
        await Assert.ThrowsAsync<LogUnavailableException>(() => AppendAsync("s/1"));
        await Assert.ThrowsAsync<LogUnavailableException>(() => _log.ReadHeadAsync(CancellationToken.None));
        _plan.IsAway = false;
        Assert.IsType<AppendOutcome.Appended>(await AppendAsync("s/1"));
        await Assert.ThrowsAsync<LogUnavailableException>(() => _log.ReadLogAsync(LogPosition.Start, 1, CancellationToken.None));
        Assert.Single(await _log.ReadLogAsync(LogPosition.Start, 1, CancellationToken.None));
    }

    [Fact]
    public void a_seed_gives_the_same_faults_again_and_about_as_many_as_asked_for()
    {
        var rates = new FaultRates { Unavailable = 0.1, LostReply = 0.2, LateRequest = 0.1, MaxDelay = TimeSpan.FromMilliseconds(9), MaxLateness = TimeSpan.FromSeconds(1) };
        var (first, second) = (new FaultPlan(7, rates), new FaultPlan(7, rates));
        Assert.Equal(Enumerable.Range(0, 1_000).Select(_ => first.TakeWrite()), Enumerable.Range(0, 1_000).Select(_ => second.TakeWrite()));
        Assert.InRange(first.Given(FaultKind.LostReply), 150, 250);
        Assert.InRange(first.Given(FaultKind.None), 550, 650);
        Assert.Equal(0, first.Given(FaultKind.Race));
        Assert.Contains("LostReply = 0.9", Assert.Throws<ArgumentException>(() => new FaultPlan(1, new FaultRates { LostReply = 0.9, Race = 0.2 })).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task a_view_whose_commit_loses_its_reply_or_its_race_or_comes_late_is_folded_once()
    {
        var bank = new Bank();
        await bank.LiveAsync(1, 20);
        var inner = new InMemoryViewStore(_time);
        var plan = new FaultPlan().NextWrite(FaultKind.LostReply).NextWrite(FaultKind.Race).NextWrite(FaultKind.LateRequest, after: TimeSpan.FromSeconds(1)).NextWrite(FaultKind.Unavailable);
        var views = new FaultViews(inner, plan, _time);
        var runner = bank.Runner(Projection.Of<AccountRow, AccountEvent>(), views.Table<AccountRow>());
        var failures = 0;
        for (ProjectionStep? step = null; step is not ProjectionStep.AtHead;)
        {
            try
            {
                step = await runner.StepAsync(CancellationToken.None);
            }
            catch (LogUnavailableException) when (failures++ < 3)
            {
                _time.Advance(TimeSpan.FromSeconds(1));
            }
        }

        Assert.Equal(3, failures);
        var rows = await views.Reader<AccountRow>().QueryAsync(new RowQueryPlan<AccountRow>(new RowQuery { Limit = 500 }), CancellationToken.None);
        Assert.Equal(bank.Accounts.OrderBy(a => a.Key, StringComparer.Ordinal), rows.Rows.Select(r => KeyValuePair.Create(r.Key, r.Row)).OrderBy(a => a.Key, StringComparer.Ordinal));
    }

    private async Task<AppendOutcome> AppendAsync(string stream)
    {
        var (id, command) = (new StreamId(stream), CommandId.FromText(stream));
        var e = new NewEvent(EventId.Derive(command, id, 0), "thing-happened", 1, Encoding.UTF8.GetBytes("{}"), new EventMetadata(command).ToJson());
        return Assert.Single(await _log.AppendAsync([new AppendRequest(id, ExpectedVersion.NoStream, [e])], CancellationToken.None));
    }

    private async Task<long> HeadAsync() => (await _inner.ReadHeadAsync(CancellationToken.None)).Position.Value;
}
