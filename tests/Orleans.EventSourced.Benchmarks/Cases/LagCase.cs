using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using Fines;
using Fines.Views;
using Orleans.EventSourced.Benchmarks.Compare;
using Orleans.EventSourced.Benchmarks.Measures;
using Orleans.EventSourced.Benchmarks.Peers;
using Orleans.EventSourced.Grains;
using Orleans.EventSourced.Queries;

namespace Orleans.EventSourced.Benchmarks.Cases;

/// <summary>
/// Payments come in at a steady rate for some thousand fines, on a silo with all views of the example and on one without any. With views, some readers pay too and read what they did: the latencies are
/// those from a command's answer to the answer of a read that asks for at least its position. Theirs are not among the events counted.
/// </summary>
/// <param name="rate">Events a second that are sent, as long as no more than some thousand are under way.</param>
internal sealed class LagCase(int rate) : ICase
{
    public const string WithViews = Contenders.Ours + ", with views";
    public const string WithoutViews = Contenders.Ours + ", without views";
    private const int Fines = 4_000;
    private const int Readers = 8;
    private const int MaxInFlight = 5_000;
    private static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(5);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);
    private static readonly RegisterPayment Payment = new(DateTimeOffset.UnixEpoch.AddYears(41), 0.01m);

    public string Name => NameOf(rate);

    public string Title => $"{rate.ToString("N0", CultureInfo.InvariantCulture)} payments a second are sent; latency: from the answer to a read of the view that shows it";

    public Quantity Ranks => Quantity.PerSecond;

    public static string NameOf(int rate) => $"lag-{rate.ToString(CultureInfo.InvariantCulture)}";

    public async Task<IReadOnlyList<Entrant>> PrepareAsync(Ground ground, CancellationToken cancellationToken)
    {
        var entrants = new List<Entrant>();
        foreach (var (name, withViews) in new[] { (WithViews, true), (WithoutViews, false) })
        {
            var silo = ground.Owns(await FineSilo.StartAsync(await ground.PlaceAsync(cancellationToken), withViews));
            await silo.IssueAsync(Fines, cancellationToken);
            entrants.Add(new Entrant(name, (plan, cancel) => MeasureAsync(silo, withViews ? Readers : 0, plan.Number == 0 ? plan.Time : ground.Scale.Steady, cancel)));
        }

        return entrants;
    }

    private async Task<Round> MeasureAsync(FineSilo silo, int readers, TimeSpan time, CancellationToken cancellationToken)
    {
        var (lags, started, events, inFlight, next) = (new ConcurrentBag<double>(), Stopwatch.GetTimestamp(), 0L, 0L, 0);
        var failure = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var reading = Task.WhenAll(Enumerable.Range(0, readers).Select(_ => Task.Run(ReadAsync, cancellationToken)));
        using var timer = new PeriodicTimer(Tick);
        for (var sent = 0L; Stopwatch.GetElapsedTime(started) < time && !failure.Task.IsCompleted; await timer.WaitForNextTickAsync(cancellationToken))
        {
            for (var due = (long)(rate * Stopwatch.GetElapsedTime(started).TotalSeconds); sent < due && Interlocked.Read(ref inFlight) < MaxInFlight; sent++)
            {
                Interlocked.Increment(ref inFlight);
                _ = SendAsync();
            }
        }

        var (elapsed, written) = (Stopwatch.GetElapsedTime(started), Interlocked.Read(ref events));
        await await Task.WhenAny(reading, failure.Task);
        var round = Round.Of((Quantity.PerSecond, written / elapsed.TotalSeconds));
        if (readers == 0)
        {
            return round;
        }

        var latencies = new Latencies(lags);
        return round.With(Quantity.P50, latencies.P50).With(Quantity.P99, latencies.P99);

        async Task SendAsync()
        {
            try
            {
                await PayAsync();
                Interlocked.Increment(ref events);
                Interlocked.Decrement(ref inFlight);
            }
            catch (Exception e)
            {
                failure.TrySetException(e);
            }
        }

        async Task<(string Fine, long Position)> PayAsync()
        {
            var fine = FineSilo.KeyOf((Interlocked.Increment(ref next) & int.MaxValue) % Fines);
            return (fine, ((Accepted<FineEvent>)await silo.Grains.GetGrain<IFineGrain>(fine).ExecuteAsync(Payment)).Position);
        }

        async Task ReadAsync()
        {
            var view = silo.View<FineSummary>();
            while (Stopwatch.GetElapsedTime(started) < time)
            {
                var (fine, position) = await PayAsync();
                var answered = Stopwatch.GetTimestamp();
                _ = (ViewAnswer<ViewRow?>)await view.GetAsync(fine, new Consistency.AtLeast(position, Patience));
                lags.Add(Stopwatch.GetElapsedTime(answered).TotalMilliseconds);
            }
        }
    }
}
