namespace Orleans.EventSourced.Core.Events;

/// <summary>
/// An event that says itself when it happened, which is not when the log recorded it: a payment of last week that is entered today. Views as of a business time go by it; an event
/// that does not say is taken to have happened when it was recorded.
/// </summary>
public interface IBusinessEvent
{
    /// <summary>When it happened in the world.</summary>
    DateTimeOffset OccurredAt { get; }
}
