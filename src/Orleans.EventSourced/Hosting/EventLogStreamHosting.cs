using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;
using Orleans.EventSourced.Streams;

namespace Orleans.EventSourced.Hosting;

/// <summary>Adds the log as a provider of Orleans' streams to a silo.</summary>
public static class EventLogStreamHosting
{
    /// <summary>
    /// Makes the log a stream provider: grains subscribe to <see cref="EventLogStreams.Of"/> and <see cref="EventLogStreams.Everything"/>, implicitly or explicitly, from any position. It needs
    /// <see cref="EventSourcingHosting.AddEventSourcing"/>, and a grain storage named <c>PubSubStore</c> for explicit subscriptions.
    /// </summary>
    /// <param name="silo">The silo builder.</param>
    /// <param name="name">The provider's name, with which the namespaces of its streams begin.</param>
    /// <param name="configure">Slices, categories, size of deliveries.</param>
    public static ISiloBuilder AddEventLogStreams(this ISiloBuilder silo, string name = EventLogStreams.DefaultName, Action<EventLogStreamOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(silo);
        ArgumentException.ThrowIfNullOrEmpty(name);
        var services = silo.Services;
        services.AddOptions<EventLogStreamOptions>(name).Configure(configure ?? (_ => { })).ValidateOnStart();
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IValidateOptions<EventLogStreamOptions>, EventLogStreamOptions.Validator>());
        return silo.AddRewindableStreams(name, EventLogStreamProvider.Create);
    }
}
