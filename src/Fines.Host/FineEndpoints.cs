using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Diagnostics.HealthChecks;
using Microsoft.AspNetCore.OpenApi;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.OpenApi;
using Orleans.EventSourced.AspNetCore;
using Orleans.EventSourced.Commands;
using Orleans.EventSourced.Core.History;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.History;
using StreamId = Orleans.EventSourced.Core.Log.StreamId;

namespace Fines.Host;

/// <summary>The HTTP API of the fines: commands in, answers with version and position out.</summary>
internal static class FineEndpoints
{
    private const int MaxEventsPerPage = 1_000;

    public static void Configure(JsonSerializerOptions json)
    {
        json.Converters.Add(new MoneyJsonConverter());
        json.RespectNullableAnnotations = true;
        json.RespectRequiredConstructorParameters = true;
        json.UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow;
    }

    public static void MapFineApi(this IEndpointRouteBuilder app)
    {
        var document = new Lazy<Task<byte[]>>(() => DescribeAsync(app.ServiceProvider));
        app.MapGet("/openapi/v1.json", async () => Results.Bytes(await document.Value, "application/json")).ExcludeFromDescription().RequireRead(app);
        app.MapHealthChecks("/alive", new HealthCheckOptions { Predicate = _ => false }).AllowAnonymous();
        app.MapHealthChecks("/health", new HealthCheckOptions { ResponseWriter = WriteHealthAsync }).AllowAnonymous();
        var fines = app.MapGroup("/fines").WithTags("Fines").RequireRead(app);
        fines.MapPost("", IssueAsync).RequireAccess(app, ApiDoor.Write).Produces<CommandAccepted>(201).ProducesProblem(400).ProducesProblem(409).ProducesProblem(422);
        fines.MapGet("{id}", GetAsync).Produces<FineAnswer>().ProducesProblem(404);
        fines.MapGet("{id}/events", GetEventsAsync).Produces<FineEventAnswer[]>().ProducesProblem(404);
        MapCommand<SendFineRequest>(fines, "send", (r, at) => new SendFine(r.OccurredAt ?? at, r.Expense));
        MapCommand<NotificationRequest>(fines, "notification", (r, at) => new InsertNotification(r.OccurredAt ?? at, r.NotificationType, r.LastSent));
        MapCommand<AmountRequest>(fines, "penalty", (r, at) => new AddPenalty(r.OccurredAt ?? at, r.Amount));
        MapCommand<AmountRequest>(fines, "payments", (r, at) => new RegisterPayment(r.OccurredAt ?? at, r.Amount));
        MapCommand<MomentRequest>(fines, "prefecture-appeals", (r, at) => new DatePrefectureAppeal(r.OccurredAt ?? at));
        MapCommand<DismissalRequest>(fines, "prefecture-appeals/send", (r, at) => new SendPrefectureAppeal(r.OccurredAt ?? at, r.Dismissal));
        MapCommand<MomentRequest>(fines, "prefecture-appeals/result", (r, at) => new ReceivePrefectureResult(r.OccurredAt ?? at));
        MapCommand<MomentRequest>(fines, "prefecture-appeals/result/notification", (r, at) => new NotifyPrefectureResult(r.OccurredAt ?? at));
        MapCommand<JudgeAppealRequest>(fines, "judge-appeals", (r, at) => new AppealToJudge(r.OccurredAt ?? at, r.Dismissal, r.Matricola, r.Officer));
        MapCommand<MomentRequest>(fines, "credit-collection", (r, at) => new SendToCreditCollection(r.OccurredAt ?? at));
    }

    private static void MapCommand<TBody>(IEndpointRouteBuilder fines, string path, Func<TBody, DateTimeOffset, FineCommand> command)
        where TBody : class =>
        fines.MapPost($"{{id}}/{path}", (string id, CommandRequest<TBody> request, HttpContext http, IGrainFactory grains, IEventLog log, TimeProvider time) =>
                ExecuteAsync(id, command(request.Body, time.GetUtcNow()), request.Context, http, grains, log, created: null))
            .RequireAccess(fines, ApiDoor.Write).Produces<CommandAccepted>().ProducesProblem(400).ProducesProblem(409).ProducesProblem(412).ProducesProblem(422);

    private static Task<IResult> IssueAsync(CommandRequest<IssueFineRequest> request, HttpContext http, IGrainFactory grains, IEventLog log, TimeProvider time)
    {
        var r = request.Body;
        var command = new IssueFine(r.OccurredAt ?? time.GetUtcNow(), r.Amount, r.Article, r.Points, r.VehicleClass, r.Officer, r.Dismissal);
        return ExecuteAsync(r.FineId, command, request.Context, http, grains, log, $"/fines/{Uri.EscapeDataString(r.FineId)}");
    }

    private static async Task<IResult> ExecuteAsync(string id, FineCommand command, CommandContext context, HttpContext http, IGrainFactory grains, IEventLog log, string? created)
    {
        if (BranchOf(http) is { } branch)
        {
            _ = StreamOf(id);
            using (CommandContext.Begin(context))
            {
                return CommandAnswer.From(await grains.GetGrain<IFineGrain>(BranchKey.Of(branch, id)).ExecuteAsync(command), http, created is null ? null : $"{created}?branch={branch}", Fine.InputCodes.Contains);
            }
        }

        if (await CommandAnswer.RefuseReuseAsync(log, context, StreamOf(id), http.RequestAborted) is { } refusal)
        {
            return refusal;
        }

        if (SessionEndpoints.PrefersAsync(http))
        {
            return await SessionEndpoints.RequestAsync(http, id, command, context);
        }

        using (CommandContext.Begin(context))
        {
            return CommandAnswer.From(await grains.GetGrain<IFineGrain>(id).ExecuteAsync(command), http, created, Fine.InputCodes.Contains);
        }
    }

