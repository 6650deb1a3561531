using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Operations;

namespace Orleans.EventSourced.AspNetCore;

/// <summary>What operators did, over HTTP: <c>GET audit?target=&amp;before=&amp;limit=</c>, newest first.</summary>
internal static class AuditEndpoints
{
    private const int DefaultLimit = 100;
    private static readonly string[] Kinds = ["view:", "reaction:", "branch:"];

    public static void Map(RouteGroupBuilder group) => group.MapGet("audit", (Delegate)GetAsync).Produces<AuditAnswer>().ProducesProblem(400).ProducesProblem(404).ProducesProblem(503);

    private static async Task<IResult> GetAsync(HttpContext http)
    {
        var (target, before, limit) = (ViewEndpoints.Single(http.Request, "target"), ViewEndpoints.Number(ViewEndpoints.Single(http.Request, "before"), "before"), ViewEndpoints.Number(ViewEndpoints.Single(http.Request, "limit"), "limit") ?? DefaultLimit);
        if (target is not null && !Kinds.Any(k => target.Length > k.Length && target.StartsWith(k, StringComparison.Ordinal)))
        {
            throw new BadCommandException("target", "It is view:NAME, reaction:NAME or branch:NAME.");
        }

        if (limit is < 1 or > OperationsLog.MaxPage)
        {
            throw new BadCommandException("limit", $"It is 1 to {OperationsLog.MaxPage}.");
        }

        if (http.RequestServices.GetService<OperationsLog>() is not { IsKept: true } operations)
        {
            return CommandAnswer.Problem(StatusCodes.Status404NotFound, "no-audit", "This program keeps no record of what operators do: AddOperationEvents on its event types does it.");
        }

        var page = await operations.ListAsync(target, before is null ? null : new LogPosition(before.Value), (int)limit);
        return Results.Ok(new AuditAnswer([.. page.Operations.Select(OperationAudit.From)], page.Next));
    }
}

/// <summary>A page of what operators did, newest first.</summary>
/// <param name="Operations">What they did.</param>
/// <param name="Next">The <c>before</c> of the page behind this one; null: this is the last. With a target a page may be empty and yet not the last.</param>
public sealed record AuditAnswer(IReadOnlyList<OperationAudit> Operations, long? Next);

/// <summary>Something that an operator did: it took effect, or may have.</summary>
/// <param name="Position">Its place in the log.</param>
/// <param name="At">When it was recorded: just after it took effect, or, where its outcome is unknown, just before.</param>
/// <param name="Actor">Who; null: not known.</param>
/// <param name="Action">What: one of <see cref="OperationActions"/>.</param>
/// <param name="Target">To what.</param>
/// <param name="Reason">Why.</param>
/// <param name="Outcome"><c>performed</c>: it took effect. <c>unknown</c>: it was asked for, and is under way, or what became of it could not be recorded.</param>
public sealed record OperationAudit(long Position, DateTimeOffset At, string? Actor, string Action, string Target, string Reason, string Outcome)
{
    /// <summary>How it stood just before; left out where there was none.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public JsonElement? Before { get; init; }

    /// <summary>How it stood by this action; left out where it was gone, or is not known.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public JsonElement? After { get; init; }

    /// <summary>The workflow that it belongs to: <c>trace/ID</c>.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Correlation { get; init; }

    internal static OperationAudit From(OperationRecord record) =>
        new(record.Position, record.At, record.Actor, record.Action, record.Target, record.Reason, Name(record.Outcome)) { Before = Json.Element(record.Before), After = Json.Element(record.After), Correlation = record.Correlation };

    private static string Name(OperationOutcome outcome) => outcome switch
    {
        OperationOutcome.Performed => "performed",
        OperationOutcome.Unknown => "unknown",
        _ => throw new InvalidOperationException($"There is no outcome '{outcome}'."),
    };
}
