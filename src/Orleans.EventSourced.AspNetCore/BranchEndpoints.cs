using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Orleans.EventSourced.Commands;
using Orleans.EventSourced.Core.Projections;
using Orleans.EventSourced.History;

namespace Orleans.EventSourced.AspNetCore;

/// <summary>
/// What-if over HTTP: <c>POST branches</c> makes one, <c>GET branches</c> and <c>branches/ID</c> show them, <c>POST branches/ID/edits</c> changes its past, <c>branches/ID/state/TYPE/KEY</c>, <c>views/VIEW</c> and <c>views/VIEW/KEY</c> show
/// what would be, <c>diff/VIEW</c> compares with the trunk, <c>DELETE branches/ID?reason=</c> ends it; <c>GET what-ifs</c> lists what branches may name.
/// </summary>
internal static class BranchEndpoints
{
    /// <summary>What a branch's edits may come to, with all their data.</summary>
    private static readonly RequestSizeLimitAttribute Limit = new(1024 * 1024);

    public static void Map(RouteGroupBuilder group)
    {
        group.MapGet("what-ifs", (Branches branches) => new CatalogAnswer([.. branches.Catalog.Functions.Select(f => new NamedAnswer(f.Name, f.Description))], [.. branches.Catalog.Rules.Select(r => new NamedAnswer(r.Name, r.Description))]));
        group.MapGet("branches", async (Branches branches) => (await branches.ListAsync()).Select(BranchAnswer.Of));
        group.MapPost("branches", CreateAsync).Produces<BranchAnswer>(201).ProducesProblem(400).ProducesProblem(404).ProducesProblem(409).ProducesProblem(422).WithMetadata(Limit).RequireOperate(group);
        group.MapGet("branches/{id}", async (string id, Branches branches) => BranchAnswer.Of(await branches.Get(id).DescribeAsync())).Produces<BranchAnswer>().ProducesProblem(404);
        group.MapPost("branches/{id}/edits", EditAsync).Produces<BranchAnswer>().ProducesProblem(400).ProducesProblem(404).ProducesProblem(409).ProducesProblem(422).WithMetadata(Limit).RequireOperate(group);
        group.MapDelete("branches/{id}", DropAsync).Produces(204).ProducesProblem(400).ProducesProblem(404).RequireOperate(group);
        group.MapGet("branches/{id}/state/{type}/{**key}", async (string id, string type, string key, Branches branches) => BranchStateAnswer.Of(await branches.Get(id).GetStateAsync($"{type}/{key}"))).Produces<BranchStateAnswer>().ProducesProblem(404).ProducesProblem(422);
        group.MapGet("branches/{id}/views/{view}", ListAsync).Produces<ViewPageAnswer>().Produces<OperationAnswer>(202).ProducesProblem(400).ProducesProblem(404).ProducesProblem(422);
        group.MapGet("branches/{id}/views/{view}/{**key}", GetAsync).Produces<ViewRowAnswer>().Produces<OperationAnswer>(202).ProducesProblem(404).ProducesProblem(422);
        group.MapGet("branches/{id}/diff/{view}", CompareAsync).Produces<BranchComparisonAnswer>().Produces<OperationAnswer>(202).ProducesProblem(404).ProducesProblem(422);
    }

    private static async Task<IResult> CreateAsync(NewBranchBody body, HttpContext http, Branches branches)
    {
        var life = body.Minutes is { } minutes ? minutes is >= 0.01 and <= 1_000_000 ? TimeSpan.FromMinutes(minutes) : throw new BadCommandException("minutes", "It is 0.01 to 1,000,000.") : (TimeSpan?)null;
        var request = new BranchRequest(body.Base, RequestsOf(body.Edits ?? []), body.Rules ?? [], body.Reason, ApiAccess.ActorOf(http), life);
        using var command = CommandContext.Begin(CommandHeaders.ContextOf(http));
        var made = await branches.CreateAsync(body.Id, request);
        return Results.Created($"{http.Request.PathBase}{http.Request.Path}/{made.Id}", BranchAnswer.Of(made));
    }

