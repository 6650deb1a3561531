using System.Globalization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Orleans.EventSourced.Commands;
using Orleans.EventSourced.Mutations;
using Orleans.EventSourced.Queries;

namespace Orleans.EventSourced.AspNetCore;

/// <summary>
/// Sessions over HTTP. A command with <c>Prefer: respond-async</c> (RFC 7240) and the header <c>ES-Session</c> is put into the session's queue and answered 202 with the address of the mutation:
/// <c>GET SESSION/mutations/ID</c> says what became of it, <c>GET SESSION/mutations</c> what the session remembers, and <c>GET SESSION/changes</c> tells of requests and fates as they come, as server-sent events: from the session's beginning, or behind
/// <c>Last-Event-ID</c> or <c>since=VERSION</c>.
/// </summary>
public static class SessionEndpoints
{
    /// <summary>The header that names the client's session.</summary>
    public const string SessionHeader = "ES-Session";

    private const string RespondAsync = "respond-async";
    private const string Prefix = "/sessions";
    private const int MaxLimit = 1_000;

    /// <summary>Maps the reads of sessions, under <c>/sessions</c>, for callers who pass <see cref="ApiPolicy.Read"/>.</summary>
    /// <exception cref="InvalidOperationException">Nothing says who may, outside Development.</exception>
    public static RouteGroupBuilder MapSessions(this IEndpointRouteBuilder routes)
    {
        var group = routes.MapGroup(Prefix).WithTags("Sessions").RequireRead(routes);
        group.MapGet("{session}/mutations", ListAsync).Produces<MutationPageAnswer>().ProducesProblem(400);
        group.MapGet("{session}/changes", SessionFeed.Watch).Produces(200, contentType: "text/event-stream").ProducesProblem(400).ProducesProblem(503);
        group.MapGet("{session}/mutations/{mutation:guid}", GetAsync).Produces<MutationStatusAnswer>().ProducesProblem(400).ProducesProblem(404);
        return group;
    }

    /// <summary>Whether the client prefers not to wait for the command.</summary>
    public static bool PrefersAsync(HttpContext http)
    {
        ArgumentNullException.ThrowIfNull(http);
        return http.Request.Headers["Prefer"].ToString().Split(',', ';').Any(p => p.Trim().Equals(RespondAsync, StringComparison.OrdinalIgnoreCase));
    }

    /// <summary>Puts a command into the queue of the session that the request names: 202, or 429 when too many wait there, or 422 for an id used before.</summary>
    /// <param name="http">The request.</param>
    /// <param name="target">The key of the entity.</param>
    /// <param name="command">A command of a class registered by <c>AddMutation</c>.</param>
    /// <param name="context">Its context.</param>
    /// <exception cref="BadCommandException">The request names no session, or one that can be no key.</exception>
    public static async Task<IResult> RequestAsync(HttpContext http, string target, object command, CommandContext context)
    {
        ArgumentNullException.ThrowIfNull(http);
        var session = http.Request.Headers[SessionHeader].ToString();
        if (session.Length == 0 || session.Contains('/', StringComparison.Ordinal))
        {
            throw new BadCommandException(SessionHeader, $"{RespondAsync} needs the name of a session, without '/'.");
        }

        switch (await Checked(() => http.RequestServices.GetRequiredService<MutationQueue>().RequestAsync(session, target, command, context)))
        {
            case MutationAnswer.Taken(var status):
                http.Response.Headers["Preference-Applied"] = RespondAsync;
                return Results.Accepted($"{Prefix}/{Uri.EscapeDataString(session)}/mutations/{status.Mutation:D}", Shown(status, null));
            case MutationAnswer.Refused(MutationRefusals.Full, var reason):
                http.Response.Headers.RetryAfter = "1";
                return CommandAnswer.Problem(StatusCodes.Status429TooManyRequests, MutationRefusals.Full, reason);
            case MutationAnswer.Refused(var code, var reason):
                return CommandAnswer.Problem(StatusCodes.Status422UnprocessableEntity, code, reason);
            case var other:
                throw new InvalidOperationException($"A session answered '{other}'.");
        }
    }

