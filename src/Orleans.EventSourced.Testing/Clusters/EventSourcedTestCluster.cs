using System.Collections.Concurrent;
using Microsoft.Extensions.DependencyInjection;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Testing.Scenarios;
using Orleans.EventSourced.Testing.Time;
using Orleans.TestingHost;

namespace Orleans.EventSourced.Testing.Clusters;

/// <summary>
/// A cluster of real silos in this process, started by <see cref="EventSourcedTestClusterBuilder"/>. Its methods are safe for concurrent use, but for those that start, stop and kill silos: one of
/// these at a time.
/// </summary>
public sealed partial class EventSourcedTestCluster : IAsyncDisposable
{
    /// <summary>How long the cluster waits for something to come about where nothing else is said.</summary>
    public static readonly TimeSpan DefaultTimeout = TimeSpan.FromSeconds(10);

    private static readonly TimeSpan LookInterval = TimeSpan.FromMilliseconds(15);
    private readonly EventSourcedTestClusterBuilder _builder;
    private readonly string _service;
    private readonly MemoryStores _memory;
    private readonly VirtualTime? _time;
    private readonly InProcessTestCluster _cluster;
    private readonly ConcurrentDictionary<InProcessSiloHandle, TestSilo> _silos = [];
    private readonly List<EventSourcedTestCluster> _twins = [];

    private EventSourcedTestCluster(EventSourcedTestClusterBuilder builder, string service, MemoryStores memory, VirtualTime? time)
    {
        (_builder, _service, _memory, _time) = (builder, service, memory, time);
        var silos = new InProcessTestClusterBuilder((short)builder.Silos);
        (silos.Options.ServiceId, silos.Options.ClusterId) = (service, Path.GetRandomFileName());
        (silos.Options.InitializeClientOnDeploy, silos.Options.ConfigureFileLogging) = (false, false);
        builder.Configure(silos, memory, time, () => Grains);
        _cluster = silos.Build();
    }

    /// <summary>The silos that were started and neither stopped nor killed, in the order of their start.</summary>
    public IReadOnlyList<TestSilo> Silos => [.. _cluster.Silos.Select(Of)];

    /// <summary>The grains, called from the first silo.</summary>
    public IGrainFactory Grains => First.Grains;

    /// <summary>The log, as the first silo has it.</summary>
    public IEventLog Log => First.Log;

    /// <summary>What time it is in the cluster: that of <see cref="EventSourcedTestClusterBuilder.UseVirtualTime"/>, or the machine's.</summary>
    public TimeProvider Time => _time is null ? TimeProvider.System : _time.Clock;

    private TestSilo First => _cluster.Silos is [var first, ..] ? Of(first) : throw new InvalidOperationException("No silo of this cluster runs any more.");

    internal static async Task<EventSourcedTestCluster> StartAsync(EventSourcedTestClusterBuilder builder, string service, MemoryStores memory, VirtualTime? time, CancellationToken cancellationToken)
    {
        var cluster = new EventSourcedTestCluster(builder, service, memory, time);
        try
        {
            await cluster._cluster.DeployAsync(cancellationToken);
            await cluster.KnownToEachOtherAsync(cancellationToken);
            return cluster;
        }
        catch
        {
            await cluster.DisposeAsync();
            throw;
        }
    }

    /// <summary>
    /// Starts another cluster of the same service over the same store: the two know nothing of each other, so that every grain can be activated in both at once. It is what a network that falls apart
    /// may lead to, on demand. The time of both is one; whatever of the twin was not disposed before is disposed with this cluster.
    /// </summary>
    /// <param name="cancellationToken">Ends the start.</param>
    public async Task<EventSourcedTestCluster> StartTwinAsync(CancellationToken cancellationToken = default)
    {
        var twin = await _builder.StartAsync(_service, _memory, _time, cancellationToken);
        _twins.Add(twin);
        return twin;
    }

    /// <summary>Starts one more silo, and waits until all know it.</summary>
    /// <param name="cancellationToken">Ends the wait; the silo stays.</param>
    public async Task<TestSilo> StartSiloAsync(CancellationToken cancellationToken = default)
    {
        var started = Of(await _cluster.StartAdditionalSiloAsync());
        await KnownToEachOtherAsync(cancellationToken);
        return started;
    }

