using Orleans.Streams;
using OrleansStreamId = Orleans.Runtime.StreamId;

namespace Orleans.EventSourced.Streams;

/// <summary>One delivery: some events of a stream in log order. Its token says that they are done.</summary>
[GenerateSerializer, Immutable, Alias("Orleans.EventSourced.LogStreamBatch")]
internal sealed class LogStreamBatch(OrleansStreamId streamId, StreamedEvent[] events) : IBatchContainer
{
    [Id(0)]
    private readonly OrleansStreamId _streamId = streamId;

    [Id(1)]
    private readonly StreamedEvent[] _events = events;

    public OrleansStreamId StreamId => _streamId;

    public StreamSequenceToken SequenceToken => EventLogStreams.TokenAfter(_events[^1].Position);

    public IEnumerable<Tuple<T, StreamSequenceToken>> GetEvents<T>()
    {
        foreach (var e in _events)
        {
            yield return e is T item
                ? Tuple.Create(item, EventLogStreams.TokenFrom(e.Position))
                : throw new InvalidCastException($"The items of stream {_streamId} are {nameof(StreamedEvent)}s: take it as a stream of those, not of {typeof(T)}.");
        }
    }

    public bool ImportRequestContext() => false;

    public override string ToString() => $"{_events.Length} events of {_streamId}, positions {_events[0].Position} to {_events[^1].Position}";
}
