using Microsoft.AspNetCore.Diagnostics;
using Microsoft.AspNetCore.Http;
using Orleans.EventSourced.Core.History;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Projections;
using Orleans.EventSourced.History;
using Orleans.EventSourced.LogConsistency;

namespace Orleans.EventSourced.AspNetCore;

/// <summary>
/// Answers what the log could not do with problem+json: 503 for "surely not written by this request, try again", 503 with its own type for "perhaps written, send the same
/// Idempotency-Key again", 500 with stream, version and position for a fact that cannot be read, 400 for bad input, 422 for an Idempotency-Key that was used for another request.
/// </summary>
public sealed class LogExceptionHandler : IExceptionHandler
{
    /// <summary>A request may repeat one whose fate its sender did not learn, and only of this one is the log's "no" said.</summary>
    private const string NotByThisRequest = "This request wrote nothing. If you sent it before, that try may have been written: send it again with the same Idempotency-Key.";

    private static readonly (int Status, string Code, string Detail, Dictionary<string, object?>? Extensions) NodeUnavailable =
        (503, "node-unavailable", "The node that holds this entity did not answer. The command may have been accepted: send it again with the same Idempotency-Key.", null);

    /// <inheritdoc/>
    public async ValueTask<bool> TryHandleAsync(HttpContext httpContext, Exception exception, CancellationToken cancellationToken)
    {
        if (Answer(exception) is not { } answer)
        {
            return false;
        }

        if (answer.Status == StatusCodes.Status503ServiceUnavailable)
        {
            httpContext.Response.Headers.RetryAfter = "1";
        }

        await CommandAnswer.Problem(answer.Status, answer.Code, answer.Detail, answer.Extensions).ExecuteAsync(httpContext);
        return true;
    }

    private static (int Status, string Code, string Detail, Dictionary<string, object?>? Extensions)? Answer(Exception exception) => exception switch
    {
        BadCommandException e => (400, "bad-request", e.Message, new() { ["errors"] = new Dictionary<string, string[]> { [e.Field] = [e.Fault] } }),
        RowQueryException e => (400, "bad-request", e.Message, new() { ["errors"] = new Dictionary<string, string[]> { [e.Field] = [e.Fault] } }),
        HistoryException e when HistoryProblem.Of(e.Fault) is var (status, code) => (status, code, e.Message, null),
        BranchIsolationException e => (409, "branch-isolation", e.Message, null),
        LogRequestRefusedException { InnerException: HistoryException e } when HistoryProblem.Of(e.Fault) is var (status, code) => (status, code, e.Message, null),
        BadHttpRequestException e => (e.StatusCode, "bad-request", e.Message, null),
        LogCorruptException e => (500, e is UnknownEventTypeException ? "unknown-event-type" : "log-corrupt", e.Message,
            new() { ["stream"] = e.Stream, ["version"] = e.Version, ["position"] = e.Position, ["eventType"] = e.EventType }),
        CommandIdReusedException => (422, "idempotency-key-reused", "This Idempotency-Key was used before for another request. A new request needs a new key.", null),
        LogOverloadedException => (503, "log-overloaded", $"As much waits for the log as may. {NotByThisRequest}", null),
        LogOutcomeUnknownException => (503, "outcome-unknown", "The command may or may not have been accepted. Send it again with the same Idempotency-Key to learn which; where none is taken, look.", null),
        LogRequestRefusedException e => (400, "log-refused", e.Message, null),
        LogException => (503, "log-unavailable", $"The log cannot be reached now. {NotByThisRequest}", null),
        TimeoutException or SiloUnavailableException or OrleansMessageRejectionException =>
            NodeUnavailable,

        // The grain directory throws this very class when a grain was to be placed on a node that has just been declared dead; its subclasses have other meanings.
        OrleansException e when e.GetType() == typeof(OrleansException) => NodeUnavailable,
        _ => null,
    };
}
