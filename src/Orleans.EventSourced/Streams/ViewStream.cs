using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Queries;
using Orleans.Serialization;
using Orleans.Streams;
using OrleansStreamId = Orleans.Runtime.StreamId;

namespace Orleans.EventSourced.Streams;

/// <summary>The stream of one view.</summary>
internal sealed class ViewStream(OrleansStreamId id, string view, ViewStreamSource source) : IRewindableStream
{
    public OrleansStreamId Id => id;

    public string View => view;

    public StreamSequenceToken Beginning => ViewStreams.Beginning;

    public IDeliveries From(StreamSequenceToken? token) => new ViewDeliveries(this, token is null ? null : ViewStreams.CursorOf(token), source);

    public override string ToString() => id.ToString();
}

/// <summary>What the streams of views read from.</summary>
/// <param name="Watch">The changes of views, as the feed over HTTP has them.</param>
/// <param name="Tail">The log.</param>
/// <param name="Serializer">How rows travel, and so how large they are.</param>
internal sealed record ViewStreamSource(ViewWatch Watch, LogTail Tail, Serializer Serializer);
