using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Projections;
using Orleans.EventSourced.Core.Reactions;
using Orleans.EventSourced.Core.Snapshots;

namespace Orleans.EventSourced.Sqlite;

/// <summary>Registers the log in SQLite.</summary>
public static class SqliteHosting
{
    /// <summary>Adds the log, what checks it, the snapshots, the views and the checkpoints of reactions. The file is opened, and taken for this process, when the log is first asked for.</summary>
    /// <param name="services">The silo's services.</param>
    /// <param name="configure">The path, if it is not the default.</param>
    public static IServiceCollection AddSqliteEventLog(this IServiceCollection services, Action<SqliteOptions> configure)
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentNullException.ThrowIfNull(configure);
        services.AddOptions<SqliteOptions>().Configure(configure).ValidateOnStart();
        services.AddSingleton<IValidateOptions<SqliteOptions>, SqliteOptions.Validator>();
        services.AddSingleton<IEventLog>(provider => new SqliteEventLog(provider.GetRequiredService<IOptions<SqliteOptions>>().Value, provider.GetService<TimeProvider>() ?? TimeProvider.System));
        services.AddSingleton<ILogInspector>(provider => new SqliteLogInspector(provider.GetRequiredService<IOptions<SqliteOptions>>().Value));
        services.AddSingleton(provider => new SqliteViewsFile(provider.GetRequiredService<IOptions<SqliteOptions>>().Value));
        services.AddSingleton<ISnapshotStore>(provider => new SqliteSnapshotStore(provider.GetRequiredService<SqliteViewsFile>()));
        services.AddSingleton<IViewStore>(provider => new SqliteViewStore(
            provider.GetRequiredService<SqliteViewsFile>(), provider.GetRequiredService<IOptions<SqliteOptions>>().Value, provider.GetService<TimeProvider>() ?? TimeProvider.System));
        services.AddSingleton<IReactionStore>(provider => new SqliteReactionStore(provider.GetRequiredService<IOptions<SqliteOptions>>().Value, provider.GetService<TimeProvider>() ?? TimeProvider.System));
        return services;
    }
}
