using Microsoft.Extensions.DependencyInjection;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Projections;
using Orleans.EventSourced.Projections;
using Orleans.EventSourced.Reactions;
using Orleans.TestingHost;

namespace Orleans.EventSourced.Testing.Clusters;

/// <summary>One silo of a cluster of tests, and what it knows. Safe for concurrent use.</summary>
public sealed class TestSilo
{
    internal TestSilo(InProcessSiloHandle handle) => Handle = handle;

    /// <summary>Its address; a silo that is started again has another one.</summary>
    public SiloAddress Address => Handle.SiloAddress;

    /// <summary>Its name, which it keeps when it is started again.</summary>
    public string Name => Handle.Name;

    /// <summary>Its services: the silo's own, and those of <see cref="EventSourcedTestClusterBuilder.ConfigureSilo"/>.</summary>
    public IServiceProvider Services => Handle.SiloHost.Services;

    /// <summary>The grains, called from this silo as an application that shares its process calls them.</summary>
    public IGrainFactory Grains => Services.GetRequiredService<IGrainFactory>();

    /// <summary>The log as this silo has it, through whatever <see cref="EventSourcedTestClusterBuilder.WrapLog"/> put before it.</summary>
    public IEventLog Log => Services.GetRequiredService<IEventLog>();

    /// <summary>The projections of views.</summary>
    public ProjectionControl Projections => Services.GetRequiredService<ProjectionControl>();

    /// <summary>The reactions and deadlines.</summary>
    public ReactionControl Reactions => Services.GetRequiredService<ReactionControl>();

    internal InProcessSiloHandle Handle { get; }

    internal SiloLife Life => Services.GetRequiredService<SiloLife>();

    /// <summary>What the outermost <see cref="EventSourcedTestClusterBuilder.WrapLog"/> put before this silo's log; without it, the store's own log.</summary>
    /// <typeparam name="TLog">Its class.</typeparam>
    /// <exception cref="InvalidOperationException">It is of another class; the message says which.</exception>
    public TLog LogAs<TLog>()
        where TLog : class, IEventLog => ((MortalLog)Log).Inner is var log && log is TLog typed ? typed : throw new InvalidOperationException($"The log of silo {Name} is a {log.GetType()}, not a {typeof(TLog)}.");

    /// <summary>The rows of a view, as they are now: <see cref="EventSourcedTestCluster.WaitForProjectionsAsync"/> comes before.</summary>
    /// <typeparam name="TRow">The class of the rows.</typeparam>
    public IViewReader<TRow> View<TRow>()
        where TRow : class => Services.GetRequiredService<IViewStore>().Reader<TRow>();

    /// <inheritdoc/>
    public override string ToString() => $"{Name} ({Address})";
}
