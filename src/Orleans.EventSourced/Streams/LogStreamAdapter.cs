using System.Collections.Concurrent;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Orleans.Configuration;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Projections;
using Orleans.EventSourced.Hosting;
using Orleans.Metadata;
using Orleans.Streams;
using OrleansStreamId = Orleans.Runtime.StreamId;

namespace Orleans.EventSourced.Streams;

/// <summary>The log as a persistent stream provider of Orleans: rewindable, and read only, because events come into the log by commands alone.</summary>
internal sealed class LogStreamAdapter : IQueueAdapter, IQueueAdapterFactory, IQueueAdapterCache
{
    private readonly LogStreamQueueMapper _mapper;
    private readonly LogStreamSource _source;
    private readonly string[] _categories;
    private readonly int _slices;
    private readonly ConcurrentDictionary<QueueId, LogStreamQueue> _queues = new();

    public LogStreamAdapter(string name, EventLogStreamOptions options, IEnumerable<string> categories, LogTail tail, TimeProvider time, ILoggerFactory loggers)
    {
        (Name, _slices) = (name, options.Slices);
        _categories = [.. categories.Union(options.Categories, StringComparer.Ordinal)];
        _mapper = new LogStreamQueueMapper(name, options.Slices);
        _source = new LogStreamSource(tail, options.BatchEvents, time, loggers.CreateLogger("Orleans.EventSourced.Streams"));
    }

    public string Name { get; }

    public bool IsRewindable => true;

    public StreamProviderDirection Direction => StreamProviderDirection.ReadOnly;

    public static LogStreamAdapter Create(IServiceProvider services, string name) => new(
        name,
        services.GetRequiredService<IOptionsMonitor<EventLogStreamOptions>>().Get(name),
        JournaledCategories(services),
        services.GetRequiredService<LogTail>(),
        services.GetRequiredService<TimeProvider>(),
        services.GetRequiredService<ILoggerFactory>());

    public Task<IQueueAdapter> CreateAdapter() => Task.FromResult<IQueueAdapter>(this);

    public IQueueAdapterCache GetQueueAdapterCache() => this;

    public IStreamQueueMapper GetStreamQueueMapper() => _mapper;

    public Task<IStreamFailureHandler> GetDeliveryFailureHandler(QueueId queueId) => Task.FromResult<IStreamFailureHandler>(new NoOpStreamDeliveryFailureHandler());

    /// <summary>Agents ask for the cache of a queue first, and then for its receiver.</summary>
    public IQueueCache CreateQueueCache(QueueId queueId) => _queues[queueId] = new LogStreamQueue(StreamsOf((int)queueId.GetNumericId()), _source);

    public IQueueAdapterReceiver CreateReceiver(QueueId queueId) => _queues[queueId];

    public Task QueueMessageBatchAsync<T>(OrleansStreamId streamId, IEnumerable<T> events, StreamSequenceToken? token, Dictionary<string, object>? requestContext) =>
        throw new NotSupportedException($"The streams of '{Name}' carry what is in the log: send a command to a grain that appends to it.");

    private IEnumerable<LogStream> StreamsOf(int slice)
    {
        var share = new Slice(slice, _slices);
        return _categories.Select(c => new LogStream(EventLogStreams.Of(c, slice, Name), c, share)).Append(new LogStream(EventLogStreams.Everything(slice, Name), null, share));
    }

    private static IEnumerable<string> JournaledCategories(IServiceProvider services)
    {
        var types = services.GetRequiredService<GrainTypeResolver>();
        return services.GetRequiredService<IOptions<GrainTypeOptions>>().Value.Classes.Where(c => !c.IsAbstract && !c.ContainsGenericParameters && JournaledGrains.IsJournaled(c)).Select(c => types.GetGrainType(c).ToString()!);
    }
}