    /// <summary>Stops a silo in good order: its grains are deactivated or move, and the others know that it is gone.</summary>
    /// <param name="silo">One of <see cref="Silos"/>.</param>
    /// <param name="cancellationToken">Ends the wait of the silo for its grains.</param>
    public async Task StopSiloAsync(TestSilo silo, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(silo);
        var (handle, life) = (Own(silo), silo.Life);
        await _cluster.StopSiloAsync(handle, cancellationToken);
        life.End();
    }

    /// <summary>
    /// Kills a silo as far as a process can that lives on: it says goodbye to nobody, writes nothing more and hears nothing more of its log. An append that was under way is written or not, and its caller
    /// is not told. The others find out by themselves, within about two seconds.
    /// </summary>
    /// <param name="silo">One of <see cref="Silos"/>.</param>
    public async Task KillSiloAsync(TestSilo silo)
    {
        ArgumentNullException.ThrowIfNull(silo);
        var handle = Own(silo);
        silo.Life.End();
        await _cluster.KillSiloAsync(handle);
    }

    /// <summary>Stops a silo in good order and starts one in its place, with the same name, configured anew.</summary>
    /// <param name="silo">One of <see cref="Silos"/>.</param>
    /// <param name="cancellationToken">Ends the wait until all know it; the silo stays.</param>
    public async Task<TestSilo> RestartSiloAsync(TestSilo silo, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(silo);
        var (handle, life) = (Own(silo), silo.Life);
        var started = Of((await _cluster.RestartSiloAsync(handle))!);
        life.End();
        await KnownToEachOtherAsync(cancellationToken);
        return started;
    }

    /// <summary>Lets a grain go from memory, wherever it is active, and waits until it is gone: its next call folds its stream anew.</summary>
    public Task DeactivateAsync(IAddressable grain) => _cluster.DeactivateAsync(grain);

    /// <summary>Scenarios of a real grain: given events in the log, when it is called, then these are there too.</summary>
    /// <param name="grain">The grain, from <see cref="Grains"/> or those of a silo. Its stream is named after its id.</param>
    /// <typeparam name="TGrain">Its interface.</typeparam>
    /// <typeparam name="TEvent">The base type of its events.</typeparam>
    public GrainScenario<TGrain, TEvent> Scenario<TGrain, TEvent>(TGrain grain)
        where TGrain : IAddressable
        where TEvent : class
    {
        ArgumentNullException.ThrowIfNull(grain);
        return new GrainScenario<TGrain, TEvent>(this, grain, []);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        foreach (var twin in _twins)
        {
            await twin.DisposeAsync();
        }

        var lives = Silos.Select(s => s.Life).ToList();
        await _cluster.StopAllSilosAsync();
        lives.ForEach(life => life.End());
        await _cluster.DisposeAsync();
    }

    private TestSilo Of(InProcessSiloHandle handle) => _silos.GetOrAdd(handle, static h => new TestSilo(h));

    private InProcessSiloHandle Own(TestSilo silo) => _cluster.Silos.Contains(silo.Handle) ? silo.Handle : throw new ArgumentException($"The silo {silo} does not run in this cluster.", nameof(silo));

    private async Task KnownToEachOtherAsync(CancellationToken cancellationToken)
    {
        var expected = _cluster.Silos.Select(s => s.SiloAddress).ToHashSet();
        await UntilAsync(
            DefaultTimeout * 3,
            () => Task.FromResult(Silos.All(s => s.Services.GetRequiredService<ISiloStatusOracle>().GetActiveSilos().ToHashSet().SetEquals(expected)) ? "" : null),
            () => $"The {expected.Count} silos do not know each other.",
            cancellationToken);
    }

    /// <summary>Looks until there is an answer.</summary>
    private static async Task<T> UntilAsync<T>(TimeSpan timeout, Func<Task<T?>> look, Func<string> late, CancellationToken cancellationToken)
        where T : class
    {
        var started = TimeProvider.System.GetTimestamp();
        while (true)
        {
            if (await look() is { } answer)
            {
                return answer;
            }

            if (TimeProvider.System.GetElapsedTime(started) > timeout)
            {
                throw new ExpectationException($"Not within {timeout}: {late()}", new TimeoutException());
            }

            await Task.Delay(LookInterval, TimeProvider.System, cancellationToken);
        }
    }
}
