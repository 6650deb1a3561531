using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Orleans.EventSourced.Core.Log;

/// <summary>Registers group commit.</summary>
public static class GroupCommitHosting
{
    /// <summary>Adds one <see cref="GroupCommit"/> over the registered <see cref="IEventLog"/>, with validated <see cref="GroupCommitOptions"/>.</summary>
    /// <param name="services">The services.</param>
    /// <param name="committed">Who is told of commits; see the constructor. Null: nobody.</param>
    public static IServiceCollection AddGroupCommit(this IServiceCollection services, Func<IServiceProvider, Action<LogPosition>>? committed = null)
    {
        ArgumentNullException.ThrowIfNull(services);
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IValidateOptions<GroupCommitOptions>, GroupCommitOptions.Validator>());
        services.TryAddSingleton(provider => new GroupCommit(
            provider.GetRequiredService<IEventLog>(),
            provider.GetRequiredService<IOptions<GroupCommitOptions>>().Value,
            provider.GetService<TimeProvider>() ?? TimeProvider.System,
            provider.GetRequiredService<ILogger<GroupCommit>>(),
            committed?.Invoke(provider)));
        return services;
    }
}
