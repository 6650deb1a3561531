using Microsoft.Extensions.Logging;
using Orleans.Concurrency;
using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Projections;
using Orleans.Runtime.Services;
using Orleans.Services;

namespace Orleans.EventSourced.Projections;

/// <summary>What one silo tells another about the log and its program.</summary>
[Alias("Orleans.EventSourced.IViewKeeper")]
internal interface IViewKeeper : IGrainService
{
    /// <summary>The log reaches to this position. Lost without harm: the tail also polls.</summary>
    [Alias("Signal"), OneWay]
    Task SignalAsync(long position);

    /// <summary>What is kept in the cluster and which event types the silo's program knows.</summary>
    [Alias("Describe")]
    Task<ProgramDescription> DescribeAsync();
}

/// <summary>What a program knows.</summary>
/// <param name="Views">The names of what it keeps: the tables of its views, its reactions, its deadlines.</param>
/// <param name="EventTypes">How many event types and versions of them: the newest program knows the most, because none is ever taken away.</param>
[GenerateSerializer, Immutable, Alias("Orleans.EventSourced.ProgramDescription")]
internal sealed record ProgramDescription([property: Id(0)] string[] Views, [property: Id(1)] int EventTypes);

/// <summary>Reaches the keeper of a silo.</summary>
internal sealed class ViewKeeperClient(IServiceProvider services) : GrainServiceClient<IViewKeeper>(services)
{
    public IViewKeeper At(SiloAddress silo) => GetGrainService(silo);
}

/// <summary>
/// Runs on every silo: keeps projections' slices, reactions and deadlines alive and spread over the silos whose programs know them, and hears of other silos' commits. While programs are
/// being rolled out, they run where the most event types are known, so that an event of the new program does not meet an old one.
/// </summary>
internal sealed partial class ViewKeeper(GrainId id, Silo silo, ILoggerFactory loggers, Kept kept, PlainNames names, JsonEventCodec codec, LogTail tail, ViewKeeperClient client, ISiloStatusOracle silos, IGrainFactory grains, Deferral deferral, TimeProvider time)
    : GrainService(id, silo, loggers), IViewKeeper
{
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan Round = TimeSpan.FromSeconds(10);
    private readonly ILogger _logger = loggers.CreateLogger("Orleans.EventSourced.Projections");
    private readonly Dictionary<SiloAddress, ProgramDescription> _programs = [];
    private readonly ProgramDescription _own = new(kept.Names, codec.Types.Names.Values.Sum(v => v));
    private Task _run = Task.CompletedTask;

    public override async Task Start()
    {
        await base.Start();
        if (kept.All.Count > 0)
        {
            _run = RunAsync(StoppedCancellationTokenSource.Token);
        }
    }

    public override async Task Stop()
    {
        await base.Stop();
        await _run;
    }

    public Task SignalAsync(long position)
    {
        tail.Signal(new LogPosition(position));
        return Task.CompletedTask;
    }

    public Task<ProgramDescription> DescribeAsync() => Task.FromResult(_own);

    private async Task RunAsync(CancellationToken cancellationToken)
    {
        HashSet<SiloAddress> seen = [];
        var last = time.GetTimestamp();
        try
        {
            await deferral.Ended.WaitAsync(cancellationToken);
            while (true)
            {
                HashSet<SiloAddress> active = [.. silos.GetActiveSilos()];
                if (!active.SetEquals(seen) || time.GetElapsedTime(last) >= Round)
                {
                    seen = await WakeAsync(active) ? active : [];
                    last = time.GetTimestamp();
                }

                await Task.Delay(Look, time, cancellationToken);
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // The silo stops.
        }
    }

    /// <summary>Wakes the parts that belong here. False: something did not answer, look again soon.</summary>
    private async Task<bool> WakeAsync(HashSet<SiloAddress> active)
    {
        var answered = await LearnAsync(active);
        var checkpoints = await names.ReadCheckpointsAsync();
        var wakes = from work in kept.All.Concat(PlainNames.BuiltOf(kept.All, checkpoints))
                    let owners = OwnersOf(work.Name)
                    from part in Enumerable.Range(0, work.Parts)
                    where OwnerOf(work.Name, part, owners) == Silo
                    select WakeAsync(work, part);
        var woken = (await Task.WhenAll(wakes)).All(woken => woken);
        if (answered)
        {
            await names.ShowAsync(checkpoints, v => OwnerOf(v.Table, 0, OwnersOf(v.Table)) == Silo, v => _programs.Values.Any(p => p.Views.Contains(v.Table)));
        }

        return woken && answered;
    }

    private async Task<bool> WakeAsync(IKept work, int part)
    {
        try
        {
            await work.WakeAsync(grains, part, Silo);
            return true;
        }
        catch (Exception e)
        {
            // Whatever kept it from running is looked at again, for as long as the silo lives.
            NotWoken(_logger, work.Name, part, e);
            return false;
        }
    }

    private async Task<bool> LearnAsync(HashSet<SiloAddress> active)
    {
        foreach (var gone in _programs.Keys.Where(s => !active.Contains(s)).ToList())
        {
            _programs.Remove(gone);
        }

        _programs[Silo] = _own;
        foreach (var other in active.Where(s => !_programs.ContainsKey(s)).ToList())
        {
            try
            {
                _programs[other] = await client.At(other).DescribeAsync().WaitAsync(TimeSpan.FromSeconds(5), time);
            }
            catch (Exception e)
            {
                // It may be starting still, or gone by now.
                NotDescribed(_logger, other.ToString(), e);
            }
        }

        return active.All(_programs.ContainsKey);
    }

    /// <summary>The silos whose program knows it and the most event types, in an order that all agree on; where there is none, this one, whose turn has come.</summary>
    private List<SiloAddress> OwnersOf(string name)
    {
        var knowing = _programs.Where(p => p.Value.Views.Contains(name)).ToList();
        if (knowing.Count == 0)
        {
            return [Silo];
        }

        var most = knowing.Max(p => p.Value.EventTypes);
        return [.. knowing.Where(p => p.Value.EventTypes == most).Select(p => p.Key).Order()];
    }

    private static SiloAddress OwnerOf(string name, int part, List<SiloAddress> owners) => owners[(int)((Slice.HashOf(name) + (uint)part) % (uint)owners.Count)];

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Work}, part {Part}, could not be woken; it is tried again")]
    private static partial void NotWoken(ILogger logger, string work, int part, Exception cause);

    [LoggerMessage(Level = LogLevel.Debug, Message = "Silo {Silo} did not say what it knows; it is asked again")]
    private static partial void NotDescribed(ILogger logger, string silo, Exception cause);
}
