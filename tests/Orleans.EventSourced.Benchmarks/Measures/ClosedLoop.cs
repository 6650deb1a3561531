using System.Diagnostics;

namespace Orleans.EventSourced.Benchmarks.Measures;

/// <summary>
/// Callers of whom each makes its next call when its last one is answered. Each makes one call before the clock starts: whatever it calls is awake then. Every contender is driven by this same code,
/// in whatever process it lives.
/// </summary>
internal static class ClosedLoop
{
    /// <param name="callers">How many call at a time.</param>
    /// <param name="eventsPerCall">How many events one call writes; 1 where it writes none.</param>
    /// <param name="time">How long new calls are begun.</param>
    /// <param name="call">One call of the caller with this number, from 0.</param>
    public static async Task<Round> RunAsync(int callers, int eventsPerCall, TimeSpan time, Func<int, Task> call)
    {
        await Task.WhenAll(Enumerable.Range(0, callers).Select(n => Task.Run(() => call(n))));
        var meter = new ProcessMeter();
        var started = Stopwatch.GetTimestamp();
        var each = await Task.WhenAll(Enumerable.Range(0, callers).Select(n => Task.Run(() => CallAsync(n, started, time, call))));
        var (elapsed, taken) = (Stopwatch.GetElapsedTime(started), meter.Read());
        var latencies = new Latencies(each.SelectMany(l => l));
        var events = (long)latencies.Count * eventsPerCall;
        var round = taken.AddTo(Round.Of((Quantity.PerSecond, events / elapsed.TotalSeconds), (Quantity.P50, latencies.P50), (Quantity.P99, latencies.P99)), latencies.Count, events);
        return round with { Events = events + ((long)callers * eventsPerCall) };
    }

    private static async Task<List<double>> CallAsync(int caller, long started, TimeSpan time, Func<int, Task> call)
    {
        var latencies = new List<double>(1_024);
        while (Stopwatch.GetElapsedTime(started) < time)
        {
            var begun = Stopwatch.GetTimestamp();
            await call(caller);
            latencies.Add(Stopwatch.GetElapsedTime(begun).TotalMilliseconds);
        }

        return latencies;
    }
}
