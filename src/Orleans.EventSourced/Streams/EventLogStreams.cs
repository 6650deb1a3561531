using Orleans.EventSourced.Core.Log;
using Orleans.Providers.Streams.Common;
using Orleans.Streams;
using OrleansStreamId = Orleans.Runtime.StreamId;

namespace Orleans.EventSourced.Streams;

/// <summary>
/// Names the streams that carry the log, and the places in them. There is one stream for each category (the grain type: the part before the slash of a log stream's name) and slice, and one
/// for everything of a slice; never one for each entity. Their items are <see cref="StreamedEvent"/>s, in log order.
/// </summary>
/// <remarks>
/// Delivery is at least once: what was not acknowledged comes again, after a failure from the first event of the batch that failed. Positions only ever grow within a stream, so that a consumer
/// that keeps the last one it has done tells what it has already.
/// </remarks>
public static class EventLogStreams
{
    /// <summary>The name of the stream provider where none is said, and the namespace of its streams of everything.</summary>
    public const string DefaultName = "eventlog";

    /// <summary>The stream of one category: its namespace is <c>provider/category</c>, its key the slice's number.</summary>
    /// <param name="category">The grain type.</param>
    /// <param name="slice">The slice, from 0.</param>
    /// <param name="provider">The name of the stream provider.</param>
    /// <exception cref="ArgumentOutOfRangeException">The slice is negative.</exception>
    public static OrleansStreamId Of(string category, int slice = 0, string provider = DefaultName)
    {
        ArgumentException.ThrowIfNullOrEmpty(category);
        ArgumentException.ThrowIfNullOrEmpty(provider);
        ArgumentOutOfRangeException.ThrowIfNegative(slice);
        return OrleansStreamId.Create($"{provider}/{category}", slice);
    }

    /// <summary>The stream of all events of a slice, of whatever category: its namespace is the provider's name, its key the slice's number.</summary>
    /// <param name="slice">The slice, from 0.</param>
    /// <param name="provider">The name of the stream provider.</param>
    /// <exception cref="ArgumentOutOfRangeException">The slice is negative.</exception>
    public static OrleansStreamId Everything(int slice = 0, string provider = DefaultName)
    {
        ArgumentException.ThrowIfNullOrEmpty(provider);
        ArgumentOutOfRangeException.ThrowIfNegative(slice);
        return OrleansStreamId.Create(provider, slice);
    }

    /// <summary>Where a subscription starts so that its first event is the one at <paramref name="position"/> or, if that is not in the stream, the next one. Each item comes with such a token.</summary>
    public static StreamSequenceToken TokenFrom(LogPosition position) => new EventSequenceTokenV2(position.Value, 0);

    /// <summary>Where a subscription starts so that its first event is the next one behind <paramref name="position"/>: what a consumer that keeps the position of the last event it has done asks for.</summary>
    public static StreamSequenceToken TokenAfter(LogPosition position) => new EventSequenceTokenV2(position.Value, 1);

    /// <summary>The position that a token names: of a token that came with an item, the item's.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The token is of another provider: its number is negative.</exception>
    public static LogPosition PositionOf(StreamSequenceToken token)
    {
        ArgumentNullException.ThrowIfNull(token);
        return new LogPosition(token.SequenceNumber);
    }

    /// <summary>The position before the first event that a subscription starting at the token gets. An event's own token gives the event again: it may be the one that failed.</summary>
    internal static LogPosition Before(StreamSequenceToken token) => new(Math.Max(0, token.EventIndex > 0 ? token.SequenceNumber : token.SequenceNumber - 1));
}