    private static async Task<IResult> EditAsync(string id, EditBody[] edits, Branches branches) => Results.Ok(BranchAnswer.Of(await branches.Get(id).EditAsync(RequestsOf(edits))));

    private static async Task<IResult> DropAsync(string id, HttpContext http, Branches branches)
    {
        var reason = http.Request.Query["reason"].ToString();
        if (string.IsNullOrWhiteSpace(reason) || reason.Length > SkippedEvent.MaxText || reason.Contains('\0', StringComparison.Ordinal))
        {
            throw new BadCommandException("reason", $"Why the branch is dropped is needed, in 1 to {SkippedEvent.MaxText} characters: ?reason=...");
        }

        using var command = CommandContext.Begin(CommandHeaders.ContextOf(http));
        return await branches.DropAsync(id, reason, ApiAccess.ActorOf(http)) ? Results.NoContent() : NoSuchBranch(id);
    }

    /// <summary>The reader of JSON lets null be an item of a list.</summary>
    private static List<BranchEditRequest> RequestsOf(IReadOnlyList<EditBody?> edits) => [.. edits.Select((e, i) => e?.ToRequest($"edits[{i}]") ?? throw new BadCommandException($"edits[{i}]", "It is an edit, not null."))];

    private static Task<IResult> ListAsync(string id, string view, HttpContext http)
    {
        var query = ViewEndpoints.QueryOf(http.Request);
        return AnswerAsync(http, id, view, (branch, atMost) => branch.ListAsync(view, query, atMost), page => Results.Ok(new ViewPageAnswer([.. page.Rows.Select(ViewEndpoints.Shown)], page.Next)));
    }

    private static Task<IResult> GetAsync(string id, string view, string key, HttpContext http) =>
        AnswerAsync(http, id, view, (branch, atMost) => branch.GetAsync(view, key, atMost), row => row is null ? Past.NoSuchRow(view, key) : Results.Ok(ViewEndpoints.Shown(row)));

    private static Task<IResult> CompareAsync(string id, string view, HttpContext http) =>
        AnswerAsync(http, id, view, (branch, atMost) => branch.CompareAsync(view, atMost), comparison => Results.Ok(BranchComparisonAnswer.Of(comparison)));

    private static async Task<IResult> AnswerAsync<T>(HttpContext http, string id, string view, Func<IBranchGrain, TimeSpan, Task<PastAnswer<T>?>> ask, Func<T, IResult> answer)
    {
        var branch = http.RequestServices.GetRequiredService<Branches>().Get(id);
        var info = await branch.DescribeAsync();
        return await ask(branch, Past.WaitFor(http, info.Base)) is { } found
            ? Past.Reflecting(http, found.Position, found.IsFinal, answer(found.Value))
            : await Past.GoesOnAsync(http, $"branch/{id}/{view}", branch.GetStatusAsync(view));
    }

    private static IResult NoSuchBranch(string id) => CommandAnswer.Problem(StatusCodes.Status404NotFound, "no-such-branch", $"There is no branch '{id}'.");
}

/// <summary>The body that makes a branch.</summary>
/// <param name="Reason">Why.</param>
/// <param name="Id">Its name; left out: one is made up.</param>
/// <param name="Base">The point that it leaves the log at; left out: the head.</param>
/// <param name="Edits">What did not happen, or happened otherwise.</param>
/// <param name="Rules">The names of other folds and deciders.</param>
/// <param name="Minutes">How long it lives; left out: as long as may be.</param>
internal sealed record NewBranchBody(string Reason, string? Id = null, string? Base = null, IReadOnlyList<EditBody>? Edits = null, IReadOnlyList<string>? Rules = null, double? Minutes = null);

