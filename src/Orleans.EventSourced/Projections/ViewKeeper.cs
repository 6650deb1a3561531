using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Orleans.Concurrency;
using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Projections;
using Orleans.Runtime.Services;
using Orleans.Services;

namespace Orleans.EventSourced.Projections;

/// <summary>What one silo tells another about the log and the views.</summary>
[Alias("Orleans.EventSourced.IViewKeeper")]
internal interface IViewKeeper : IGrainService
{
    /// <summary>The log reaches to this position. Lost without harm: the tail also polls.</summary>
    [Alias("Signal"), OneWay]
    Task SignalAsync(long position);

    /// <summary>Which views and event types the silo's program knows.</summary>
    [Alias("Describe")]
    Task<ProgramDescription> DescribeAsync();
}

/// <summary>What a program knows.</summary>
/// <param name="Views">The tables of its views.</param>
/// <param name="EventTypes">How many event types and versions of them: the newest program knows the most, because none is ever taken away.</param>
[GenerateSerializer, Immutable, Alias("Orleans.EventSourced.ProgramDescription")]
internal sealed record ProgramDescription([property: Id(0)] string[] Views, [property: Id(1)] int EventTypes);

/// <summary>Reaches the keeper of a silo.</summary>
internal sealed class ViewKeeperClient(IServiceProvider services) : GrainServiceClient<IViewKeeper>(services)
{
    public IViewKeeper At(SiloAddress silo) => GetGrainService(silo);
}

/// <summary>
/// Runs on every silo: keeps the projections' slices alive and spread over the silos whose programs know them, and hears of other silos' commits. While programs are being rolled out, the
/// slices run where the most event types are known, so that an event of the new program does not meet an old one.
/// </summary>
internal sealed partial class ViewKeeper(GrainId id, Silo silo, ILoggerFactory loggers, RegisteredViews views, JsonEventCodec codec, LogTail tail, ViewKeeperClient client, ISiloStatusOracle silos, IGrainFactory grains, Deferral deferral, IServiceProvider services, TimeProvider time)
    : GrainService(id, silo, loggers), IViewKeeper
{
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan Round = TimeSpan.FromSeconds(10);
    private readonly ILogger _logger = loggers.CreateLogger("Orleans.EventSourced.Projections");
    private readonly Dictionary<SiloAddress, ProgramDescription> _programs = [];
    private readonly ProgramDescription _own = new(deferral.WasDeferred ? [] : [.. views.All.Select(v => v.View.Table)], codec.Types.Names.Values.Sum(v => v));
    private Task _run = Task.CompletedTask;

    public override async Task Start()
    {
        await base.Start();
        if (views.All.Count > 0)
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

    /// <summary>Wakes the slices that belong here. False: something did not answer, look again soon.</summary>
    private async Task<bool> WakeAsync(HashSet<SiloAddress> active)
    {
        var answered = await LearnAsync(active);
        var checkpoints = await ReadCheckpointsAsync();
        var built = checkpoints.Where(c => c.Role == ViewRole.Building).Select(c => c.View).ToHashSet();
        var wakes = from view in views.All
                    let owners = OwnersOf(view.View)
                    from role in built.Contains(view.View) ? [ViewRole.Live, ViewRole.Building] : (ViewRole[])[ViewRole.Live]
                    from slice in Enumerable.Range(0, view.Slices)
                    where OwnerOf(view.View, slice, owners) == Silo
                    select WakeAsync(ProjectionGrain.KeyOf(view.View, slice, role));
        var woken = (await Task.WhenAll(wakes)).All(woken => woken);
        if (answered)
        {
            await ShowAsync(checkpoints);
        }

        return woken && answered;
    }

    private async Task<IReadOnlyList<Checkpoint>> ReadCheckpointsAsync()
    {
        try
        {
            return await services.GetRequiredService<IViewStore>().ReadCheckpointsAsync(CancellationToken.None);
        }
        catch (LogException e)
        {
            // The loops say for themselves that the store does not answer; the next round asks again.
            NotRead(_logger, e);
            return [];
        }
    }

    /// <summary>
    /// Lets the plain names of views show this program's newer versions: of each as soon as nobody runs the version shown any more, and the newer one is as far. Nobody who reads by the
    /// plain name sees rows go back.
    /// </summary>
    private async Task ShowAsync(IReadOnlyList<Checkpoint> checkpoints)
    {
        foreach (var view in views.All.Where(v => OwnerOf(v.View, 0, OwnersOf(v.View)) == Silo))
        {
            var shown = checkpoints.Where(c => c.IsShown && c.View.Name == view.View.Name && c.View.Version < view.View.Version && c.Role == ViewRole.Live).ToList();
            var own = checkpoints.Where(c => c.View == view.View && c.Role == ViewRole.Live).ToList();
            if (shown.Count == 0 || own.Count != view.Slices || _programs.Values.Any(p => p.Views.Contains(shown[0].View.Table)) || own.Min(c => c.Position) < shown.Max(c => c.Position))
            {
                continue;
            }

            try
            {
                await view.Editions.ShowAsync(CancellationToken.None);
                Shown(_logger, view.View.Name, view.View.Version, shown[0].View.Version);
            }
            catch (LogException e)
            {
                NotShown(_logger, view.View.Name, view.View.Version, e);
            }
        }
    }

    private async Task<bool> WakeAsync(string key)
    {
        try
        {
            await grains.GetGrain<IProjectionGrain>(key).WakeAsync(Silo);
            return true;
        }
        catch (Exception e)
        {
            // Whatever kept it from running is looked at again, for as long as the silo lives.
            NotWoken(_logger, key, e);
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

    /// <summary>The silos whose program knows the view and the most event types, in an order that all agree on; where there is none, this one, whose turn has come.</summary>
    private List<SiloAddress> OwnersOf(ViewId view)
    {
        var knowing = _programs.Where(p => p.Value.Views.Contains(view.Table)).ToList();
        if (knowing.Count == 0)
        {
            return [Silo];
        }

        var most = knowing.Max(p => p.Value.EventTypes);
        return [.. knowing.Where(p => p.Value.EventTypes == most).Select(p => p.Key).Order()];
    }

    private static SiloAddress OwnerOf(ViewId view, int slice, List<SiloAddress> owners) => owners[(int)((Slice.HashOf(view.Table) + (uint)slice) % (uint)owners.Count)];

    [LoggerMessage(Level = LogLevel.Warning, Message = "Projection {Key} could not be woken; it is tried again")]
    private static partial void NotWoken(ILogger logger, string key, Exception cause);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The checkpoints of the views could not be read; they are asked for again")]
    private static partial void NotRead(ILogger logger, Exception cause);

    [LoggerMessage(Level = LogLevel.Information, Message = "View {View} now shows version {Version} under its plain name, instead of version {Before}")]
    private static partial void Shown(ILogger logger, string view, int version, int before);

    [LoggerMessage(Level = LogLevel.Warning, Message = "View {View} could not show version {Version} under its plain name; it is tried again")]
    private static partial void NotShown(ILogger logger, string view, int version, Exception cause);

    [LoggerMessage(Level = LogLevel.Debug, Message = "Silo {Silo} did not say which views it knows; it is asked again")]
    private static partial void NotDescribed(ILogger logger, string silo, Exception cause);
}
