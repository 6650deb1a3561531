using Orleans.EventSourced.Core.Events;

namespace Orleans.EventSourced.Core.Projections;

/// <summary>A view's fold threw at an event, or gave a row that no table keeps: its code does not fit the log. The fold of the same events throws again, so the projection stops there.</summary>
public sealed class ViewFoldException : Exception
{
    private ViewFoldException(RecordedEvent recorded, string? key, Exception cause)
        : base($"The fold failed at position {recorded.Position}, stream '{recorded.Stream}', version {recorded.Version}, event type '{recorded.Type}': {cause.Message}", cause) =>
        (Recorded, Key) = (recorded, key);

    /// <summary>The event.</summary>
    public RecordedEvent Recorded { get; }

    /// <summary>The row it was folded into; null: it failed before that was known.</summary>
    public string? Key { get; }

    internal static ViewFoldException Of(RecordedEvent recorded, Exception cause) => new(recorded, null, cause);

    internal static T Guard<T>(RecordedEvent recorded, Func<T> fold, string? key = null)
    {
        try
        {
            return fold();
        }
        catch (Exception e)
        {
            throw new ViewFoldException(recorded, key, e);
        }
    }
}
