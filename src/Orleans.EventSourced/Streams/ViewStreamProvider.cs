using Microsoft.Extensions.DependencyInjection;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Projections;
using Orleans.EventSourced.Projections;
using Orleans.EventSourced.Queries;
using Orleans.Serialization;
using Orleans.Streams;
using OrleansStreamId = Orleans.Runtime.StreamId;

namespace Orleans.EventSourced.Streams;

/// <summary>
/// The views as a stream provider: one queue, and so one agent in the cluster, for each. A queue's number and place on the ring hang on the view's name alone, so that programs which know different
/// views agree on those that both know.
/// </summary>
internal static class ViewStreamProvider
{
    /// <exception cref="OrleansConfigurationException">Rows of a view cannot travel.</exception>
    public static RewindableAdapter Create(IServiceProvider services, string name)
    {
        var (views, serializer) = (services.GetRequiredService<RegisteredViews>().All, services.GetRequiredService<Serializer>());
        if (views.Where(v => !serializer.CanSerialize(v.Row)).Select(v => v.Row.FullName).ToList() is { Count: > 0 } mute)
        {
            throw new OrleansConfigurationException($"The rows of these classes cannot go from silo to silo in the streams of '{name}': {string.Join(", ", mute)}. They need [GenerateSerializer], an [Alias] and [Id]s.");
        }

        var source = new ViewStreamSource(services.GetRequiredService<ViewWatch>(), services.GetRequiredService<LogTail>(), serializer);
        var queues = views.ToLookup(v => QueueOf(v.View.Name), v => new ViewStream(ViewStreams.Of(v.View.Name, name), v.View.Name, source));
        return new RewindableAdapter(name, new RingQueueMapper([.. queues.Select(q => q.Key)], QueueOfStream), queue => queues[queue], services);

        QueueId QueueOf(string view)
        {
            var hash = Slice.HashOf(view);
            return QueueId.GetQueueId(name, hash, hash);
        }

        QueueId QueueOfStream(OrleansStreamId streamId) => QueueOf(streamId.GetKeyAsString());
    }
}
