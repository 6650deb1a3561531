using System.Diagnostics.CodeAnalysis;
using Microsoft.Extensions.Options;
using Orleans.Configuration;
using Orleans.EventSourced.Hosting;
using Orleans.Metadata;

namespace Orleans.EventSourced.LogConsistency;

/// <summary>What another silo's activation left for this one. Rehydration runs before the adaptor exists, so the context keeps it.</summary>
internal sealed class Rehydration
{
    public IRehydrationContext? Context { get; set; }

    public void Done() => Context = null;
}

/// <summary>Lets journaled grains carry their state when they migrate, so that the new activation reads only what came after.</summary>
internal sealed class MigrationConfigurator(IOptions<GrainTypeOptions> types) : IConfigureGrainContextProvider, IConfigureGrainContext
{
    private readonly HashSet<string> _journaled = [.. types.Value.Classes.Where(JournaledGrains.IsJournaled).Select(t => t.FullName!)];

    public bool TryGetConfigurator(GrainType grainType, GrainProperties properties, [NotNullWhen(true)] out IConfigureGrainContext? configurator)
    {
        configurator = properties.Properties.TryGetValue(WellKnownGrainTypeProperties.FullTypeName, out var name) && _journaled.Contains(name) ? this : null;
        return configurator is not null;
    }

    public void Configure(IGrainContext context)
    {
        if (context.ObservableLifecycle is IGrainLifecycle lifecycle)
        {
            lifecycle.AddMigrationParticipant(new Participant(context));
        }
    }

    private sealed class Participant(IGrainContext context) : IGrainMigrationParticipant
    {
        public void OnDehydrate(IDehydrationContext dehydrationContext) => context.GetComponent<IEventLogViewAdaptor>()?.Dehydrate(dehydrationContext);

        public void OnRehydrate(IRehydrationContext rehydrationContext) => context.SetComponent(new Rehydration { Context = rehydrationContext });
    }
}
