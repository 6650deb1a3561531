using Orleans.EventSourced.Core;
using Xunit;

namespace Orleans.EventSourced.UnitTests.Simulation;

/// <summary>
/// The one thread on which everything of a simulation happens: what could go on now waits in a queue from which the seed picks, and when nothing can, the clock jumps to the next timer. No
/// synchronization context is set: with one, what is awaited without its context would go on on the thread pool; without one it goes on where the awaited task was completed, which is here.
/// </summary>
internal sealed class SimulatedThread : Dispatch
{
    private readonly int _id = Environment.CurrentManagedThreadId;
    private readonly List<Action> _ready = [];
    private readonly Dictionary<Task, List<TaskCompletionSource>> _shared = [];

    public SimulatedThread(int seed)
    {
        Assert.True(SynchronizationContext.Current is null && TaskScheduler.Current == TaskScheduler.Default, "A simulation has a thread of its own.");
        (Random, Time) = (new Random(seed), new SimulatedTime(this));
    }

    public Random Random { get; }

    public SimulatedTime Time { get; }

    public long Steps { get; private set; }

    /// <summary>A digest of every choice so far: two runs with the same one went the same way.</summary>
    public TraceHash Trace { get; } = new();

    public override TaskCreationOptions Awaited => TaskCreationOptions.None;

    public override void Post(Action work)
    {
        Check();
        _ready.Add(work);
    }

    public override Task YieldAsync()
    {
        var turn = new TaskCompletionSource();
        Post(turn.SetResult);
        return turn.Task;
    }

    /// <remarks>Where several wait for a task, the runtime lets some of them go on on the thread pool: here one waits for it, and each of the others for a task of its own.</remarks>
    public override async Task EachAsync(Task shared)
    {
        if (!shared.IsCompleted)
        {
            if (!_shared.TryGetValue(shared, out var waiting))
            {
                _shared.Add(shared, waiting = []);
                shared.GetAwaiter().UnsafeOnCompleted(() => Release(shared));
            }

            var own = new TaskCompletionSource();
            waiting.Add(own);
            await own.Task;
        }

        await shared;
    }

    public override async Task<T> EachAsync<T>(Task<T> shared)
    {
        await EachAsync((Task)shared);
        return await shared;
    }

    /// <summary>A rest of up to so long.</summary>
    public Task RestAsync(double atMostMs) => Task.Delay(TimeSpan.FromMilliseconds(Random.NextDouble() * atMostMs), Time);

    public bool Dice(double chance) => Random.NextDouble() < chance;

    private void Release(Task shared)
    {
        _shared.Remove(shared, out var waiting);
        foreach (var own in waiting!)
        {
            Post(own.SetResult);
        }
    }

    /// <summary>What went on elsewhere; null: nothing did.</summary>
    public Exception? Strayed { get; private set; }

    /// <summary>Whatever calls it runs here.</summary>
    public void Check()
    {
        if (Environment.CurrentManagedThreadId != _id)
        {
            Strayed = new InvalidOperationException($"Something went on on another thread, where the seed does not decide its order: {Environment.StackTrace}");
            throw Strayed;
        }
    }

    /// <summary>Runs until it is so. False: the time is over, or nothing is left that could happen.</summary>
    public bool Run(Func<bool> until, TimeSpan atMost, Action? often = null)
    {
        var end = Time.Now + atMost.Ticks;
        while (!until())
        {
            if (Strayed is not null)
            {
                throw Strayed;
            }

            if (_ready.Count == 0)
            {
                if (!Time.Jump(end))
                {
                    return false;
                }

                continue;
            }

            var pick = Random.Next(_ready.Count);
            Trace.Add((_ready.Count << 16) | pick);
            var work = _ready[pick];
            _ready[pick] = _ready[^1];
            _ready.RemoveAt(_ready.Count - 1);
            work();
            if (++Steps % 32 == 0)
            {
                often?.Invoke();
            }
        }

        return true;
    }
}

/// <summary>FNV-1a, which is the same in every process.</summary>
internal sealed class TraceHash
{
    public ulong Value { get; private set; } = 14695981039346656037;

    public void Add(long value)
    {
        for (var i = 0; i < 8; i++)
        {
            Value = (Value ^ (byte)(value >> (8 * i))) * 1099511628211;
        }
    }

    public void Add(string text)
    {
        foreach (var c in text)
        {
            Value = (Value ^ c) * 1099511628211;
        }
    }
}