    private static async Task<IResult> ListAsync(string session, HttpContext http, MutationQueue queue, Guid? cursor = null, int limit = 100)
    {
        if (limit is < 1 or > MaxLimit)
        {
            throw new BadCommandException("limit", $"It is 1 to {MaxLimit}.");
        }

        var all = await Checked(() => queue.ListAsync(session));
        var from = cursor is null ? 0 : all.TakeWhile(m => m.Mutation != cursor).Count() + 1;
        if (from > all.Count)
        {
            throw new BadCommandException("cursor", $"The session does not remember the mutation {cursor:D}; begin without a cursor.");
        }

        var page = all.Skip(from).Take(limit).ToList();
        return Results.Ok(new MutationPageAnswer([.. page.Select(m => Shown(m, null))], from + page.Count < all.Count ? page[^1].Mutation : null));
    }

    /// <summary><c>view=NAME</c> also asks whether the row of that view with the entity's key shows the mutation.</summary>
    private static async Task<IResult> GetAsync(string session, Guid mutation, HttpContext http, MutationQueue queue, IGrainFactory grains, string? view = null)
    {
        if (await Checked(() => queue.FindAsync(session, mutation)) is not { } status)
        {
            return CommandAnswer.Problem(StatusCodes.Status404NotFound, "no-such-mutation", $"The session '{session}' remembers no mutation {mutation:D}.");
        }

        if (status.Position is not { } position || view is null)
        {
            return Results.Ok(Shown(status, null));
        }

        http.Response.Headers[CommandAnswer.PositionHeader] = position.ToString(CultureInfo.InvariantCulture);
        return await grains.GetGrain<IViewQueryGrain>(view).GetAsync(status.Target, new Consistency.Eventual()) is ViewAnswer<ViewRow?> { Reflects: var reflects }
            ? Results.Ok(Shown(status, reflects >= position))
            : CommandAnswer.Problem(StatusCodes.Status404NotFound, "no-such-view", $"There is no view '{view}'.");
    }

    private static async Task<T> Checked<T>(Func<Task<T>> call)
    {
        try
        {
            return await call();
        }
        catch (ArgumentException e)
        {
            throw new BadCommandException(e.ParamName ?? "session", e.Message, e);
        }
    }

    private static string Name(MutationState state) => state switch
    {
        MutationState.Accepted => "accepted",
        MutationState.Rejected => "rejected",
        MutationState.Unknown => "unknown",
        _ => "requested",
    };

    private static MutationStatusAnswer Shown(MutationStatus s, bool? projected) =>
        new(s.Mutation, s.Command, s.Target, Name(s.State), s.Version, s.Position, s.Events, s.Code, s.Reason, projected);
}

/// <summary>Mutations of a session, in the order in which they were asked for.</summary>
/// <param name="Mutations">The mutations.</param>
/// <param name="Next">The <c>cursor</c> of the page behind this one; null: this is the last.</param>
public sealed record MutationPageAnswer(IReadOnlyList<MutationStatusAnswer> Mutations, Guid? Next);

/// <summary>What became of a mutation.</summary>
/// <param name="Mutation">Its id.</param>
/// <param name="Command">The registered name of the command.</param>
/// <param name="Target">The key of the entity.</param>
/// <param name="State"><c>requested</c>, <c>accepted</c>, <c>rejected</c>, or <c>unknown</c> where the entity gave no answer.</param>
/// <param name="Version">The entity's version after it.</param>
/// <param name="Position">Its place in the log.</param>
/// <param name="Events">How many events it made.</param>
/// <param name="Code">Why it was refused, for programs.</param>
/// <param name="Reason">Why it was refused, for people.</param>
/// <param name="Projected">Whether the view that was asked about shows it; null: none was asked about, or it is not accepted.</param>
public sealed record MutationStatusAnswer(Guid Mutation, string Command, string Target, string State, int? Version, long? Position, int? Events, string? Code, string? Reason, bool? Projected);
