using System.Globalization;
using System.Net.ServerSentEvents;
using System.Runtime.CompilerServices;
using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Hosting;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Mutations;

namespace Orleans.EventSourced.AspNetCore;

/// <summary>
/// The changes of a session as server-sent events (WHATWG HTML, 9.2): the id of each is its version in the session, so a client that comes again with <c>Last-Event-ID</c>, as browsers do by themselves,
/// misses none and sees none twice. A <c>heartbeat</c> without id comes at once and whenever nothing else did for a while.
/// </summary>
internal static class SessionFeed
{
    /// <summary>The most feeds of one process at a time.</summary>
    public const int MaxFeeds = 1_000;

    private static readonly TimeSpan Heartbeat = TimeSpan.FromSeconds(15);
    private static int _feeds;

    public static IResult Watch(string session, HttpContext http, MutationQueue queue, IHostApplicationLifetime lifetime, TimeProvider time)
    {
        var since = Since(http.Request);
        var stop = CancellationTokenSource.CreateLinkedTokenSource(http.RequestAborted, lifetime.ApplicationStopping);
        http.Response.RegisterForDispose(stop);
        IAsyncEnumerable<SessionChange> changes;
        try
        {
            changes = queue.WatchAsync(session, since, stop.Token);
        }
        catch (ArgumentException e)
        {
            throw new BadCommandException(e.ParamName ?? "session", e.Message, e);
        }

        if (Interlocked.Increment(ref _feeds) > MaxFeeds)
        {
            Interlocked.Decrement(ref _feeds);
            http.Response.Headers.RetryAfter = "5";
            return CommandAnswer.Problem(StatusCodes.Status503ServiceUnavailable, "too-many-feeds", $"This node has {MaxFeeds} feeds already; come again, or ask another node.");
        }

        http.Response.OnCompleted(static () =>
        {
            Interlocked.Decrement(ref _feeds);
            return Task.CompletedTask;
        });
        return TypedResults.ServerSentEvents(ItemsAsync(changes, time, stop.Token));
    }

    private static int Since(HttpRequest request)
    {
        var header = request.Headers["Last-Event-ID"].ToString();
        var (text, name) = header.Length > 0 ? (header, "Last-Event-ID") : (request.Query["since"].ToString(), "since");
        return text.Length == 0 ? 0
            : int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var version) ? version
            : throw new BadCommandException(name, "It is the id of the last event seen: a whole number, 0 or more.");
    }

    private static async IAsyncEnumerable<SseItem<SessionChangeAnswer?>> ItemsAsync(IAsyncEnumerable<SessionChange> changes, TimeProvider time, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var enumerator = changes.GetAsyncEnumerator(cancellationToken);
        await using (enumerator)
        {
            yield return new SseItem<SessionChangeAnswer?>(null, "heartbeat");
            for (var next = enumerator.MoveNextAsync().AsTask(); ;)
            {
                switch (await HasNextAsync(next, time))
                {
                    case null:
                        yield return new SseItem<SessionChangeAnswer?>(null, "heartbeat");
                        break;
                    case true:
                        var change = enumerator.Current;
                        yield return new SseItem<SessionChangeAnswer?>(Shown(change), Name(change.Event)) { EventId = change.Version.ToString(CultureInfo.InvariantCulture) };
                        next = enumerator.MoveNextAsync().AsTask();
                        break;
                    default:
                        // The client comes again behind the last id that it has.
                        yield break;
                }
            }
        }
    }

    /// <summary>Null: nothing happened for a while. False: the node stops, the client went, or the log does not answer.</summary>
    private static async Task<bool?> HasNextAsync(Task<bool> next, TimeProvider time)
    {
        try
        {
            return await next.WaitAsync(Heartbeat, time);
        }
        catch (TimeoutException) when (!next.IsCompleted)
        {
            return null;
        }
        catch (Exception e) when (e is OperationCanceledException or LogUnavailableException)
        {
            return false;
        }
    }

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
