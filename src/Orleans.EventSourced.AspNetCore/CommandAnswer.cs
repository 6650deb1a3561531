using System.Globalization;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Orleans.EventSourced.Commands;
using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Grains;
using StreamId = Orleans.EventSourced.Core.Log.StreamId;

namespace Orleans.EventSourced.AspNetCore;

/// <summary>Turns what became of a command into an HTTP answer: headers <c>ETag</c> (version) and <c>ES-Position</c>, and problem+json (RFC 9457) for what was not accepted.</summary>
public static class CommandAnswer
{
    /// <summary>The header that says which position of the log an answer reflects.</summary>
    public const string PositionHeader = "ES-Position";

    /// <summary>The answer to a command.</summary>
    /// <param name="result">What became of it.</param>
    /// <param name="http">The request.</param>
    /// <param name="created">The address of what the command made, for 201; null: 200.</param>
    /// <param name="isBadInput">Which codes of a refusal mean that the request itself is wrong (400) and not at odds with the state (409).</param>
    public static IResult From<TEvent>(CommandResult<TEvent> result, HttpContext http, string? created = null, Func<string, bool>? isBadInput = null)
    {
        switch (result)
        {
            case Accepted<TEvent> accepted:
                var types = http.RequestServices.GetRequiredService<JsonEventCodec>().Types;
                SetVersion(http, accepted.Version, accepted.Position);
                var body = new CommandAccepted(accepted.Version, accepted.Position, [.. accepted.Events.Select(e => new AcceptedEvent(types.NameOf(e!), e!))]);
                return created is null ? Results.Ok(body) : Results.Created(created, body);
            case Rejected<TEvent> rejected when isBadInput?.Invoke(rejected.Code) == true:
                return Problem(StatusCodes.Status400BadRequest, rejected.Code, rejected.Reason, new() { ["errors"] = new Dictionary<string, string[]> { [rejected.Code] = [rejected.Reason] } });
            case Rejected<TEvent> rejected:
                return Problem(StatusCodes.Status409Conflict, rejected.Code, rejected.Reason);
            case VersionMismatch<TEvent> mismatch:
                http.Response.Headers.ETag = ETag(mismatch.Actual);
                return Problem(StatusCodes.Status412PreconditionFailed, "version-mismatch", $"The version is {mismatch.Actual}, not the one that If-Match names.", new() { ["version"] = mismatch.Actual });
            case IdReused<TEvent>:
                return IdReusedProblem();
            case Contended<TEvent>:
                http.Response.Headers.RetryAfter = "1";
                return Problem(StatusCodes.Status409Conflict, "contended", "Others changed it each time this command was decided. Send it again.");
            default:
                throw new InvalidOperationException($"A command was answered '{result}'.");
        }
    }

    /// <summary>
    /// Finds out whether a named command was used before on another stream. The log itself refuses another content on the same stream; across streams this look-up
    /// does, so that two requests with one key for two entities at the very same moment may both pass.
    /// </summary>
    public static async Task<IResult?> RefuseReuseAsync(IEventLog log, CommandContext command, StreamId stream, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(log);
        ArgumentNullException.ThrowIfNull(command);
        return command.IsNamed && await log.FindCommandAsync(new CommandId(command.Command), cancellationToken) is { } first && first.Stream != stream ? IdReusedProblem() : null;
    }

    /// <summary>Sets the headers that say what an answer reflects.</summary>
    public static void SetVersion(HttpContext http, int version, long position)
    {
        ArgumentNullException.ThrowIfNull(http);
        http.Response.Headers.ETag = ETag(version);
        http.Response.Headers[PositionHeader] = position.ToString(CultureInfo.InvariantCulture);
    }

    /// <summary>A problem with a stable type: <c>urn:problem:CODE</c>.</summary>
    public static IResult Problem(int status, string code, string detail, Dictionary<string, object?>? extensions = null) =>
        Results.Problem(detail, statusCode: status, title: code, type: $"urn:problem:{code}", extensions: extensions);

    private static string ETag(int version) => $"\"{version.ToString(CultureInfo.InvariantCulture)}\"";

    private static IResult IdReusedProblem() =>
        Problem(StatusCodes.Status422UnprocessableEntity, "idempotency-key-reused", "This Idempotency-Key was used before for another request. A new request needs a new key.");
}

/// <summary>The body of the answer to an accepted command.</summary>
/// <param name="Version">The version after it.</param>
/// <param name="Position">Its place in the log.</param>
/// <param name="Events">What happened.</param>
public sealed record CommandAccepted(int Version, long Position, IReadOnlyList<AcceptedEvent> Events);

/// <summary>One event that a command made happen.</summary>
/// <param name="Type">The registered name of its type.</param>
/// <param name="Data">The event.</param>
public sealed record AcceptedEvent(string Type, object Data);
