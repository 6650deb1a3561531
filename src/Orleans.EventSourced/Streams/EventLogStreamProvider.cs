using System.Globalization;
using System.Text;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Orleans.Configuration;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Projections;
using Orleans.EventSourced.Hosting;
using Orleans.Metadata;
using Orleans.Streams;
using OrleansStreamId = Orleans.Runtime.StreamId;

namespace Orleans.EventSourced.Streams;

/// <summary>The log as a stream provider: one queue, and so one agent in the cluster, for the streams of each slice; spread evenly over the ring of silos.</summary>
internal static class EventLogStreamProvider
{
    public static RewindableAdapter Create(IServiceProvider services, string name)
    {
        var options = services.GetRequiredService<IOptionsMonitor<EventLogStreamOptions>>().Get(name);
        string[] categories = [.. JournaledCategories(services).Union(options.Categories, StringComparer.Ordinal)];
        var source = new LogStreamSource(services.GetRequiredService<LogTail>(), options.BatchEvents);
        QueueId[] queues = [.. Enumerable.Range(0, options.Slices).Select(i => QueueId.GetQueueId(name, (uint)i, (uint)(i * ((1L << 32) / options.Slices))))];
        return new RewindableAdapter(name, new RingQueueMapper(queues, QueueOf), StreamsOf, services);

        IEnumerable<LogStream> StreamsOf(QueueId queue)
        {
            var slice = (int)queue.GetNumericId();
            var share = new Slice(slice, options.Slices);
            return categories.Select(c => new LogStream(EventLogStreams.Of(c, slice, name), c, share, source)).Append(new LogStream(EventLogStreams.Everything(slice, name), null, share, source));
        }

        QueueId QueueOf(OrleansStreamId streamId) =>
            int.TryParse(Encoding.UTF8.GetString(streamId.Key.Span), NumberStyles.None, CultureInfo.InvariantCulture, out var slice) && slice < queues.Length
                ? queues[slice]
                : throw new ArgumentException($"{streamId} is no stream of the log: its key is no slice from 0 to {queues.Length - 1}.", nameof(streamId));
    }

    private static IEnumerable<string> JournaledCategories(IServiceProvider services)
    {
        var types = services.GetRequiredService<GrainTypeResolver>();
        return services.GetRequiredService<IOptions<GrainTypeOptions>>().Value.Classes.Where(c => !c.IsAbstract && !c.ContainsGenericParameters && JournaledGrains.IsJournaled(c)).Select(c => types.GetGrainType(c).ToString()!);
    }
}
