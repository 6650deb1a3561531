namespace Orleans.EventSourced.Mutations;

/// <summary>What became of a request for a mutation. Whether a view shows it already is no state of it: compare its position with what the view reflects.</summary>
public enum MutationState
{
    /// <summary>It is durable in the session's queue, and will be executed.</summary>
    Requested,

    /// <summary>It took effect.</summary>
    Accepted,

    /// <summary>It was refused and changed nothing.</summary>
    Rejected,

    /// <summary>Nobody knows: the entity did not answer, or an operator passed it over. It is not executed again; where it took effect after all, it may still become accepted.</summary>
    Unknown,
}

/// <summary>A request for a mutation and what became of it.</summary>
/// <param name="Mutation">Its id.</param>
/// <param name="Command">The registered name of the command.</param>
/// <param name="Target">The key of the entity.</param>
/// <param name="State">What became of it.</param>
[GenerateSerializer, Immutable, Alias("Orleans.EventSourced.MutationStatus")]
public sealed record MutationStatus([property: Id(0)] Guid Mutation, [property: Id(1)] string Command, [property: Id(2)] string Target, [property: Id(3)] MutationState State)
{
    /// <summary>The entity's stream, once accepted.</summary>
    [Id(4)]
    public string? Stream { get; init; }

    /// <summary>The entity's version after it, once accepted.</summary>
    [Id(5)]
    public int? Version { get; init; }

    /// <summary>Its place in the log, once accepted.</summary>
    [Id(6)]
    public long? Position { get; init; }

    /// <summary>How many events it made, once accepted.</summary>
    [Id(7)]
    public int? Events { get; init; }

    /// <summary>Why it was refused, for programs.</summary>
    [Id(8)]
    public string? Code { get; init; }

    /// <summary>Why it was refused, or why nobody knows, for people.</summary>
    [Id(9)]
    public string? Reason { get; init; }
}

/// <summary>Why a session does not take a request.</summary>
public static class MutationRefusals
{
    /// <summary>Too many wait already.</summary>
    public const string Full = "session-full";

    /// <summary>The session has a mutation with this id already, with another content or of long ago.</summary>
    public const string Known = "mutation-known";
}
