using Orleans.EventSourced.Streams;
using Orleans.Runtime.Providers;

namespace Orleans.EventSourced.Hosting;

/// <summary>Adds stream providers whose cursors read a store.</summary>
internal static class RewindableStreamHosting
{
    /// <summary>How often an agent looks whether it has been told of something.</summary>
    private static readonly TimeSpan AgentTick = TimeSpan.FromMilliseconds(15);

    /// <summary>
    /// How long an agent tries one delivery before it tells the subscriber's <c>OnErrorAsync</c> and begins the same delivery again. It also waits so long for a subscriber that cannot say where it
    /// stands, and the other subscribers of the queue with it, so it is short.
    /// </summary>
    private static readonly TimeSpan DeliveryRound = TimeSpan.FromSeconds(10);

    public static ISiloBuilder AddRewindableStreams(this ISiloBuilder silo, string name, Func<IServiceProvider, string, RewindableAdapter> provider) => silo.AddPersistentStreams(name, provider, stream =>
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
