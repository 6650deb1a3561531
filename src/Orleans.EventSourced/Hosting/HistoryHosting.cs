using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;
using Orleans.EventSourced.Core.Deciding;
using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.History;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Snapshots;
using Orleans.EventSourced.History;
using Orleans.EventSourced.Operations;

namespace Orleans.EventSourced.Hosting;

/// <summary>Adds what can be asked of history. States, views of the past and branches need nothing but <see cref="EventSourcingHosting.AddEventSourcing"/>; functions and other rules are named here.</summary>
public static class HistoryHosting
{
    /// <summary>A function over events that branches can name: <see cref="WhatIf.Of"/>.</summary>
    public static ISiloBuilder AddWhatIf(this ISiloBuilder silo, WhatIf function)
    {
        ArgumentNullException.ThrowIfNull(silo);
        ArgumentNullException.ThrowIfNull(function);
        silo.Services.AddSingleton(function);
        return silo;
    }

    /// <summary>Another fold that branches can name.</summary>
    /// <param name="silo">The silo builder.</param>
    /// <param name="name">Its name.</param>
    /// <param name="description">A sentence for people.</param>
    /// <param name="type">The type of the streams: the grain type.</param>
    /// <param name="evolve">The pure fold.</param>
    public static ISiloBuilder AddBranchFold<TState, TEvent>(this ISiloBuilder silo, string name, string description, string type, Func<TState, TEvent, TState> evolve)
        where TState : class, IFold<TState, TEvent>
        where TEvent : class
    {
        ArgumentNullException.ThrowIfNull(silo);
        silo.Services.AddSingleton<BranchRule>(provider =>
            new BranchRule.Fold(name, description, EntityFold.ByRules(type, evolve, provider.GetRequiredService<IOptions<EventSourcingOptions>>().Value.StateJson)));
        return silo;
    }

    /// <summary>Another decision that branches can name. It takes the place of the one that a grain hands to its base, where states, commands and events are of these types.</summary>
    /// <param name="silo">The silo builder.</param>
    /// <param name="name">Its name.</param>
    /// <param name="description">A sentence for people.</param>
    /// <param name="type">The type of the streams: the grain type.</param>
    /// <param name="decide">The pure decision.</param>
    public static ISiloBuilder AddBranchDecider<TState, TCommand, TEvent>(this ISiloBuilder silo, string name, string description, string type, Func<TState, TCommand, Decision<TEvent>> decide)
        where TState : class, IFold<TState, TEvent>
        where TEvent : class
    {
        ArgumentNullException.ThrowIfNull(silo);
        ArgumentNullException.ThrowIfNull(decide);
        silo.Services.AddSingleton<BranchRule>(new BranchRule.Decider(name, description, type, decide));
        return silo;
    }

    internal static void AddHistory(ISiloBuilder silo)
    {
        var services = silo.Services;
        services.AddOptions<HistoryOptions>().ValidateOnStart();
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IValidateOptions<HistoryOptions>, HistoryOptions.Validator>());
        services.TryAddSingleton(provider => provider.GetRequiredService<IOptions<HistoryOptions>>().Value);
        services.TryAddSingleton<HistoryThread>();
        services.TryAddSingleton<Entities>();
        services.TryAddSingleton(provider => new HistoryLog(provider.GetRequiredService<IEventLog>()));
        services.TryAddSingleton(provider => new TimeTravel(
            provider.GetRequiredService<HistoryLog>().Log, provider.GetService<ISnapshotStore>(), provider.GetRequiredService<JsonEventCodec>(), provider.GetRequiredService<HistoryOptions>()));
        services.TryAddSingleton(provider => new EventHistory(provider.GetRequiredService<TimeTravel>(), provider.GetRequiredService<Entities>()));
        services.TryAddSingleton(provider => new PastViews(
            provider.GetRequiredService<HistoryLog>().Log, provider.GetRequiredService<JsonEventCodec>(), provider.GetRequiredService<HistoryOptions>(), provider.GetRequiredService<HistoryThread>()));
        services.TryAddSingleton<KeptViews>();
        services.TryAddSingleton(provider => new BranchCatalog(provider.GetServices<WhatIf>(), provider.GetServices<BranchRule>()));
        services.TryAddSingleton(provider => new Branches(provider.GetRequiredService<IGrainFactory>(), provider.GetRequiredService<BranchCatalog>(), provider.GetRequiredService<OperationsLog>()));
        services.TryAddSingleton<BranchScopes>();
        silo.AddOutgoingGrainCallFilter<BranchIsolation>();
    }
}
