using Fines;
using Fines.Views;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.IntegrationTests.Grains;
using Orleans.EventSourced.Testing.Clusters;
using Orleans.EventSourced.Testing.Scenarios;
using Xunit;

namespace Orleans.EventSourced.IntegrationTests.Testing;

/// <summary>Clusters whose time the test moves.</summary>
public sealed class VirtualTimeTests
{
    private static readonly DateTimeOffset Day = new(2026, 3, 1, 0, 0, 0, TimeSpan.Zero);

    [Fact]
    public async Task a_reminder_of_an_hour_ticks_at_once_when_the_hour_is_let_pass()
    {
        await using var cluster = await Clocks().StartAsync();
        var clock = cluster.Grains.GetGrain<IAlarmClock>("a");
        await clock.RemindAsync(TimeSpan.FromHours(1), TimeSpan.FromHours(1));
        await cluster.AdvanceAsync(TimeSpan.FromMinutes(59));
        Assert.Empty(await clock.ListAsync());

        await cluster.AdvanceAsync(TimeSpan.FromMinutes(1));
        Assert.Equal([("reminder", Day.AddHours(1))], await clock.ListAsync());
        await cluster.AdvanceAsync(TimeSpan.FromHours(3));
        Assert.Equal([1, 2, 3, 4], (await clock.ListAsync()).Select(t => (t.At - Day).TotalHours));
        await clock.ForgetAsync();
        await cluster.AdvanceAsync(TimeSpan.FromDays(1));
        Assert.Equal(4, (await clock.ListAsync()).Count);
    }

    [Fact]
    public async Task reminders_outlive_silos_and_timers_outlive_no_grain()
    {
        await using var cluster = await Clocks().WithSilos(2).StartAsync();
        var clock = cluster.Grains.GetGrain<IAlarmClock>("a");
        await clock.RemindAsync(TimeSpan.FromMinutes(5), TimeSpan.FromMinutes(5));
        await clock.TimeAsync(TimeSpan.FromMinutes(2), TimeSpan.FromMinutes(2));
        await cluster.AdvanceAsync(TimeSpan.FromMinutes(6));
        Assert.Equal([("timer", 2), ("timer", 4), ("reminder", 5), ("timer", 6)], (await clock.ListAsync()).Select(t => (t.What, (int)(t.At - Day).TotalMinutes)));

        await cluster.DeactivateAsync(clock);
        await cluster.AdvanceAsync(TimeSpan.FromMinutes(4));
        Assert.Equal([("reminder", 10)], (await clock.ListAsync()).Select(t => (t.What, (int)(t.At - Day).TotalMinutes)));
        await cluster.StopSiloAsync(cluster.Silos[0]);
        await cluster.AdvanceAsync(TimeSpan.FromMinutes(5));
        Assert.Contains(("reminder", Day.AddMinutes(15)), await cluster.Grains.GetGrain<IAlarmClock>("a").ListAsync());
    }

    [Fact]
    public async Task the_time_waits_for_its_own_tick_and_not_for_the_one_before()
    {
        await using var cluster = await Clocks().StartAsync();
        await cluster.Grains.GetGrain<IAlarmClock>("slow").TimeAsync(TimeSpan.Zero, TimeSpan.FromMinutes(1));
        await Eventually.Async("the tick that is due at once runs", () => Task.FromResult(AlarmClockGrain.Begun == 1));
        var passed = cluster.AdvanceAsync(TimeSpan.FromMinutes(1));
        AlarmClockGrain.Slow.Release();
        await Eventually.Async("the tick of the minute runs", () => Task.FromResult(AlarmClockGrain.Begun == 2));
        await Assert.ThrowsAsync<TimeoutException>(() => passed.WaitAsync(TimeSpan.FromMilliseconds(200), TestContext.Current.CancellationToken));
        AlarmClockGrain.Slow.Release();
        await passed;
    }

    [Fact]
    public async Task a_tick_that_throws_is_told_and_keeps_no_other_from_its_turn()
    {
        await using var cluster = await Clocks().StartAsync();
        await cluster.Grains.GetGrain<IAlarmClock>("broken").RemindAsync(TimeSpan.FromHours(1), TimeSpan.FromHours(10));
        await cluster.Grains.GetGrain<IAlarmClock>("whole").RemindAsync(TimeSpan.FromHours(2), TimeSpan.FromHours(10));
        var failed = await Assert.ThrowsAsync<ExpectationException>(() => cluster.AdvanceAsync(TimeSpan.FromHours(3)));
        Assert.Contains("The reminder 'wake' of alarmclock/broken", failed.Message, StringComparison.Ordinal);
        Assert.Contains("out of order", failed.Message, StringComparison.Ordinal);
        Assert.Single(await cluster.Grains.GetGrain<IAlarmClock>("whole").ListAsync());
        Assert.Equal(Day.AddHours(3), cluster.Time.GetUtcNow());
    }

