namespace Orleans.EventSourced.Core.Projections;

/// <summary>The waits of a loop that tries again by itself: longer each time, and cut short when somebody resumes it. Safe for concurrent use.</summary>
internal sealed class RetryWait(TimeProvider time)
{
    /// <summary>The wait behind the first try.</summary>
    public static readonly TimeSpan FirstDelay = TimeSpan.FromMilliseconds(50);

    private static readonly TimeSpan LongestDelay = TimeSpan.FromSeconds(5);
    private TaskCompletionSource _resumed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Completes at the next <see cref="Resume"/>. Take it before whatever is to be tried again, so that no call between is missed.</summary>
    public Task Resumed => Volatile.Read(ref _resumed).Task;

    /// <summary>Ends the waits that are under way.</summary>
    public void Resume() => Interlocked.Exchange(ref _resumed, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).SetResult();

    /// <summary>How long to wait after so many tries in vain: twice as long each time, 5 s at most.</summary>
    public static TimeSpan DelayAfter(int tries)
    {
        var delay = FirstDelay * Math.Pow(2, Math.Min(tries - 1, 10));
        return delay < LongestDelay ? delay : LongestDelay;
    }

    /// <summary>Whether the try is one of those that are told: the first, the second, the fourth and so on.</summary>
    public static bool IsTold(int tries) => double.IsInteger(Math.Log2(tries));

    /// <summary>Waits until it is resumed, or for so long.</summary>
    public async Task WaitAsync(Task resumed, TimeSpan delay, CancellationToken cancellationToken)
    {
        try
        {
            await resumed.WaitAsync(delay, time, cancellationToken).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            // The time to try again.
        }
    }
}