/// <summary>An edit: <c>{"op":"drop","stream":"fine/A1","version":3}</c>, <c>replace</c> and <c>insert</c> with <c>type</c> and <c>data</c> (inserted behind the version), <c>apply</c> with <c>function</c> and <c>parameters</c>.</summary>
internal sealed record EditBody(string Op, string? Stream = null, int? Version = null, string? Type = null, JsonElement? Data = null, string? Function = null, JsonElement? Parameters = null)
{
    /// <param name="place">Where it stands in the request.</param>
    public BranchEditRequest ToRequest(string place) =>
        new(Op) { Stream = Stream, Version = Version, Type = Type, Data = Text(Data, $"{place}.data"), Function = Function, Parameters = Text(Parameters, $"{place}.parameters") };

    private static string? Text(JsonElement? json, string place)
    {
        try
        {
            return json?.GetRawText();
        }
        catch (InvalidOperationException e)
        {
            // The reader of JSON does not look into what it keeps as it is.
            throw new BadCommandException(place, "It is not all UTF-8.", e);
        }
    }
}

/// <summary>A branch.</summary>
internal sealed record BranchAnswer(string Id, long Base, long Head, long LiveEvents, IReadOnlyList<EditAnswer> Edits, IReadOnlyList<string> Rules, string Reason, string? Actor, DateTimeOffset CreatedAt, DateTimeOffset ExpiresAt)
{
    public static BranchAnswer Of(BranchInfo info) =>
        new(info.Id, info.Base, info.Head, info.Head - info.Base, [.. info.Edits.Select(EditAnswer.Of)], info.Rules, info.Reason, info.Actor, info.CreatedAt, info.ExpiresAt);
}

/// <summary>An edit of a branch; what does not concern it is left out.</summary>
internal sealed record EditAnswer(string Op)
{
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Stream { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public int? Version { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Type { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public JsonElement? Data { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Function { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public JsonElement? Parameters { get; init; }

    public static EditAnswer Of(BranchEditRequest edit) =>
        new(edit.Op) { Stream = edit.Stream, Version = edit.Version, Type = edit.Type, Data = Json.Element(edit.Data), Function = edit.Function, Parameters = Json.Element(edit.Parameters) };
}

/// <summary>The state of an entity on a branch against the trunk's as of the base.</summary>
internal sealed record BranchStateAnswer(int Version, long Position, JsonElement? State, int TrunkVersion, JsonElement? TrunkState, JsonElement? Patch)
{
    public static BranchStateAnswer Of(BranchState state) => new(state.Version, state.Position, Json.Element(state.State), state.TrunkVersion, Json.Element(state.TrunkState), Json.Element(state.Patch));
}

/// <summary>A view on a branch against the trunk's as of the base.</summary>
internal sealed record BranchComparisonAnswer(Totals Trunk, Totals Branch, Totals Difference, int Added, int Removed, int Changed, IReadOnlyList<RowDifferenceAnswer> Rows)
{
    public static BranchComparisonAnswer Of(BranchComparison comparison) => new(
        comparison.Trunk, comparison.Branch, comparison.Difference, comparison.Added, comparison.Removed, comparison.Changed, [.. comparison.Rows.Select(r => new RowDifferenceAnswer(r.Key, Json.Element(r.Trunk), Json.Element(r.Branch)))]);
}

/// <summary>A row that differs; null: there is none.</summary>
internal sealed record RowDifferenceAnswer(string Key, JsonElement? Trunk, JsonElement? Branch);

/// <summary>What branches may name.</summary>
internal sealed record CatalogAnswer(IReadOnlyList<NamedAnswer> Functions, IReadOnlyList<NamedAnswer> Rules);

/// <summary>A function or rule.</summary>
internal sealed record NamedAnswer(string Name, string Description);

/// <summary>JSON that came as text.</summary>
internal static class Json
{
    public static JsonElement? Element(string? text) => text is null ? null : JsonElement.Parse(text);
}
