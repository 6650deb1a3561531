using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;
using Orleans.EventSourced.Streams;
using Orleans.Runtime.Providers;

namespace Orleans.EventSourced.Hosting;

/// <summary>Adds the log as a provider of Orleans' streams to a silo.</summary>
public static class EventLogStreamHosting
{
    /// <summary>How often an agent looks whether it has been told of something.</summary>
    private static readonly TimeSpan AgentTick = TimeSpan.FromMilliseconds(15);

    /// <summary>
    /// How long an agent tries one delivery before it tells the subscriber's <c>OnErrorAsync</c> and begins the same delivery again. It also waits so long for a subscriber that cannot say where it
    /// stands, and the other subscribers of the slice with it, so it is short.
    /// </summary>
    private static readonly TimeSpan DeliveryRound = TimeSpan.FromSeconds(10);

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
        return silo.AddPersistentStreams(name, LogStreamAdapter.Create, stream =>
        {
            stream.ConfigurePullingAgent(agent => agent.Configure(o =>
            {
                o.GetQueueMsgsTimerPeriod = AgentTick;
                o.MaxEventDeliveryTime = DeliveryRound;
                o.BatchContainerBatchSize = 1;

                // A stream that is quiet is not forgotten: a subscriber may come for its past.
                o.StreamInactivityPeriod = TimeSpan.MaxValue;
            }));
            stream.ConfigureBackoffProvider((_, _) => (IMessageDeliveryBackoffProvider)DeliveryBackoff.Instance);
            stream.ConfigureBackoffProvider((_, _) => (IQueueReaderBackoffProvider)DeliveryBackoff.Instance);
        });
    }
}
