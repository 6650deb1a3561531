namespace Orleans.EventSourced.IntegrationTests;

/// <summary>Waits for a condition with a deadline.</summary>
public static class Eventually
{
    public static async Task Async(string expected, Func<Task<bool>> condition, int seconds = 20)
    {
        var deadline = TimeProvider.System.GetTimestamp() + (seconds * TimeProvider.System.TimestampFrequency);
        while (!await condition())
        {
            if (TimeProvider.System.GetTimestamp() > deadline)
            {
                throw new TimeoutException($"Not within {seconds} s: {expected}.");
            }

            await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System);
        }
    }
}
