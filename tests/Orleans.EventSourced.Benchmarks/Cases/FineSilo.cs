using Fines;
using Fines.Views;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Orleans.EventSourced.Benchmarks.Compare;
using Orleans.EventSourced.Benchmarks.Peers;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Projections;
using Orleans.EventSourced.Hosting;
using Orleans.EventSourced.Projections;
using Orleans.EventSourced.Queries;

namespace Orleans.EventSourced.Benchmarks.Cases;

/// <summary>A silo with the example's grains, in this process.</summary>
internal sealed class FineSilo : IAsyncDisposable
{
    private static readonly TimeSpan LookInterval = TimeSpan.FromMilliseconds(10);
    private readonly IHost _silo;

    private FineSilo(IHost silo) => (_silo, Grains) = (silo, silo.Services.GetRequiredService<IGrainFactory>());

    public IGrainFactory Grains { get; }

    public IServiceProvider Services => _silo.Services;

    /// <param name="place">Where its log is; made already.</param>
    /// <param name="withViews">Whether it keeps the views of the example.</param>
    /// <param name="configure">What else it is to have.</param>
    public static async Task<FineSilo> StartAsync(Place place, bool withViews, Action<ISiloBuilder>? configure = null) => new(await LoopbackSilo.StartAsync(silo =>
    {
        place.AddTo(silo.Services);
        silo.AddEventSourcing(o => o.EventTypes = FineEventTypes.Map);
        if (withViews)
        {
            silo.AddFineViews();
        }

        configure?.Invoke(silo);
    }));

    public IViewQueryGrain View<TRow>() => Grains.GetGrain<IViewQueryGrain>(ViewId.Of(typeof(TRow)).Name);

    /// <summary>Issues fines f0, f1, ... of large amounts, so that payments never settle them.</summary>
    public Task IssueAsync(int fines, CancellationToken cancellationToken) => Parallel.ForAsync(0, fines, new ParallelOptions { MaxDegreeOfParallelism = 256, CancellationToken = cancellationToken }, async (n, _) =>
        await Grains.GetGrain<IFineGrain>(KeyOf(n)).ExecuteAsync(new IssueFine(DateTimeOffset.UnixEpoch.AddYears(40), 1_000_000m, 157, 0, "A", $"{n % 100}", "NIL")));

    public static string KeyOf(int fine) => $"f{fine}";

    /// <summary>Completes when every view is where the log ends, with that position.</summary>
    /// <exception cref="TimeoutException">They were not there in the time.</exception>
    public async Task<LogPosition> CaughtUpAsync(TimeSpan within, CancellationToken cancellationToken)
    {
        var (log, views, started) = (Services.GetRequiredService<IEventLog>(), Services.GetRequiredService<IViewStore>(), TimeProvider.System.GetTimestamp());
        var (head, expected) = ((await log.ReadHeadAsync(cancellationToken)).Position, (await Services.GetRequiredService<ProjectionControl>().ListAsync()).Count);
        while (true)
        {
            var checkpoints = await views.ReadCheckpointsAsync(cancellationToken);
            if (checkpoints.Count >= expected && checkpoints.All(c => c.Position == head))
            {
                return head;
            }

            if (TimeProvider.System.GetElapsedTime(started) > within)
            {
                throw new TimeoutException($"The views are not at {head} after {within}: {string.Join(", ", checkpoints.Select(c => $"{c.View} at {c.Position}"))}.");
            }

            await Task.Delay(LookInterval, cancellationToken);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _silo.StopAsync();
        _silo.Dispose();
    }
}
