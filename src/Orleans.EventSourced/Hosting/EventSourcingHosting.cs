using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;
using Orleans.EventSourced.Commands;
using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.LogConsistency;
using Orleans.EventSourcing;
using Orleans.Serialization;

namespace Orleans.EventSourced.Hosting;

/// <summary>Adds event sourcing to a silo.</summary>
public static class EventSourcingHosting
{
    /// <summary>
    /// Makes every <c>JournaledGrain</c> of the silo append its events to the log. A store must be registered too: <c>AddPostgresEventLog</c>, <c>AddSqliteEventLog</c> or, for tests, an
    /// in-memory log.
    /// </summary>
    /// <param name="silo">The silo builder.</param>
    /// <param name="configure">At least the event types.</param>
    public static ISiloBuilder AddEventSourcing(this ISiloBuilder silo, Action<EventSourcingOptions> configure)
    {
        ArgumentNullException.ThrowIfNull(silo);
        ArgumentNullException.ThrowIfNull(configure);
        var services = silo.Services;
        services.AddOptions<EventSourcingOptions>().Configure(configure).ValidateOnStart();
        services.AddOptions<GroupCommitOptions>().ValidateOnStart();
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IValidateOptions<EventSourcingOptions>, EventSourcingOptions.Validator>());
        services.TryAddSingleton(TimeProvider.System);
        services.AddGroupCommit();
        services.TryAddSingleton(provider => new StreamLoader(provider.GetRequiredService<IEventLog>()));
        services.TryAddSingleton(provider => new JsonEventCodec(provider.GetRequiredService<IOptions<EventSourcingOptions>>().Value.EventTypes!));
        services.TryAddSingleton<EventSourcingServices>();
        AddProvider(services);
        services.AddSingleton<IConfigurationValidator, JournaledGrains>();
        services.AddSingleton<IConfigureGrainContextProvider, MigrationConfigurator>();
        services.Configure<ExceptionSerializationOptions>(o =>
        {
            var before = o.SupportedExceptionTypeFilter;
            o.SupportedExceptionTypeFilter = type => before(type) || type == typeof(CommandIdReusedException) || type.IsAssignableTo(typeof(LogException));
        });
        silo.AddIncomingGrainCallFilter<IncomingCommandFilter>();
        silo.AddOutgoingGrainCallFilter<OutgoingCommandFilter>();
        return silo;
    }

    private static void AddProvider(IServiceCollection services)
    {
        services.TryAddSingleton<EventLogConsistencyProvider>();
        services.TryAddSingleton<ILogViewAdaptorFactory>(provider => provider.GetRequiredService<EventLogConsistencyProvider>());
        services.TryAddKeyedSingleton<ILogViewAdaptorFactory>(EventLogConsistencyProvider.Name, (provider, _) => provider.GetRequiredService<EventLogConsistencyProvider>());
        services.TryAddSingleton<Factory<IGrainContext, ILogConsistencyProtocolServices>>(provider => context => ActivatorUtilities.CreateInstance<ProtocolServices>(provider, context));
    }
}
