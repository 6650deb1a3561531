using System.Globalization;
using System.Text;
using Orleans.Streams;
using OrleansStreamId = Orleans.Runtime.StreamId;

namespace Orleans.EventSourced.Streams;

/// <summary>One queue, and so one agent in the cluster, for the streams of each slice; spread evenly over the ring of silos.</summary>
internal sealed class LogStreamQueueMapper : IConsistentRingStreamQueueMapper
{
    private readonly QueueId[] _queues;

    public LogStreamQueueMapper(string name, int slices) =>
        _queues = [.. Enumerable.Range(0, slices).Select(i => QueueId.GetQueueId(name, (uint)i, (uint)(i * ((1L << 32) / slices))))];

    public IEnumerable<QueueId> GetAllQueues() => _queues;

    public IEnumerable<QueueId> GetQueuesForRange(IRingRange range) => _queues.Where(q => range.InRange(q.GetUniformHashCode()));

    public QueueId GetQueueForStream(OrleansStreamId streamId) =>
        int.TryParse(Encoding.UTF8.GetString(streamId.Key.Span), NumberStyles.None, CultureInfo.InvariantCulture, out var slice) && slice < _queues.Length
            ? _queues[slice]
            : throw new ArgumentException($"{streamId} is no stream of the log: its key is no slice from 0 to {_queues.Length - 1}.", nameof(streamId));
}
