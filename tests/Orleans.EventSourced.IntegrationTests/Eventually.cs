using Orleans.EventSourced.Core.Log;

namespace Orleans.EventSourced.IntegrationTests;

/// <summary>Waits for a condition with a deadline.</summary>
public static class Eventually
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(20);

    /// <param name="expected">What is waited for.</param>
    /// <param name="condition">Whether it is there.</param>
    /// <param name="seen">What was seen last, for the message.</param>
    /// <param name="seconds">How long to wait.</param>
    /// <param name="interval">How long it rests between two looks; left out: 20 ms.</param>
    public static async Task Async(string expected, Func<Task<bool>> condition, Func<string> seen, int seconds = 20, TimeSpan? interval = null)
    {
        try
        {
            await Async(expected, condition, seconds, interval);
        }
        catch (TimeoutException e)
        {
            throw new TimeoutException($"{e.Message} Seen: {seen()}", e);
        }
    }

    public static async Task Async(string expected, Func<Task<bool>> condition, int seconds = 20, TimeSpan? interval = null)
    {
        var deadline = TimeProvider.System.GetTimestamp() + (seconds * TimeProvider.System.TimestampFrequency);
        while (!await condition())
        {
            if (TimeProvider.System.GetTimestamp() > deadline)
            {
                throw new TimeoutException($"Not within {seconds} s: {expected}.");
            }

            await Task.Delay(interval ?? Interval, TimeProvider.System);
        }
    }

    /// <summary>Sends a call again while it is refused because the grain starts again after a fault, as its callers are told to.</summary>
    public static async Task<T> ServedAsync<T>(Func<Task<T>> call)
    {
        var deadline = TimeProvider.System.GetTimestamp() + (20 * TimeProvider.System.TimestampFrequency);
        while (true)
        {
            try
            {
                return await call();
            }
            catch (LogUnavailableException e) when (e.InnerException is not null && TimeProvider.System.GetTimestamp() < deadline)
            {
                await Task.Delay(Interval, TimeProvider.System);
            }
        }
    }
}
