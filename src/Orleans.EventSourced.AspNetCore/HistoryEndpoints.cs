using System.Text;
using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Orleans.EventSourced.Core.History;
using Orleans.EventSourced.History;
using StreamId = Orleans.EventSourced.Core.Log.StreamId;

namespace Orleans.EventSourced.AspNetCore;

/// <summary>
/// The past over HTTP, for operators: whoever may call this sees every entity. <c>GET state/TYPE/KEY?at=</c>, <c>diff/TYPE/KEY?from=&amp;to=</c> and <c>blame/TYPE/KEY?at=</c> of entities; <c>past/VIEW?at=</c>,
/// <c>past/VIEW/KEY?at=</c> and <c>totals/VIEW?at=</c> of views; branches, see <see cref="BranchEndpoints"/>; workflows, see <see cref="TraceEndpoints"/>; <c>audit</c>, see <see cref="AuditEndpoints"/>; <c>operations/ID</c> of what takes longer than a request waits. A point is written as <see cref="PointInTime.Parse"/> says.
/// </summary>
public static class HistoryEndpoints
{
    private const string Operation = "es-operation";
    private static readonly TimeSpan Glance = TimeSpan.FromMilliseconds(50);

    /// <summary>Maps them under <paramref name="prefix"/>, for callers who pass <see cref="ApiPolicy.Read"/>; those that change something also need <see cref="ApiPolicy.Operate"/>, and the header <see cref="ApiAccess.OperateHeader"/>.</summary>
    /// <exception cref="InvalidOperationException">Nothing says who may, outside Development.</exception>
    public static RouteGroupBuilder MapHistory(this IEndpointRouteBuilder routes, string prefix = "/_es")
    {
        ArgumentNullException.ThrowIfNull(routes);
        var group = routes.MapGroup(prefix).WithTags("History").RequireRead(routes);
        group.MapGet("state/{type}/{**key}", (string type, string key, HttpContext http) => ReadAsync(http, "state", type, key, null, Query(http, "at"))).Produces<EntityState>().Produces<OperationAnswer>(202).ProducesProblem(400).ProducesProblem(404).ProducesProblem(422);
        group.MapGet("diff/{type}/{**key}", (string type, string key, HttpContext http) => ReadAsync(http, "diff", type, key, Query(http, "from") ?? "v0", Query(http, "to"))).Produces<EntityDifference>().Produces<OperationAnswer>(202).ProducesProblem(400).ProducesProblem(404).ProducesProblem(422);
        group.MapGet("blame/{type}/{**key}", (string type, string key, HttpContext http) => ReadAsync(http, "blame", type, key, null, Query(http, "at"))).Produces<BlamedField[]>().Produces<OperationAnswer>(202).ProducesProblem(400).ProducesProblem(404).ProducesProblem(422);
        group.MapGet("past/{view}", (string view, HttpContext http) => Past.ListAsync(http, view, At(http), ViewEndpoints.QueryOf(http.Request))).Produces<ViewPageAnswer>().Produces<OperationAnswer>(202).ProducesProblem(400).ProducesProblem(404).ProducesProblem(422);
        group.MapGet("past/{view}/{**key}", (string view, string key, HttpContext http) => Past.GetAsync(http, view, At(http), key)).Produces<ViewRowAnswer>().Produces<OperationAnswer>(202).ProducesProblem(400).ProducesProblem(404).ProducesProblem(422);
        group.MapGet("totals/{view}", (string view, HttpContext http) => Past.GetTotalsAsync(http, view, At(http))).Produces<Totals>().Produces<OperationAnswer>(202).ProducesProblem(400).ProducesProblem(404).ProducesProblem(422);
        group.MapGet("operations/{**id}", GetOperationAsync).WithName(Operation).Produces<OperationAnswer>().ProducesProblem(404);
        BranchEndpoints.Map(group);
        TraceEndpoints.Map(group);
        AuditEndpoints.Map(group);
        return group;
    }

    /// <summary>Where an operation is asked for; null: these endpoints are not mapped, so that only asking again tells.</summary>
    internal static string? AddressOf(HttpContext http, string id) => http.RequestServices.GetRequiredService<LinkGenerator>().GetPathByName(http, Operation, new { id });

