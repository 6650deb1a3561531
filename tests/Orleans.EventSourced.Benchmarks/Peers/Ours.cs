using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Orleans.EventSourced.Benchmarks.Compare;
using Orleans.EventSourced.Benchmarks.Measures;
using Orleans.EventSourced.Hosting;

namespace Orleans.EventSourced.Benchmarks.Peers;

/// <summary>This project: grains with a pure decider and a pure fold, on the store that the run is about, without views.</summary>
internal sealed class Ours : IContender
{
    private readonly IHost _silo;

    private Ours(IHost silo, Place place)
    {
        (_silo, Place) = (silo, place);
        var grains = silo.Services.GetRequiredService<IGrainFactory>();
        (Entities, Kept) = (new Entities<IBenchGrain>(grains), new Entities<IKeptBenchGrain>(grains));
    }

    public Place Place { get; }

    public IServiceProvider Services => _silo.Services;

    public Entities<IBenchGrain> Entities { get; }

    /// <summary>Entities whose states are kept as snapshots.</summary>
    public Entities<IKeptBenchGrain> Kept { get; }

    public static async Task<Ours> StartAsync(Place place) => new(
        await LoopbackSilo.StartAsync(silo =>
        {
            place.AddTo(silo.Services);
            silo.AddEventSourcing(o => o.EventTypes = TallyEvent.Types);
        }),
        place);

    public async Task<Round> AppendAsync(AppendLoad load, CancellationToken cancellationToken)
    {
        using var batches = new BatchMeter();
        var round = await Entities.AppendAsync(load);
        return round.With(Quantity.CallsPerBatch, batches.RequestsPerBatch);
    }

    public Task<long> StoredBytesAsync(CancellationToken cancellationToken) => Place.BytesAsync(cancellationToken);

    public async ValueTask DisposeAsync()
    {
        await _silo.StopAsync();
        _silo.Dispose();
    }
}
