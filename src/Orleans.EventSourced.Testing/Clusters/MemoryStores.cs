using Microsoft.Extensions.DependencyInjection;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Projections;
using Orleans.EventSourced.Core.Reactions;
using Orleans.EventSourced.Core.Snapshots;

namespace Orleans.EventSourced.Testing.Clusters;

/// <summary>The stores of a test that names none, in memory. All silos of all its clusters share them, as they would share a database.</summary>
internal sealed class MemoryStores(TimeProvider time)
{
    private readonly InMemoryEventLog _log = new(time);
    private readonly InMemorySnapshotStore _snapshots = new();
    private readonly InMemoryViewStore _views = new(time);
    private readonly InMemoryReactionStore _reactions = new();

    public void AddTo(IServiceCollection services)
    {
        services.AddSingleton<IEventLog>(_log);
        services.AddSingleton<ILogInspector>(_log);
        services.AddSingleton<ISnapshotStore>(_snapshots);
        services.AddSingleton<IViewStore>(_views);
        services.AddSingleton<IReactionStore>(_reactions);
    }
}
