using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Projections;
using Orleans.EventSourced.Core.Reactions;
using Orleans.EventSourced.Core.Snapshots;

namespace Orleans.EventSourced.Postgres;

/// <summary>Registers the log in PostgreSQL.</summary>
public static class PostgresHosting
{
    private const string History = "history";

    /// <summary>
    /// Adds the log, what checks it, the snapshots, the views and the checkpoints of reactions. The schema is not touched: call <see cref="PostgresSchema.MigrateAsync"/> and <see cref="PostgresSchema.CheckAsync"/> before the silo starts.
    /// </summary>
    /// <param name="services">The silo's services.</param>
    /// <param name="configure">At least the connection string.</param>
    public static IServiceCollection AddPostgresEventLog(this IServiceCollection services, Action<PostgresOptions> configure)
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentNullException.ThrowIfNull(configure);
        services.AddOptions<PostgresOptions>().Configure(configure).ValidateOnStart();
        services.AddSingleton<IValidateOptions<PostgresOptions>, PostgresOptions.Validator>();
        return services.AddStores();
    }

    /// <summary>The same with options that are made already, such as those that the schema was prepared with.</summary>
    /// <param name="services">The silo's services.</param>
    /// <param name="options">The options; not to be changed any more.</param>
    /// <exception cref="LogMisconfiguredException">A value is missing or out of its range.</exception>
    public static IServiceCollection AddPostgresEventLog(this IServiceCollection services, PostgresOptions options)
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentNullException.ThrowIfNull(options);
        options.Check();
        services.AddSingleton(Options.Create(options));
        return services.AddStores();
    }

    private static IServiceCollection AddStores(this IServiceCollection services)
    {
        services.AddSingleton<IEventLog>(provider => new PostgresEventLog(provider.GetRequiredService<IOptions<PostgresOptions>>().Value));
        services.AddKeyedSingleton(History, (provider, _) => new PostgresEventLog(provider.GetRequiredService<IOptions<PostgresOptions>>().Value, forHistory: true));
        services.AddSingleton(provider => new HistoryLog(provider.GetRequiredKeyedService<PostgresEventLog>(History)));
        services.AddSingleton<ILogInspector>(provider => new PostgresLogInspector(provider.GetRequiredService<IOptions<PostgresOptions>>().Value));
        services.AddSingleton<ISnapshotStore>(provider => new PostgresSnapshotStore(provider.GetRequiredService<IOptions<PostgresOptions>>().Value));
        services.AddSingleton<IViewStore>(provider => new PostgresViewStore(provider.GetRequiredService<IOptions<PostgresOptions>>().Value));
        services.AddSingleton<IReactionStore>(provider => new PostgresReactionStore(provider.GetRequiredService<IOptions<PostgresOptions>>().Value));
        return services;
    }
}
