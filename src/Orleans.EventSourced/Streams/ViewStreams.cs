using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Projections;
using Orleans.Providers.Streams.Common;
using Orleans.Streams;
using OrleansStreamId = Orleans.Runtime.StreamId;

namespace Orleans.EventSourced.Streams;

/// <summary>
/// Names the streams that tell of changes of views, and the places in them. There is one stream for each view that the silo's program knows. Its items are <see cref="StreamedViewChange"/>s: rows
/// that changed or were deleted, each as it is when it is read, by position. Who keeps the last one of each key, and forgets all at a reset, has the view.
/// </summary>
/// <remarks>
/// Delivery is at least once: what was not acknowledged comes again, after a failure from the first change of the batch that failed. A token is an <see cref="EventSequenceTokenV2"/> whose sequence
/// number is the position and whose event index is the number of the view's table; a subscription that starts there goes on behind that position. Where another table is the live one by then, a
/// reset comes first, and behind it all rows of that table. Such tokens say nothing by their order.
/// </remarks>
public static class ViewStreams
{
    /// <summary>The name of the stream provider where none is said, with which the namespaces of its streams begin.</summary>
    public const string DefaultName = "views";

    /// <summary>Where a subscription starts that is to get all rows as changes: where one without a token does.</summary>
    public static StreamSequenceToken Beginning => TokenOf(default);

    /// <summary>The stream of a view: its namespace is <c>provider/view</c>, its key the view's name.</summary>
    /// <param name="view">The view's name.</param>
    /// <param name="provider">The name of the stream provider.</param>
    public static OrleansStreamId Of(string view, string provider = DefaultName)
    {
        ArgumentException.ThrowIfNullOrEmpty(view);
        ArgumentException.ThrowIfNullOrEmpty(provider);
        return OrleansStreamId.Create($"{provider}/{view}", view);
    }

    /// <summary>Where a subscription starts so that it goes on behind a cursor: that of a change, or one that <see cref="Queries.IViewQueryGrain"/> or the feed over HTTP gave. Each item comes with such a token.</summary>
    /// <exception cref="FormatException">It is no cursor.</exception>
    public static StreamSequenceToken TokenAfter(string cursor)
    {
        ArgumentNullException.ThrowIfNull(cursor);
        return TokenOf(RowCursor.Parse(cursor));
    }

    /// <summary>The cursor that a token stands for: of a token that came with an item, the item's.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The token is of another provider: its number is negative.</exception>
    public static string CursorOf(StreamSequenceToken token)
    {
        ArgumentNullException.ThrowIfNull(token);
        return new RowCursor(token.EventIndex, new LogPosition(token.SequenceNumber)).ToString();
    }

    private static EventSequenceTokenV2 TokenOf(RowCursor cursor) => new(cursor.Position.Value, cursor.Table);
}
