using Orleans.EventSourced.Core.Log;

namespace Orleans.EventSourced.Core.Reactions;

/// <summary>What a reaction is doing.</summary>
public enum ReactionState
{
    /// <summary>It is about to open its checkpoint.</summary>
    Starting,

    /// <summary>The log has more than it has dealt with.</summary>
    CatchingUp,

    /// <summary>It has dealt with the log, as far as it knows.</summary>
    Live,

    /// <summary>Something did not answer, or the handler failed a moment ago; it tries again by itself.</summary>
    Retrying,

    /// <summary>The next event is of a type that this program does not know; it waits to be moved to one that does.</summary>
    WaitingForNewerProgram,

    /// <summary>The handler fails at the next event each time. It stands still until an operator resumes it or skips the event; nothing is lost, and nothing else stops.</summary>
    Stopped,
}

/// <summary>Where a reaction stands.</summary>
/// <param name="Name">Its name.</param>
/// <param name="State">What it is doing.</param>
/// <param name="Position">Everything up to here is dealt with.</param>
/// <param name="Head">The log's head as far as its process knows.</param>
/// <param name="Fault">What keeps it from going on; null: nothing does.</param>
/// <param name="FaultAt">The position of the event at fault; 0: it is no event.</param>
/// <param name="Attempts">How often it has tried in vain since it last went on.</param>
/// <param name="Since">When the state began.</param>
public sealed record ReactionStatus(ReactionName Name, ReactionState State, LogPosition Position, LogPosition Head, string? Fault, LogPosition FaultAt, int Attempts, DateTimeOffset Since)
{
    /// <summary>How many events it is behind the head.</summary>
    public long Behind => Math.Max(0, Head.Value - Position.Value);
}
