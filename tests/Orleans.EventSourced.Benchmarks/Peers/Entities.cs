using System.Diagnostics;
using Orleans.EventSourced.Benchmarks.Measures;

namespace Orleans.EventSourced.Benchmarks.Peers;

/// <summary>Grains of one class under load: the same code for ours and for Orleans' own.</summary>
internal sealed class Entities<TGrain>(IGrainFactory grains) : IColdContender
    where TGrain : IEntity
{
    private const int EventsOfAFill = 500;

    public Task<Round> AppendAsync(AppendLoad load)
    {
        var entities = Enumerable.Range(0, load.Callers).Select(n => grains.GetGrain<TGrain>(load.KeyOf(n))).ToArray();
        return ClosedLoop.RunAsync(load.Callers, load.EventsPerCommand, load.Time, n => entities[n].TickAsync(AppendLoad.Note, load.EventsPerCommand));
    }

    public Task FillAsync(ColdStreams streams, CancellationToken cancellationToken) => Parallel.ForAsync(0, streams.Streams, cancellationToken, async (n, _) =>
    {
        var entity = grains.GetGrain<TGrain>(streams.KeyOf(n));
        for (var filled = 0; filled < streams.Events; filled += EventsOfAFill)
        {
            await entity.TickAsync(AppendLoad.Note, Math.Min(EventsOfAFill, streams.Events - filled));
        }

        await entity.LeaveAsync();
    });

    public async Task<Round> ActivateAsync(ColdStreams streams, CancellationToken cancellationToken)
    {
        var took = new List<double>();
        for (var n = 0; n < streams.Streams; n++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var entity = grains.GetGrain<TGrain>(streams.KeyOf(n));
            var started = Stopwatch.GetTimestamp();
            var version = await entity.VersionAsync();
            took.Add(Stopwatch.GetElapsedTime(started).TotalMilliseconds);
            if (version != streams.Events)
            {
                throw new InvalidOperationException($"{streams.KeyOf(n)} has version {version} instead of {streams.Events}.");
            }
        }

        for (var n = 0; n < streams.Streams; n++)
        {
            await grains.GetGrain<TGrain>(streams.KeyOf(n)).LeaveAsync();
        }

        var latencies = new Latencies(took);
        return Round.Of((Quantity.P50, latencies.P50), (Quantity.P99, latencies.P99));
    }
}
