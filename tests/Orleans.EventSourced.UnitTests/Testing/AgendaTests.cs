using Orleans.EventSourced.Testing.Scenarios;
using Orleans.EventSourced.Testing.Time;
using Xunit;

namespace Orleans.EventSourced.UnitTests.Testing;

/// <summary>What falls due by a clock that a test moves.</summary>
public sealed class AgendaTests
{
    private static readonly DateTimeOffset Day = new(2026, 3, 1, 0, 0, 0, TimeSpan.Zero);
    private readonly VirtualClock _clock = new(Day);
    private readonly Agenda _agenda;
    private readonly List<string> _done = [];

    public AgendaTests() => _agenda = new Agenda(_clock);

    [Fact]
    public async Task what_falls_due_is_done_in_the_order_of_its_time_and_at_its_time()
    {
        Add("often", 2, 3);
        Add("once", 5, 0);
        Add("later", 11, 1);
        await AdvanceAsync(10);
        Assert.Equal(["often at 2", "once at 5", "often at 5", "often at 8"], _done);
        Assert.Equal(Day.AddMinutes(10), _clock.GetUtcNow());
    }

    [Fact]
    public async Task what_is_changed_or_cancelled_meanwhile_is_not_done_as_it_was()
    {
        Agenda.Entry? other = null;
        Add("first", 1, 0, () => other!.Change(TimeSpan.FromMinutes(3), TimeSpan.Zero));
        other = Add("other", 2, 1);
        var gone = Add("gone", 1, 1);
        gone.Cancel();
        await AdvanceAsync(10);
        Assert.Equal(["first at 1", "other at 4"], _done);
    }

    [Fact]
    public async Task what_is_put_down_meanwhile_is_done_if_it_falls_due()
    {
        Add("first", 1, 0, () => Add("second", 1, 0, () => Add("third", 100, 0)));
        await AdvanceAsync(10);
        Assert.Equal(["first at 1", "second at 2"], _done);
    }

    [Fact]
    public async Task what_throws_and_what_does_not_end_is_named_and_the_rest_is_done()
    {
        Add("broken", 1, 0, () => throw new InvalidOperationException("out of order"));
        _agenda.Add("endless", TimeSpan.FromMinutes(2), TimeSpan.Zero, _ => new TaskCompletionSource().Task);
        Add("whole", 3, 0);
        var failed = await Assert.ThrowsAsync<ExpectationException>(() => _agenda.AdvanceAsync(TimeSpan.FromMinutes(10), TimeSpan.FromMilliseconds(50), CancellationToken.None));
        Assert.Contains("2 of 3 ticks failed", failed.Message, StringComparison.Ordinal);
        Assert.Contains("broken, due at 2026-03-01T00:01:00.0000000+00:00, threw: out of order", failed.Message, StringComparison.Ordinal);
        Assert.Contains("endless", Assert.IsType<AggregateException>(failed.InnerException).InnerExceptions[1].Message, StringComparison.Ordinal);
        Assert.Contains("whole at 3", _done);
        Assert.Equal(Day.AddMinutes(10), _clock.GetUtcNow());
    }

    [Fact]
    public async Task more_ticks_than_anybody_waits_for_are_refused()
    {
        var ticks = 0;
        _agenda.Add("a second", TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(1), _ =>
        {
            ticks++;
            return Task.CompletedTask;
        });
        var refused = await Assert.ThrowsAsync<InvalidOperationException>(() => AdvanceAsync(60 * 24 * 60));
        Assert.Contains("the next one is a second at", refused.Message, StringComparison.Ordinal);
        Assert.Equal(Agenda.MaxTicks, ticks);
    }

    [Fact]
    public async Task the_clock_waits_by_the_machines_time()
    {
        var before = _clock.GetTimestamp();
        await Task.Delay(TimeSpan.FromMilliseconds(1), _clock);
        Assert.True(_clock.GetElapsedTime(before) > TimeSpan.Zero);
        Assert.Equal(Day, _clock.GetUtcNow());
    }

    private Agenda.Entry Add(string what, int dueIn, int period, Action? also = null) => _agenda.Add(what, TimeSpan.FromMinutes(dueIn), TimeSpan.FromMinutes(period), due =>
    {
        Assert.Equal(due, _clock.GetUtcNow());
        _done.Add($"{what} at {(due - Day).TotalMinutes}");
        also?.Invoke();
        return Task.CompletedTask;
    });

    private Task AdvanceAsync(int minutes) => _agenda.AdvanceAsync(TimeSpan.FromMinutes(minutes), TimeSpan.FromSeconds(10), CancellationToken.None);
}