    private static async Task<IResult> ReadAsync(HttpContext http, string kind, string type, string key, string? from, string? at)
    {
        var read = new LongRead(kind, StreamOf(type, key), at is null ? null : PointInTime.Parse(at), from is null ? null : PointInTime.Parse(from));
        var (travel, entities) = (http.RequestServices.GetRequiredService<TimeTravel>(), http.RequestServices.GetRequiredService<Entities>());
        try
        {
            return Json(await read.AnswerAsync(travel, entities.Find(type), http.RequestAborted));
        }
        catch (HistoryException e) when (e.Fault == HistoryFault.TooMuch)
        {
            // It goes on where it is kept, for all who ask the same.
            var grain = http.RequestServices.GetRequiredService<IGrainFactory>().GetGrain<ILongReadGrain>(read.ToString());
            return await grain.GetAsync(Glance) is { } answer ? Json(answer) : await Past.GoesOnAsync(http, $"read/{read}", grain.GetStatusAsync());
        }
    }

    private static async Task<IResult> GetOperationAsync(string id, HttpContext http)
    {
        var (grains, own) = (http.RequestServices.GetRequiredService<IGrainFactory>(), http.Request.Path.Value!);
        var prefix = $"{http.Request.PathBase}{own[..own.IndexOf("/operations/", StringComparison.OrdinalIgnoreCase)]}";
        var (status, result) = id.Split('/', 2) switch
        {
            ["past", var key] when PastViewKey.Parse(key) is var past => (await grains.GetGrain<IPastViewGrain>(key).GetStatusAsync(), $"{prefix}/past/{past.View}?at={Uri.EscapeDataString(past.Point.ToString())}"),
            ["read", var key] when LongRead.Parse(key) is var read => (await grains.GetGrain<ILongReadGrain>(key).GetStatusAsync(), $"{prefix}/{read.Kind}/{Uri.EscapeDataString(read.Stream.Type)}/{string.Join('/', read.Stream.Key.Split('/').Select(Uri.EscapeDataString))}{QueryOf(read)}"),
            ["branch", var rest] when rest.Split('/', 2) is [var branch, var view] => (await http.RequestServices.GetRequiredService<Branches>().Get(branch).GetStatusAsync(view), $"{prefix}/branches/{branch}/diff/{view}"),
            _ => (new OperationStatus(OperationState.None, 0, 0), ""),
        };
        return status.State == OperationState.None
            ? CommandAnswer.Problem(StatusCodes.Status404NotFound, "no-such-operation", $"There is no operation '{id}': it was not begun, its result is not kept any more, or it went with the silo that had it. Ask again for what it was to give.")
            : Results.Ok(OperationAnswer.From(id, status, result));
    }

    private static string QueryOf(LongRead read)
    {
        (string Name, PointInTime? Point)[] points = read.Kind == "diff" ? [("from", read.From), ("to", read.At)] : [("at", read.At)];
        return QueryString.Create(points.Where(p => p.Point is not null).Select(p => KeyValuePair.Create(p.Name, (string?)p.Point!.ToString()))).ToString();
    }

    private static IResult Json(string json) => Results.Text(json, "application/json", Encoding.UTF8);

    private static string At(HttpContext http) => Query(http, "at") ?? throw new BadCommandException("at", "A point in time is needed: a position, a time, or business:TIME.");

    private static string? Query(HttpContext http, string name) => http.Request.Query[name] is { Count: > 0 } values ? values[0] : null;

    private static StreamId StreamOf(string type, string key)
    {
        try
        {
            return StreamId.Recorded($"{type}/{key}");
        }
        catch (ArgumentException e)
        {
            throw new BadCommandException("key", e.Message, e);
        }
    }
}

/// <summary>Some long work.</summary>
/// <param name="Id">Its name.</param>
/// <param name="State"><c>running</c>, <c>done</c> or <c>failed</c>.</param>
/// <param name="Done">How many events were folded.</param>
/// <param name="Of">How many there are; 0: not known.</param>
/// <param name="Result">Where what it came to is asked for.</param>
public sealed record OperationAnswer(string Id, string State, long Done, long Of, string Result)
{
    /// <summary>Why it failed.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Fault { get; init; }

    /// <summary>The type of the fault, as asking for the result would answer it.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Problem { get; init; }

    internal static OperationAnswer From(string id, OperationStatus status, string result)
    {
        var state = status.State switch { OperationState.Done => "done", OperationState.Failed => "failed", _ => "running" };
        return new OperationAnswer(id, state, status.Done, status.Of, result) { Fault = status.Fault, Problem = status.Kind is { } kind ? $"urn:problem:{HistoryProblem.Of(kind).Code}" : null };
    }
}