    [Fact]
    public async Task time_that_is_the_machines_is_not_let_pass()
    {
        await using var cluster = await new EventSourcedTestClusterBuilder().UseEventTypes(TestNode.Types).StartAsync();
        Assert.Contains("UseVirtualTime", (await Assert.ThrowsAsync<InvalidOperationException>(() => cluster.AdvanceAsync(TimeSpan.FromHours(1)))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task an_open_fine_gets_its_penalty_when_sixty_days_are_let_pass_and_the_log_is_dated_so()
    {
        await using var cluster = await new EventSourcedTestClusterBuilder()
            .WithSilos(2)
            .UseVirtualTime(Day)
            .UseEventTypes(FineEventTypes.Map)
            .ConfigureSilo(silo => silo.AddFineViews().AddFineDeadlines())
            .StartAsync();
        foreach (var id in new[] { "open", "paid" })
        {
            await cluster.Grains.GetGrain<IFineGrain>(id).ExecuteAsync(new IssueFine(Day.AddDays(-1), 35, 157, 0, "A", "561", "NIL"));
            await cluster.Grains.GetGrain<IFineGrain>(id).ExecuteAsync(new InsertNotification(Day, "P", null));
        }

        await cluster.AdvanceAsync(TimeSpan.FromDays(59));
        await cluster.Grains.GetGrain<IFineGrain>("paid").ExecuteAsync(new RegisterPayment(cluster.Time.GetUtcNow(), 35));
        Assert.Equal(2, (await cluster.Grains.GetGrain<IFineGrain>("open").GetAsync()).Version);

        await cluster.AdvanceAsync(TimeSpan.FromDays(1));
        Assert.Equal((3, 70m), (await cluster.Grains.GetGrain<IFineGrain>("open").GetAsync()) is var open ? (open.Version, open.State.Penalty) : default);
        Assert.Equal(3, (await cluster.Grains.GetGrain<IFineGrain>("paid").GetAsync()).Version);
        var log = await cluster.Log.ReadLogAsync(LogPosition.Start, 100, CancellationToken.None);
        Assert.Equal([0, 0, 0, 0, 59, 60], log.Select(e => (e.RecordedAt - Day).TotalDays));
    }

    [Fact]
    public async Task twins_share_log_and_time_and_a_deadline_that_both_keep_has_one_effect()
    {
        await using var cluster = await new EventSourcedTestClusterBuilder()
            .UseVirtualTime(Day)
            .UseEventTypes(FineEventTypes.Map)
            .ConfigureSilo(silo => silo.AddFineViews().AddFineDeadlines())
            .StartAsync();
        await using var twin = await cluster.StartTwinAsync();
        await cluster.Grains.GetGrain<IFineGrain>("f").ExecuteAsync(new IssueFine(Day, 35, 157, 0, "A", "561", "NIL"));
        await twin.Grains.GetGrain<IFineGrain>("f").ExecuteAsync(new InsertNotification(Day, "P", null));
        await cluster.AdvanceAsync(TimeSpan.FromDays(61));
        Assert.Equal(Day.AddDays(61), twin.Time.GetUtcNow());
        Assert.Equal(3, (await twin.Log.ReadHeadAsync(CancellationToken.None)).Position.Value);
        Assert.Empty(cluster.Silos.Select(s => s.Address).Intersect(twin.Silos.Select(s => s.Address)));
    }

    private static EventSourcedTestClusterBuilder Clocks() => new EventSourcedTestClusterBuilder().UseVirtualTime(Day).UseEventTypes(TestNode.Types);
}

[Alias("tests.IAlarmClock")]
public interface IAlarmClock : IGrainWithStringKey
{
    Task RemindAsync(TimeSpan dueIn, TimeSpan period);

    Task TimeAsync(TimeSpan dueIn, TimeSpan period);

    Task ForgetAsync();

    Task<List<(string What, DateTimeOffset At)>> ListAsync();
}

/// <summary>Keeps the time of each tick; one with the key "broken" throws instead, and one with the key "slow" waits at it.</summary>
public sealed class AlarmClockGrain(TimeProvider time) : Grain, IAlarmClock, IRemindable
{
    private static int _begun;
    private readonly List<(string What, DateTimeOffset At)> _ticks = [];

    /// <summary>Lets one tick of the slow one go on.</summary>
    public static SemaphoreSlim Slow { get; } = new(0);

    /// <summary>How many ticks the slow one began.</summary>
    public static int Begun => Volatile.Read(ref _begun);

    public Task RemindAsync(TimeSpan dueIn, TimeSpan period) => this.RegisterOrUpdateReminder("wake", dueIn, period);

    public Task TimeAsync(TimeSpan dueIn, TimeSpan period)
    {
        this.RegisterGrainTimer(() => Ticked("timer"), dueIn, period);
        return Task.CompletedTask;
    }

    public async Task ForgetAsync() => await this.UnregisterReminder((await this.GetReminder("wake"))!);

    public Task<List<(string What, DateTimeOffset At)>> ListAsync() => Task.FromResult(_ticks);

    public Task ReceiveReminder(string reminderName, TickStatus status) => this.GetPrimaryKeyString() == "broken" ? throw new InvalidOperationException("The clock is out of order.") : Ticked("reminder");

    private async Task Ticked(string what)
    {
        if (this.GetPrimaryKeyString() == "slow")
        {
            Interlocked.Increment(ref _begun);
            await Slow.WaitAsync();
        }

        _ticks.Add((what, time.GetUtcNow()));
    }
}
