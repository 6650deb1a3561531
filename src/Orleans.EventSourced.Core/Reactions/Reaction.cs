using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.Log;

namespace Orleans.EventSourced.Core.Reactions;

/// <summary>Where a reaction begins that is run for the first time on a log.</summary>
public enum ReactionStart
{
    /// <summary>Behind the last event that is there then: it reacts to what is new.</summary>
    Head,

    /// <summary>At the first event of the log: it reacts to everything that ever happened.</summary>
    Beginning,
}

/// <summary>What is done because of events: its handler is called with each event of a family, in the order of each stream, at least once. Immutable.</summary>
public sealed class Reaction
{
    /// <param name="name">Its name.</param>
    /// <param name="events">The base type of the events that it reads; others pass by undecoded.</param>
    /// <param name="start">Where it begins on a log that it has not seen.</param>
    /// <param name="handle">Handles an event. When it returns, the event is dealt with for good. It may be called with an event again, and by several threads for different streams.</param>
    /// <param name="isOutage">
    /// Whether an exception of the handler says that something did not answer: then it is tried again until it does. Null: <see cref="IsOutage"/>. Any other exception is the handler's own fault.
    /// </param>
    public Reaction(ReactionName name, Type events, ReactionStart start, Func<RecordedEvent, object, CancellationToken, Task> handle, Func<Exception, bool>? isOutage = null)
    {
        ArgumentNullException.ThrowIfNull(events);
        ArgumentNullException.ThrowIfNull(handle);
        _ = name.Value;
        (Name, Events, Start, HandleAsync, Outage) = (name, events, start, handle, isOutage ?? IsOutage);
    }

    /// <summary>Its name.</summary>
    public ReactionName Name { get; }

    /// <summary>The base type of the events that it reads.</summary>
    public Type Events { get; }

    /// <summary>Where it begins on a log that it has not seen.</summary>
    public ReactionStart Start { get; }

    internal Func<RecordedEvent, object, CancellationToken, Task> HandleAsync { get; }

    internal Func<Exception, bool> Outage { get; }

    /// <summary>Whether an exception says that the log or something else did not answer now, so that trying again is all that helps.</summary>
    public static bool IsOutage(Exception exception) => exception is LogUnavailableException or LogOverloadedException or LogOutcomeUnknownException or TimeoutException;
}

/// <summary>The handler of a reaction failed at an event.</summary>
public sealed class ReactionException : Exception
{
    internal ReactionException(RecordedEvent recorded, Exception cause, bool isOutage)
        : base($"The reaction failed at position {recorded.Position}, stream '{recorded.Stream}', version {recorded.Version}, event type '{recorded.Type}': {cause.Message}", cause) =>
        (Recorded, IsOutage) = (recorded, isOutage);

    /// <summary>The event.</summary>
    public RecordedEvent Recorded { get; }

    /// <summary>Whether something did not answer; false: the handler itself threw, and will throw again.</summary>
    public bool IsOutage { get; }
}
