using System.Data.Common;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Orleans.EventSourced.Commands;
using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.History;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Projections;
using Orleans.EventSourced.History;
using Orleans.EventSourced.LogConsistency;
using Orleans.EventSourced.Operations;
using Orleans.EventSourced.Projections;
using Orleans.EventSourced.Queries;
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
        services.AddGroupCommit(provider => provider.GetRequiredService<CommitSignals>().Committed);
        services.TryAddSingleton(provider => new StreamLoader(provider.GetRequiredService<IEventLog>()));
        services.TryAddSingleton(provider => new JsonEventCodec(provider.GetRequiredService<IOptions<EventSourcingOptions>>().Value.EventTypes!));
        services.TryAddSingleton<EventSourcingServices>();
        AddProvider(services);
        AddProjections(silo);
        HistoryHosting.AddHistory(silo);
        services.AddSingleton<IConfigurationValidator, JournaledGrains>();
        services.AddSingleton<IConfigureGrainContextProvider, MigrationConfigurator>();
        services.Configure<ExceptionSerializationOptions>(o =>
        {
            var before = o.SupportedExceptionTypeFilter;

            // What a driver of a database says is the cause of many a failure, and travels with it from silo to silo.
            o.SupportedExceptionTypeFilter = type => before(type) || type.IsAssignableTo(typeof(DbException)) || type == typeof(CommandIdReusedException) || type == typeof(RowQueryException) || type == typeof(HistoryException) || type == typeof(BranchIsolationException) || type.IsAssignableTo(typeof(LogException));
        });
        silo.AddIncomingGrainCallFilter<IncomingCommandFilter>();
        silo.AddOutgoingGrainCallFilter<OutgoingCommandFilter>();
        return silo;
    }

    /// <summary>
    /// Keeps the rows of a view up to the log in the cluster, by as many runners as it has slices.
    /// </summary>
    /// <param name="silo">The silo builder.</param>
    /// <param name="projection">The view and its fold.</param>
    /// <param name="slices">Into how many shares its rows are divided, 1 to <see cref="Slice.MaxCount"/>. It is kept with the table: another number needs a new version of the view.</param>
    /// <param name="poison">What is done at an event that the fold refuses at every try.</param>
    /// <typeparam name="TRow">The class of a row.</typeparam>
    public static ISiloBuilder AddView<TRow>(this ISiloBuilder silo, Projection<TRow> projection, int slices = 1, PoisonPolicy poison = PoisonPolicy.Stop)
        where TRow : class
    {
        ArgumentNullException.ThrowIfNull(silo);
        ArgumentNullException.ThrowIfNull(projection);
        _ = new Slice(0, slices);
        silo.Services.AddSingleton<RegisteredView>(provider => new RegisteredView<TRow>(
            projection,
            slices,
            poison,
            provider.GetRequiredService<IViewStore>(),
            provider.GetRequiredService<LogTail>(),
            provider.GetRequiredService<IOptions<ProjectionOptions>>().Value,
            provider.GetRequiredService<TimeProvider>(),
            provider.GetRequiredService<ILoggerFactory>()));
        return silo;
    }

    private static void AddProjections(ISiloBuilder silo)
    {
        var services = silo.Services;
        services.AddProjections();
        services.TryAddSingleton<CommitSignals>();
        services.TryAddSingleton<RegisteredViews>();
        services.TryAddSingleton<Checkpoints>();
        services.TryAddSingleton(provider => new Deferral(provider.GetRequiredService<IOptions<EventSourcingOptions>>().Value.DefersViews));
        services.TryAddSingleton(provider => new OperationsLog(
            provider.GetRequiredService<IGrainFactory>(), provider.GetRequiredService<JsonEventCodec>().Types, provider.GetRequiredService<TimeProvider>(), provider.GetRequiredService<ILoggerFactory>().CreateLogger("Orleans.EventSourced.Operations")));
        services.TryAddSingleton(provider => new ProjectionControl(
            provider.GetRequiredService<RegisteredViews>(), provider.GetRequiredService<IGrainFactory>(), provider.GetRequiredService<Deferral>(), provider.GetRequiredService<OperationsLog>(), provider.GetRequiredService<TimeProvider>()));
        services.TryAddSingleton(provider => new RebuildControl(
            provider.GetRequiredService<RegisteredViews>(), provider.GetRequiredService<IGrainFactory>(), provider.GetService<IViewStore>(), provider.GetRequiredService<LogTail>(), provider.GetRequiredService<OperationsLog>(), provider.GetRequiredService<TimeProvider>()));
        services.TryAddSingleton(provider => new ViewWatch(provider.GetRequiredService<IGrainFactory>(), provider.GetRequiredService<LogTail>(), provider.GetRequiredService<TimeProvider>()));
        ReactionHosting.AddReactions(silo);
        services.TryAddSingleton<Kept>();
        services.TryAddSingleton<PlainNames>();
        services.TryAddSingleton<ViewKeeperClient>();
        silo.AddGrainService<ViewKeeper>();
    }

    private static void AddProvider(IServiceCollection services)
    {
        services.TryAddSingleton<EventLogConsistencyProvider>();
        services.TryAddSingleton<ILogViewAdaptorFactory>(provider => provider.GetRequiredService<EventLogConsistencyProvider>());
        services.TryAddKeyedSingleton<ILogViewAdaptorFactory>(EventLogConsistencyProvider.Name, (provider, _) => provider.GetRequiredService<EventLogConsistencyProvider>());
        services.TryAddSingleton<Factory<IGrainContext, ILogConsistencyProtocolServices>>(provider => context => ActivatorUtilities.CreateInstance<ProtocolServices>(provider, context));
    }
}
