using Xunit;

namespace Orleans.EventSourced.UnitTests.Simulation;

/// <summary>A clock that stands still while anything can happen, and then jumps to the next timer. Timers that are due together fire in the order that the seed picks.</summary>
internal sealed class SimulatedTime(SimulatedThread thread) : TimeProvider
{
    private static readonly DateTimeOffset Start = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);
    private readonly PriorityQueue<(Timer Timer, int Setting), (long Due, long Order)> _timers = new();
    private long _order;

    /// <summary>In ticks since the start.</summary>
    public long Now { get; private set; }

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override DateTimeOffset GetUtcNow() => Start.AddTicks(Now);

    public override long GetTimestamp() => Now;

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        Assert.Equal(Timeout.InfiniteTimeSpan, period);
        var timer = new Timer(this, () => callback(state));
        timer.Change(dueTime, period);
        return timer;
    }

    private void Check() => thread.Check();

    /// <summary>Goes to the next timers and lets them fire. False: there is none before the end, which it is now.</summary>
    public bool Jump(long end)
    {
        while (_timers.TryPeek(out var next, out var at) && at.Due <= end)
        {
            if (!next.Timer.IsSetTo(next.Setting))
            {
                _timers.Dequeue();
                continue;
            }

            Now = at.Due;
            while (_timers.TryPeek(out var due, out var same) && same.Due == Now)
            {
                _timers.Dequeue();
                thread.Post(() => due.Timer.Fire(due.Setting));
            }

            return true;
        }

        Now = end;
        return false;
    }

    private sealed class Timer(SimulatedTime time, Action callback) : ITimer
    {
        private int _setting;
        private bool _isSet;

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            time.Check();
            _setting++;
            _isSet = dueTime != Timeout.InfiniteTimeSpan;
            if (_isSet)
            {
                time._timers.Enqueue((this, _setting), (time.Now + dueTime.Ticks, time._order++));
            }

            return true;
        }

        public bool IsSetTo(int setting) => _isSet && _setting == setting;

        public void Fire(int setting)
        {
            if (IsSetTo(setting))
            {
                _isSet = false;
                callback();
            }
        }

        public void Dispose()
        {
            time.Check();
            _isSet = false;
        }

        public ValueTask DisposeAsync()
        {
            Dispose();
            return ValueTask.CompletedTask;
        }
    }
}
