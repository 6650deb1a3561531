using System.Text.Json;
using Orleans.EventSourced.Core;
using Orleans.EventSourced.Core.Events;

namespace Orleans.EventSourced.Mutations;

/// <summary>What happens in a session: a client's requests for mutations, and what became of each. The whole history is the session's stream, <c>es-session/ID</c>.</summary>
[GenerateSerializer, Immutable, Alias("Orleans.EventSourced.SessionEvent")]
public abstract record SessionEvent
{
    private protected SessionEvent()
    {
    }
}

/// <summary>A mutation was asked for. It is executed behind those that were asked for before it in the session.</summary>
/// <param name="Mutation">Its id, which is that of the command too.</param>
/// <param name="Command">The registered name of the command.</param>
/// <param name="Target">The key of the entity.</param>
/// <param name="Payload">The command as JSON.</param>
/// <param name="RequestHash">A digest of the request; null: the client did not name it, so it is not sent again.</param>
/// <param name="ExpectedVersion">The version that the entity must have; null: whichever.</param>
[EventType(SessionEventTypes.Requested)]
public sealed record MutationRequested(Guid Mutation, string Command, string Target, JsonElement Payload, string? RequestHash, int? ExpectedVersion) : SessionEvent;

/// <summary>What became of a mutation.</summary>
[GenerateSerializer, Immutable, Alias("Orleans.EventSourced.MutationFate")]
public abstract record MutationFate : SessionEvent
{
    private protected const int MaxReason = 1_000;

    private protected MutationFate()
    {
    }

    /// <summary>Which one.</summary>
    public abstract Guid Mutation { get; init; }
}

/// <summary>A mutation took effect, and is durable.</summary>
/// <param name="Mutation">Which one.</param>
/// <param name="Stream">The entity's stream.</param>
/// <param name="Version">The version of its last event.</param>
/// <param name="Position">That event's place in the log: views that reach it show the mutation.</param>
/// <param name="Events">How many events it made; 0: it changed nothing.</param>
[EventType(SessionEventTypes.Accepted), GenerateSerializer, Immutable, Alias("Orleans.EventSourced.MutationAccepted")]
public sealed record MutationAccepted(
    [property: Id(0)] Guid Mutation,
    [property: Id(1)] string Stream,
    [property: Id(2)] int Version,
    [property: Id(3)] long Position,
    [property: Id(4)] int Events) : MutationFate;

/// <summary>A mutation was refused, and changed nothing.</summary>
/// <param name="Mutation">Which one.</param>
/// <param name="Code">A stable name for programs: the entity's own, or <c>version-mismatch</c>, <c>id-reused</c>, <c>unknown-command</c>, <c>unreadable</c>, <c>failed</c>.</param>
/// <param name="Reason">A sentence for people.</param>
[EventType(SessionEventTypes.Rejected), GenerateSerializer, Immutable, Alias("Orleans.EventSourced.MutationRejected")]
public sealed record MutationRejected([property: Id(0)] Guid Mutation, [property: Id(1)] string Code, [property: Id(2)] string Reason) : MutationFate
{
    /// <summary>The fate of a request, in words that any store keeps.</summary>
    internal static MutationFate Of(MutationRequested request, string code, string reason) => new MutationRejected(request.Mutation, StorableText.Of(code, MaxReason), StorableText.Of(reason, MaxReason));
}

/// <summary>Nobody knows what became of a mutation: the entity did not answer however often it was asked. If it took effect after all, <see cref="MutationAccepted"/> may follow.</summary>
/// <param name="Mutation">Which one.</param>
/// <param name="Reason">A sentence for people.</param>
[EventType("mutation-unknown"), GenerateSerializer, Immutable, Alias("Orleans.EventSourced.MutationUnknown")]
public sealed record MutationUnknown([property: Id(0)] Guid Mutation, [property: Id(1)] string Reason) : MutationFate
{
    internal static MutationFate Of(MutationRequested request, string reason) => new MutationUnknown(request.Mutation, StorableText.Of(reason, MaxReason));
}

/// <summary>The events of sessions in a map of event types.</summary>
public static class SessionEventTypes
{
    internal const string Requested = "mutation-requested";
    internal const string Accepted = "mutation-accepted";
    internal const string Rejected = "mutation-rejected";

    /// <summary>Adds them; a program that has mutations knows them.</summary>
    public static EventTypeMap.Builder AddSessionEvents(this EventTypeMap.Builder types)
    {
        ArgumentNullException.ThrowIfNull(types);
        return types.AddFamily<SessionEvent>(JsonSerializerOptions.Web);
    }
}
