using Orleans.EventSourced.Testing.Scenarios;

namespace Orleans.EventSourced.Testing.Time;

/// <summary>What falls due by a clock that is moved: reminders and the timers of grains. It is done in the order of its time, one after the other, each at its own time. Safe for concurrent use.</summary>
internal sealed class Agenda(VirtualClock clock)
{
    /// <summary>The most ticks of one move: a timer of a second is no reason to tick five million times in sixty days.</summary>
    public const int MaxTicks = 100_000;

    private readonly Lock _gate = new();
    private readonly SemaphoreSlim _moving = new(1, 1);
    private readonly SortedDictionary<(DateTimeOffset Due, long Order), Entry> _entries = [];
    private long _order;

    private DateTimeOffset Now => clock.GetUtcNow();

    /// <summary>Puts something down; it is done for the first time behind <paramref name="dueIn"/>, and then each <paramref name="period"/>.</summary>
    /// <param name="what">What it is, for messages.</param>
    /// <param name="dueIn">How long from now.</param>
    /// <param name="period">How often then; zero or less: once.</param>
    /// <param name="doAsync">Does it; told when it was due.</param>
    public Entry Add(string what, TimeSpan dueIn, TimeSpan period, Func<DateTimeOffset, Task> doAsync)
    {
        var entry = new Entry(this, what, doAsync);
        entry.Change(dueIn, period);
        return entry;
    }

    /// <summary>Lets the time pass, and does what falls due meanwhile.</summary>
    /// <exception cref="ExpectationException">Something threw or did not end; the rest was done all the same.</exception>
    /// <exception cref="InvalidOperationException">More than <see cref="MaxTicks"/> ticks fall due. The time stands where that many were done.</exception>
    public async Task AdvanceAsync(TimeSpan by, TimeSpan patience, CancellationToken cancellationToken)
    {
        await _moving.WaitAsync(cancellationToken);
        try
        {
            var target = Now + by;
            var (ticks, faults) = (0, new List<Exception>());
            while (Next(target) is var (entry, due))
            {
                if (++ticks > MaxTicks)
                {
                    throw new InvalidOperationException($"More than {MaxTicks} ticks fall due within {by}; the next one is {entry.What} at {due:O}. Advance in smaller steps, or let it tick less often.");
                }

                try
                {
                    await entry.DoAsync(due).WaitAsync(patience, TimeProvider.System, cancellationToken);
                }
                catch (TimeoutException e)
                {
                    faults.Add(new TimeoutException($"{entry.What}, due at {due:O}, did not end within {patience}.", e));
                }
                catch (Exception e) when (!cancellationToken.IsCancellationRequested)
                {
                    faults.Add(new InvalidOperationException($"{entry.What}, due at {due:O}, threw: {e.Message}", e));
                }
            }

            clock.MoveTo(target);
            if (faults.Count > 0)
            {
                throw new ExpectationException($"{faults.Count} of {ticks} ticks failed while the time was advanced by {by}. {faults[0].Message}", new AggregateException(faults));
            }
        }
        finally
        {
            _moving.Release();
        }
    }

    /// <summary>Takes out what is due next, and moves the clock there.</summary>
    private (Entry Entry, DateTimeOffset Due)? Next(DateTimeOffset target)
    {
        lock (_gate)
        {
            if (_entries.Count == 0 || _entries.Keys.First().Due > target)
            {
                return null;
            }

            var ((due, _), entry) = _entries.First();
            if (due > Now)
            {
                clock.MoveTo(due);
            }

            entry.Again(due);
            return (entry, due);
        }
    }

    /// <summary>Something that falls due, perhaps time and again.</summary>
    internal sealed class Entry(Agenda agenda, string what, Func<DateTimeOffset, Task> doAsync)
    {
        private (DateTimeOffset Due, long Order)? _key;
        private TimeSpan _period;

        public string What => what;

        public Task DoAsync(DateTimeOffset due) => doAsync(due);

        /// <summary>Lets it fall due at other times; negative: never again.</summary>
        public void Change(TimeSpan dueIn, TimeSpan period)
        {
            lock (agenda._gate)
            {
                TakeOut();
                _period = period;
                if (dueIn >= TimeSpan.Zero)
                {
                    PutIn(agenda.Now + dueIn);
                }
            }
        }

        public void Cancel() => Change(Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);

        /// <summary>Under the agenda's lock.</summary>
        public void Again(DateTimeOffset due)
        {
            TakeOut();
            if (_period > TimeSpan.Zero)
            {
                PutIn(due + _period);
            }
        }

        private void PutIn(DateTimeOffset due)
        {
            _key = (due, ++agenda._order);
            agenda._entries.Add(_key.Value, this);
        }

        private void TakeOut()
        {
            if (_key is { } key)
            {
                agenda._entries.Remove(key);
                _key = null;
            }
        }
    }
}
