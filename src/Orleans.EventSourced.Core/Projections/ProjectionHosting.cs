using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;
using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.Log;

namespace Orleans.EventSourced.Core.Projections;

/// <summary>Registers what projections share.</summary>
public static class ProjectionHosting
{
    /// <summary>Adds one <see cref="LogTail"/> over the registered <see cref="IEventLog"/> and <see cref="JsonEventCodec"/>, with validated <see cref="LogTailOptions"/> and <see cref="ProjectionOptions"/>.</summary>
    public static IServiceCollection AddProjections(this IServiceCollection services)
    {
        ArgumentNullException.ThrowIfNull(services);
        services.AddOptions<LogTailOptions>().ValidateOnStart();
        services.AddOptions<ProjectionOptions>().ValidateOnStart();
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IValidateOptions<LogTailOptions>, LogTailOptions.Validator>());
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IValidateOptions<ProjectionOptions>, ProjectionOptions.Validator>());
        services.TryAddSingleton(provider => new LogTail(
            provider.GetRequiredService<IEventLog>(),
            provider.GetRequiredService<JsonEventCodec>(),
            provider.GetRequiredService<IOptions<LogTailOptions>>().Value,
            provider.GetService<TimeProvider>() ?? TimeProvider.System));
        return services;
    }
}
