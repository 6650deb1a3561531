using Orleans.EventSourced.Core.Log;

namespace Orleans.EventSourced.Core.Projections;

/// <summary>What one step of a runner came to.</summary>
public abstract record ProjectionStep
{
    private ProjectionStep()
    {
    }

    /// <summary>The rows reflect the log up to <paramref name="Position"/>; there may be more.</summary>
    /// <param name="Position">The new checkpoint.</param>
    /// <param name="Events">How many events it passed over, those of other views among them.</param>
    public sealed record Advanced(LogPosition Position, int Events) : ProjectionStep;

    /// <summary>The rows reflect the whole log as it was a moment ago.</summary>
    /// <param name="Position">The checkpoint, which is the log's head.</param>
    public sealed record AtHead(LogPosition Position) : ProjectionStep;

    /// <summary>Another runner has moved the checkpoint: nothing was written, and this one goes on from where the other one is.</summary>
    /// <param name="Position">The other one's checkpoint.</param>
    public sealed record Overtaken(LogPosition Position) : ProjectionStep;

    /// <summary>No table has the role any more: the one that was built was switched to, or given up.</summary>
    public sealed record Gone : ProjectionStep;

    /// <summary>The fold fails at an event, or gives a row that no table keeps. The events before it are in the rows, it and those after it are not.</summary>
    /// <param name="Position">The checkpoint: the position before the event.</param>
    /// <param name="Fault">The event and the error.</param>
    public sealed record Poisoned(LogPosition Position, ViewFoldException Fault) : ProjectionStep;

    /// <summary>The next event is of a type or version that this program does not know; one that knows it must go on. The events before it are in the rows.</summary>
    /// <param name="Position">The checkpoint: the position before the event.</param>
    /// <param name="Missing">What is not known.</param>
    public sealed record Unknown(LogPosition Position, UnknownEventTypeException Missing) : ProjectionStep;
}
