namespace Orleans.EventSourced.Tracing;

/// <summary>A workflow from its first command on: which command made which events, and what followed from them.</summary>
/// <param name="Correlation">The id of the workflow.</param>
/// <param name="Nodes">The tree, each node behind its parent and in front of its parent's next child; children in the order in which they happened. A list, because a chain of causes is deeper than JSON may be nested.</param>
/// <param name="Gaps">The causes that are not among the workflow's events and commands; each is a node too, at the root.</param>
/// <param name="IsTruncated">There is more than is shown, and a gap may be no more than what was left out.</param>
public sealed record Trace(string Correlation, IReadOnlyList<TraceNode> Nodes, IReadOnlyList<TraceGap> Gaps, bool IsTruncated)
{
    /// <summary>When the first of its events was recorded.</summary>
    public DateTimeOffset? BeganAt { get; init; }

    /// <summary>When the last of its events was recorded.</summary>
    public DateTimeOffset? EndedAt { get; init; }
}

/// <summary>A part of a workflow.</summary>
public abstract record TraceNode
{
    private TraceNode()
    {
    }

    /// <summary>The id of the event or the command; of a gap, the cause as it was named.</summary>
    public required string Id { get; init; }

    /// <summary>The node that it hangs on; null: none.</summary>
    public string? Parent { get; init; }

    /// <summary>How many nodes are above it.</summary>
    public int Depth { get; init; }

    /// <summary>When it was recorded: of a command its first event, or its refusal. Null: nothing was, yet.</summary>
    public DateTimeOffset? At { get; init; }

    /// <summary>How long that was behind its parent; null: one of the times is not known.</summary>
    public TimeSpan? After { get; init; }

    /// <summary>On whose behalf; a reaction is <c>reaction:NAME</c>, a deadline <c>deadline:NAME</c>.</summary>
    public string? Actor { get; init; }

    /// <summary>Why, in the caller's words.</summary>
    public string? Reason { get; init; }

    /// <summary>The kind of source.</summary>
    public string? Origin { get; init; }

    /// <summary>Something was done. Its events come first among its children.</summary>
    /// <param name="State">What became of it.</param>
    /// <param name="Events">How many events it made in this workflow.</param>
    public sealed record Command(TraceState State, int Events) : TraceNode
    {
        /// <summary>The registered name of a command that was asked for through a session.</summary>
        public string? Name { get; init; }

        /// <summary>The key of the entity that it was asked of.</summary>
        public string? Target { get; init; }

        /// <summary>Why it was refused, for programs.</summary>
        public string? Code { get; init; }

        /// <summary>Why it was refused, or why nobody knows, for people.</summary>
        public string? Detail { get; init; }

        /// <summary>Its chain of causes leads back to it, so that no command is the first; the earliest is shown as if it were.</summary>
        public bool IsCycle { get; init; }
    }

    /// <summary>Something happened.</summary>
    /// <param name="Stream">The entity's stream.</param>
    /// <param name="Version">Its place there.</param>
    /// <param name="Type">The registered name of its type.</param>
    /// <param name="Position">Its place in the log.</param>
    public sealed record Event(string Stream, int Version, string Type, long Position) : TraceNode;

    /// <summary>A cause that is not among the workflow's events and commands.</summary>
    public sealed record Gap : TraceNode;
}

/// <summary>What became of a command.</summary>
public enum TraceState
{
    /// <summary>It made events, or its session says that it took effect.</summary>
    Accepted,

    /// <summary>It was refused, as its session says.</summary>
    Rejected,

    /// <summary>It waits in its session.</summary>
    Requested,

    /// <summary>Nobody knows, says its session.</summary>
    Unknown,
}

/// <summary>A cause that is not known here: a command that made no events, one that was named by another system, or something of another workflow.</summary>
/// <param name="Id">What was named as the cause.</param>
/// <param name="Commands">The commands that hang on it.</param>
public sealed record TraceGap(string Id, IReadOnlyList<string> Commands)
{
    /// <summary>The workflow that the log has it in; null: the log has no such event, and no event of such a command, or it was not looked for.</summary>
    public string? Correlation { get; init; }
}
