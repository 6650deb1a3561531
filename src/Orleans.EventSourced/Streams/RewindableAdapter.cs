using System.Collections.Concurrent;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Orleans.Streams;
using OrleansStreamId = Orleans.Runtime.StreamId;

namespace Orleans.EventSourced.Streams;

/// <summary>A persistent stream provider of Orleans whose streams are read from a store: rewindable, and read only, because what they carry comes from commands alone.</summary>
/// <param name="name">The provider's name.</param>
/// <param name="mapper">Its queues.</param>
/// <param name="streamsOf">The streams of a queue.</param>
/// <param name="services">For clock and logs.</param>
internal sealed class RewindableAdapter(string name, RingQueueMapper mapper, Func<QueueId, IEnumerable<IRewindableStream>> streamsOf, IServiceProvider services) : IQueueAdapter, IQueueAdapterFactory, IQueueAdapterCache
{
    private readonly TimeProvider _time = services.GetRequiredService<TimeProvider>();
    private readonly ILogger _logger = services.GetRequiredService<ILoggerFactory>().CreateLogger("Orleans.EventSourced.Streams");
    private readonly ConcurrentDictionary<QueueId, RewindableQueue> _queues = new();

    public string Name => name;

    public bool IsRewindable => true;

    public StreamProviderDirection Direction => StreamProviderDirection.ReadOnly;

    public Task<IQueueAdapter> CreateAdapter() => Task.FromResult<IQueueAdapter>(this);

    public IQueueAdapterCache GetQueueAdapterCache() => this;

    public IStreamQueueMapper GetStreamQueueMapper() => mapper;

    public Task<IStreamFailureHandler> GetDeliveryFailureHandler(QueueId queueId) => Task.FromResult<IStreamFailureHandler>(new NoOpStreamDeliveryFailureHandler());

    /// <summary>Agents ask for the cache of a queue first, and then for its receiver.</summary>
    public IQueueCache CreateQueueCache(QueueId queueId) => _queues[queueId] = new RewindableQueue(streamsOf(queueId), _time, _logger);

    public IQueueAdapterReceiver CreateReceiver(QueueId queueId) => _queues[queueId];

    public Task QueueMessageBatchAsync<T>(OrleansStreamId streamId, IEnumerable<T> events, StreamSequenceToken? token, Dictionary<string, object>? requestContext) =>
        throw new NotSupportedException($"The streams of '{name}' carry what is in the log: send a command to a grain that appends to it.");
}
