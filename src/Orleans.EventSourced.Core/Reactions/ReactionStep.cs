using Orleans.EventSourced.Core.Log;

namespace Orleans.EventSourced.Core.Reactions;

/// <summary>What one step of a reaction's runner came to.</summary>
public abstract record ReactionStep
{
    private ReactionStep()
    {
    }

    /// <summary>Everything up to <paramref name="Position"/> is dealt with; there may be more.</summary>
    /// <param name="Position">Where the reaction stands.</param>
    /// <param name="Events">How many events it passed, those that do not concern it among them.</param>
    public sealed record Advanced(LogPosition Position, int Events) : ReactionStep;

    /// <summary>The whole log is dealt with, as it was a moment ago.</summary>
    /// <param name="Position">The log's head.</param>
    public sealed record AtHead(LogPosition Position) : ReactionStep;

    /// <summary>Another runner has moved the checkpoint; this one goes on from where the other one is. What both handled had one effect.</summary>
    /// <param name="Position">The other one's checkpoint.</param>
    public sealed record Overtaken(LogPosition Position) : ReactionStep;

    /// <summary>The handler failed at an event. What comes before it is dealt with.</summary>
    /// <param name="Position">The position before the event.</param>
    /// <param name="Fault">The event and the error.</param>
    public sealed record Failed(LogPosition Position, ReactionException Fault) : ReactionStep;

    /// <summary>The next event is of a type or version that this program does not know; one that knows it must go on.</summary>
    /// <param name="Position">The position before the event.</param>
    /// <param name="Missing">What is not known.</param>
    public sealed record Unknown(LogPosition Position, UnknownEventTypeException Missing) : ReactionStep;
}
