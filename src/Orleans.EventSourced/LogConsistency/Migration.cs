using System.Diagnostics.CodeAnalysis;
using Microsoft.Extensions.Options;
using Orleans.Configuration;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Hosting;
using Orleans.Metadata;

namespace Orleans.EventSourced.LogConsistency;

/// <summary>What another silo's activation left for this one. It comes before there is an adaptor, so the context keeps it until then.</summary>
/// <param name="Fold">What made the state; see <see cref="Snapshots{TView}.FoldOf"/>.</param>
/// <param name="State">The state after the last confirmed event.</param>
/// <param name="Second">Another instance of it, because a mutable state is folded twice.</param>
/// <param name="Last">That event.</param>
internal sealed record Rehydration(string Fold, object State, object Second, LastEvent Last)
{
    private const string FoldKey = "orleans.eventsourced.fold";
    private const string StateKey = "orleans.eventsourced.state";
    private const string VersionKey = "orleans.eventsourced.version";
    private const string PositionKey = "orleans.eventsourced.position";
    private const string EventKey = "orleans.eventsourced.event";

    public static void Write(IDehydrationContext target, string fold, object state, LastEvent last)
    {
        if (target.TryAddValue(StateKey, state))
        {
            target.TryAddValue(FoldKey, fold);
            target.TryAddValue(VersionKey, last.Version.Value);
            target.TryAddValue(PositionKey, last.Position.Value);
            target.TryAddValue(EventKey, last.Id);
        }
    }

    /// <summary>Null: it left nothing. Everything is read here, because the runtime empties the source as soon as the participants have seen it.</summary>
    public static Rehydration? Read(IRehydrationContext source) =>
        source.TryGetValue<int>(VersionKey, out var version)
        && source.TryGetValue<long>(PositionKey, out var position)
        && source.TryGetValue<Guid>(EventKey, out var id)
        && source.TryGetValue<string>(FoldKey, out var fold) && fold is not null
        && source.TryGetValue<object>(StateKey, out var state) && state is not null
        && source.TryGetValue<object>(StateKey, out var second) && second is not null
            ? new Rehydration(fold, state, second, new LastEvent(new StreamVersion(version), new LogPosition(position), id))
            : null;
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

        public void OnRehydrate(IRehydrationContext rehydrationContext) => context.SetComponent(Rehydration.Read(rehydrationContext));
    }
}