    private static async Task<IResult> GetAsync(string id, HttpContext http, IGrainFactory grains, StreamLoader loader, long after = 0)
    {
        var stream = StreamOf(id);
        if (after < 0)
        {
            throw new BadCommandException("after", "It is a position, 0 or more.");
        }

        if (after > 0 && (http.Request.Query.ContainsKey("asOf") || BranchOf(http) is not null))
        {
            throw new BadCommandException("after", "It is asked of the trunk's present: 'asOf' asks the past, and a branch has positions of its own.");
        }

        if (http.Request.Query["asOf"].ToString() is { Length: > 0 } at)
        {
            if (BranchOf(http) is not null)
            {
                throw new BadCommandException("branch", "A branch has no past here: 'asOf' asks the trunk's. Ask for one of them.");
            }

            var then = await http.RequestServices.GetRequiredService<EventHistory>().ReadAsync(stream, PointInTime.Parse(at), http.RequestAborted);
            CommandAnswer.SetVersion(http, then.Version.Value, then.Position.Value);
            return Results.Ok(Shown(id, new FineSnapshot((Fine)then.State, then.Version.Value, then.Position.Value)));
        }

        var fine = await grains.GetGrain<IFineGrain>(BranchOf(http) is { } branch ? BranchKey.Of(branch, id) : id).GetAsync();
        if (fine.Position < after && await loader.ReadAsync(stream, new StreamVersion(fine.Version), 1) is { Count: > 0 })
        {
            // The node was cut off from the others and does not know yet that the fine lives elsewhere now; the log knows.
            var now = await http.RequestServices.GetRequiredService<EventHistory>().ReadAsync(stream, null, http.RequestAborted);
            fine = new FineSnapshot((Fine)now.State, now.Version.Value, now.Position.Value);
        }

        if (fine.Version == 0)
        {
            return NotFound(id);
        }

        CommandAnswer.SetVersion(http, fine.Version, fine.Position);
        return http.Request.Headers.IfNoneMatch == http.Response.Headers.ETag
            ? Results.StatusCode(StatusCodes.Status304NotModified)
            : Results.Ok(Shown(id, fine));
    }

    private static FineAnswer Shown(string id, FineSnapshot fine) =>
        new(id, fine.Version, fine.Position, fine.State.Due, fine.State.Paid, fine.State.Outstanding, fine.State.Settled, fine.State);

    /// <summary>The branch that the request is for: what is asked, or commanded, is so there and not in fact. Null: the trunk.</summary>
    private static string? BranchOf(HttpContext http) => http.Request.Query["branch"].ToString() is { Length: > 0 } branch ? branch : null;

    private static async Task<IResult> GetEventsAsync(string id, HttpContext http, StreamLoader loader, int after = 0, int limit = MaxEventsPerPage)
    {
        if (after < 0 || limit is < 1 or > MaxEventsPerPage)
        {
            throw new BadCommandException(after < 0 ? "after" : "limit", $"after is 0 or more, limit is 1 to {MaxEventsPerPage}.");
        }

        if (BranchOf(http) is not null)
        {
            throw new BadCommandException("branch", "The events that are shown are those of the trunk.");
        }

        var events = await loader.ReadAsync(StreamOf(id), new StreamVersion(after), limit);
        if (events.Count == 0 && after == 0)
        {
            return NotFound(id);
        }

        if (events.Count > 0)
        {
            CommandAnswer.SetVersion(http, events[^1].Version.Value, events[^1].Position.Value);
        }

        return Results.Ok(events.Select(e => new FineEventAnswer(e.Version.Value, e.Position.Value, e.Id.Value, e.Type, e.Schema, e.RecordedAt, JsonElement.Parse(e.Data.Span), JsonElement.Parse(e.Metadata.Span))));
    }

    private static StreamId StreamOf(string id)
    {
        try
        {
            return FineId.StreamOf(id);
        }
        catch (ArgumentException e)
        {
            throw new BadCommandException("fineId", e.Message, e);
        }
    }

    private static IResult NotFound(string id) => CommandAnswer.Problem(StatusCodes.Status404NotFound, "no-such-fine", $"There is no fine '{id}'.");

    /// <summary>Made once: it takes as long as hundreds of reads.</summary>
    private static async Task<byte[]> DescribeAsync(IServiceProvider services)
    {
        var description = await services.GetRequiredKeyedService<IOpenApiDocumentProvider>("v1").GetOpenApiDocumentAsync();
        return Encoding.UTF8.GetBytes(await description.SerializeAsJsonAsync(OpenApiSpecVersion.OpenApi3_1));
    }

    /// <summary>Those who may not read are told whether it is well, and nothing of views, errors and positions.</summary>
    private static async Task WriteHealthAsync(HttpContext http, HealthReport report)
    {
        if (!await ApiAccess.AllowsAsync(http, ApiPolicy.Read))
        {
            await http.Response.WriteAsJsonAsync(new { status = report.Status.ToString() });
            return;
        }

        await http.Response.WriteAsJsonAsync(new
        {
            status = report.Status.ToString(),
            checks = report.Entries.ToDictionary(e => e.Key, e => new { status = e.Value.Status.ToString(), e.Value.Description, e.Value.Data }),
            seconds = report.TotalDuration.TotalSeconds.ToString("0.000", CultureInfo.InvariantCulture),
        });
    }
}
