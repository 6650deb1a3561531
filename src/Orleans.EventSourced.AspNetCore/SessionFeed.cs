using System.Globalization;
using System.Net.ServerSentEvents;
using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Http;
using Orleans.EventSourced.Mutations;

namespace Orleans.EventSourced.AspNetCore;

/// <summary>The changes of a session as a feed: the id of each is its version in the session.</summary>
internal static class SessionFeed
{
    public static IResult Watch(string session, HttpContext http, MutationQueue queue)
    {
        var since = Since(http.Request);
        try
        {
            // Checked before the answer begins.
            _ = queue.WatchAsync(session, since, CancellationToken.None);
        }
        catch (ArgumentException e)
        {
            throw new BadCommandException(e.ParamName ?? "session", e.Message, e);
        }

        return Feed.Open(http, stop => queue.WatchAsync(session, since, stop).Select(c => new SseItem<SessionChangeAnswer?>(Shown(c), Name(c.Event)) { EventId = c.Version.ToString(CultureInfo.InvariantCulture) }));
    }

    private static int Since(HttpRequest request) => Feed.Since(request) is not { } text ? 0
        : int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var version) ? version
        : throw new BadCommandException("since", "It is the id of the last event seen: a whole number, 0 or more.");

    private static string Name(SessionEvent e) => e switch
    {
        MutationRequested => "requested",
        MutationAccepted => "accepted",
        MutationRejected => "rejected",
        MutationUnknown => "unknown",
        _ => throw new InvalidOperationException($"'{e}' is no event of a session."),
    };

    private static SessionChangeAnswer Shown(SessionChange change) => change.Event switch
    {
        MutationRequested r => new SessionChangeAnswer(r.Mutation, change.At) { Command = r.Command, Target = r.Target },
        MutationAccepted a => new SessionChangeAnswer(a.Mutation, change.At) { Stream = a.Stream, Version = a.Version, Position = a.Position, Events = a.Events },
        MutationRejected r => new SessionChangeAnswer(r.Mutation, change.At) { Code = r.Code, Reason = r.Reason },
        MutationUnknown u => new SessionChangeAnswer(u.Mutation, change.At) { Reason = u.Reason },
        _ => throw new InvalidOperationException($"'{change.Event}' is no event of a session."),
    };
}

/// <summary>A mutation was asked for, or came to an end: the event's name says which. What does not concern it is left out.</summary>
/// <param name="Mutation">Its id.</param>
/// <param name="At">When, by the clock of the log.</param>
public sealed record SessionChangeAnswer(Guid Mutation, DateTimeOffset At)
{
    /// <summary>The registered name of the command.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Command { get; init; }

    /// <summary>The key of the entity.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Target { get; init; }

    /// <summary>The entity's stream.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Stream { get; init; }

    /// <summary>The entity's version after it.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public int? Version { get; init; }

    /// <summary>Its place in the log.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public long? Position { get; init; }

    /// <summary>How many events it made.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public int? Events { get; init; }

    /// <summary>Why it was refused, for programs.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Code { get; init; }

    /// <summary>Why it was refused, or why nobody knows, for people.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Reason { get; init; }
}
