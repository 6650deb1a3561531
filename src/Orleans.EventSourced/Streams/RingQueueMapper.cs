using Orleans.Streams;
using OrleansStreamId = Orleans.Runtime.StreamId;

namespace Orleans.EventSourced.Streams;

/// <summary>Queues that lie on the ring of silos where their hashes say; each has one agent in the cluster.</summary>
/// <param name="queues">The queues.</param>
/// <param name="queueOf">The queue of a stream.</param>
internal sealed class RingQueueMapper(QueueId[] queues, Func<OrleansStreamId, QueueId> queueOf) : IConsistentRingStreamQueueMapper
{
    public IEnumerable<QueueId> GetAllQueues() => queues;

    public IEnumerable<QueueId> GetQueuesForRange(IRingRange range) => queues.Where(q => range.InRange(q.GetUniformHashCode()));

    public QueueId GetQueueForStream(OrleansStreamId streamId) => queueOf(streamId);
}
