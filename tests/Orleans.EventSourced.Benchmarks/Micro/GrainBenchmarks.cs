using BenchmarkDotNet.Attributes;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Orleans.EventSourced.Benchmarks.Measures;
using Orleans.EventSourced.Benchmarks.Peers;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Projections;
using Orleans.EventSourced.Core.Reactions;
using Orleans.EventSourced.Core.Snapshots;
using Orleans.EventSourced.Hosting;

namespace Orleans.EventSourced.Benchmarks.Micro;

/// <summary>One command through a grain, its log-consistency provider and group commit into a log in memory: the whole write path without a database.</summary>
public class GrainBenchmarks
{
    private IHost? _silo;
    private IEntity? _entity;

    /// <summary>The events are kept by the log, so that a long run takes memory.</summary>
    [GlobalSetup]
    public async Task StartAsync()
    {
        _silo = await LoopbackSilo.StartAsync(silo =>
        {
            silo.Services.AddSingleton<IEventLog>(new InMemoryEventLog(TimeProvider.System));
            silo.Services.AddSingleton<ISnapshotStore>(new InMemorySnapshotStore());
            silo.Services.AddSingleton<IViewStore>(new InMemoryViewStore(TimeProvider.System));
            silo.Services.AddSingleton<IReactionStore>(new InMemoryReactionStore());
            silo.AddEventSourcing(o => o.EventTypes = TallyEvent.Types);
        });
        _entity = _silo.Services.GetRequiredService<IGrainFactory>().GetGrain<IBenchGrain>("one");
        await _entity.VersionAsync();
    }

    [GlobalCleanup]
    public async Task StopAsync()
    {
        await _silo!.StopAsync();
        _silo.Dispose();
    }

    [Benchmark]
    public Task<long> Command() => _entity!.TickAsync(AppendLoad.Note, 1);

    /// <summary>A call that touches no event: what Orleans itself takes of a command.</summary>
    [Benchmark]
    public Task<int> Call() => _entity!.VersionAsync();
}
