using System.Text.Json;
using Orleans.EventSourced.Core.Events;

namespace Orleans.EventSourced.Mutations;

/// <summary>What happens in a session: a client's requests for mutations, and what became of each. The whole history is the session's stream, <c>es-session/ID</c>.</summary>
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
[EventType("mutation-requested")]
public sealed record MutationRequested(Guid Mutation, string Command, string Target, JsonElement Payload, string? RequestHash, int? ExpectedVersion) : SessionEvent;

/// <summary>A mutation took effect, and is durable.</summary>
/// <param name="Mutation">Which one.</param>
/// <param name="Stream">The entity's stream.</param>
/// <param name="Version">The version of its last event.</param>
/// <param name="Position">That event's place in the log: views that reach it show the mutation.</param>
/// <param name="Events">How many events it made; 0: it changed nothing.</param>
[EventType("mutation-accepted")]
public sealed record MutationAccepted(Guid Mutation, string Stream, int Version, long Position, int Events) : SessionEvent;

/// <summary>A mutation was refused, and changed nothing.</summary>
/// <param name="Mutation">Which one.</param>
/// <param name="Code">A stable name for programs: the entity's own, or <c>version-mismatch</c>, <c>id-reused</c>, <c>unknown-command</c>, <c>unreadable</c>, <c>failed</c>.</param>
/// <param name="Reason">A sentence for people.</param>
[EventType("mutation-rejected")]
public sealed record MutationRejected(Guid Mutation, string Code, string Reason) : SessionEvent;

/// <summary>The events of sessions in a map of event types.</summary>
public static class SessionEventTypes
{
    /// <summary>Adds them; a program that has mutations knows them.</summary>
    public static EventTypeMap.Builder AddSessionEvents(this EventTypeMap.Builder types)
    {
        ArgumentNullException.ThrowIfNull(types);
        return types.AddFamily<SessionEvent>(JsonSerializerOptions.Web);
    }
}
