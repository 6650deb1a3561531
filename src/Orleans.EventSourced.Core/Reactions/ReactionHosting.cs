using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;

namespace Orleans.EventSourced.Core.Reactions;

/// <summary>Registers what reactions and deadlines share.</summary>
public static class ReactionHosting
{
    /// <summary>Adds validated <see cref="ReactionOptions"/> and <see cref="DeadlineOptions"/>.</summary>
    public static IServiceCollection AddReactions(this IServiceCollection services)
    {
        ArgumentNullException.ThrowIfNull(services);
        services.AddOptions<ReactionOptions>().ValidateOnStart();
        services.AddOptions<DeadlineOptions>().ValidateOnStart();
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IValidateOptions<ReactionOptions>, ReactionOptions.Validator>());
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IValidateOptions<DeadlineOptions>, DeadlineOptions.Validator>());
        return services;
    }
}
