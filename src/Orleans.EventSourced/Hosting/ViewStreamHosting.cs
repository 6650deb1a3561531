using Orleans.EventSourced.Streams;

namespace Orleans.EventSourced.Hosting;

/// <summary>Adds the changes of views as a provider of Orleans' streams to a silo.</summary>
public static class ViewStreamHosting
{
    /// <summary>
    /// Makes the views a stream provider: grains subscribe to <see cref="ViewStreams.Of"/>, implicitly or explicitly, from the beginning or from any cursor. It needs the views
    /// (<see cref="EventSourcingHosting.AddView"/>), each with a row class that has <c>[GenerateSerializer]</c>, or the silo does not start; and a grain storage named <c>PubSubStore</c> for explicit
    /// subscriptions.
    /// </summary>
    /// <param name="silo">The silo builder.</param>
    /// <param name="name">The provider's name, with which the namespaces of its streams begin.</param>
    public static ISiloBuilder AddViewStreams(this ISiloBuilder silo, string name = ViewStreams.DefaultName)
    {
        ArgumentNullException.ThrowIfNull(silo);
        ArgumentException.ThrowIfNullOrEmpty(name);
        return silo.AddRewindableStreams(name, ViewStreamProvider.Create);
    }
}
