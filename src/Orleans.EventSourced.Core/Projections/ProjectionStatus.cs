using Orleans.EventSourced.Core.Log;

namespace Orleans.EventSourced.Core.Projections;

/// <summary>What a projection's slice is doing.</summary>
public enum ProjectionState
{
    /// <summary>It is about to open its table.</summary>
    Starting,

    /// <summary>The log has more than its rows reflect.</summary>
    CatchingUp,

    /// <summary>Its rows reflect the log, as far as it knows.</summary>
    Live,

    /// <summary>Log or table did not answer, or the fold failed a moment ago; it tries again by itself.</summary>
    Retrying,

    /// <summary>The next event is of a type that this program does not know; it waits to be moved to one that does.</summary>
    WaitingForNewerProgram,

    /// <summary>The fold fails at the next event each time. It stands still until an operator resumes it; nothing is lost, and nothing else stops.</summary>
    Stopped,

    /// <summary>The table that was built is live now or was given up: there is nothing more to do.</summary>
    Ended,
}

/// <summary>Where a slice of a projection stands.</summary>
/// <param name="View">The view.</param>
/// <param name="Slice">The share of its rows.</param>
/// <param name="State">What it is doing.</param>
/// <param name="Position">Everything up to here is in its rows.</param>
/// <param name="Head">The log's head as far as its process knows.</param>
/// <param name="Fault">What keeps it from going on; null: nothing does.</param>
/// <param name="FaultAt">The position of the event at fault; 0: it is no event.</param>
/// <param name="Attempts">How often it has tried in vain since it last went on.</param>
/// <param name="Since">When the state began.</param>
public sealed record ProjectionStatus(ViewId View, Slice Slice, ProjectionState State, LogPosition Position, LogPosition Head, string? Fault, LogPosition FaultAt, int Attempts, DateTimeOffset Since)
{
    /// <summary>How many rows stand still at an event that their fold refuses, while the slice goes on. Where nothing else is at fault, <see cref="Fault"/> and <see cref="FaultAt"/> are those of the first.</summary>
    public int Parked { get; init; }

    /// <summary>How many events the rows are behind the head.</summary>
    public long Behind => Math.Max(0, Head.Value - Position.Value);
}
