using Orleans.Streams;
using OrleansStreamId = Orleans.Runtime.StreamId;

namespace Orleans.EventSourced.Streams;

/// <summary>One delivery: some changes of a view by position, or a reset alone. Its token says that they are done.</summary>
[GenerateSerializer, Immutable, Alias("Orleans.EventSourced.ViewStreamBatch")]
internal sealed class ViewStreamBatch(OrleansStreamId streamId, StreamedViewChange[] changes) : IBatchContainer
{
    [Id(0)]
    private readonly OrleansStreamId _streamId = streamId;

    [Id(1)]
    private readonly StreamedViewChange[] _changes = changes;

    public OrleansStreamId StreamId => _streamId;

    public StreamSequenceToken SequenceToken => ViewStreams.TokenAfter(_changes[^1].Cursor);

    public IEnumerable<Tuple<T, StreamSequenceToken>> GetEvents<T>()
    {
        foreach (var change in _changes)
        {
            yield return change is T item
                ? Tuple.Create(item, ViewStreams.TokenAfter(change.Cursor))
                : throw new InvalidCastException($"The items of stream {_streamId} are {nameof(StreamedViewChange)}s: take it as a stream of those, not of {typeof(T)}.");
        }
    }

    public bool ImportRequestContext() => false;

    public override string ToString() => $"{_changes.Length} changes of {_streamId}, up to {_changes[^1].Cursor}";
}
