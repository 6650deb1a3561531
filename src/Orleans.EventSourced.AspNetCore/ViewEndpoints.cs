using System.Globalization;
using System.Net.ServerSentEvents;
using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Json;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Orleans.EventSourced.Core.Projections;
using Orleans.EventSourced.Projections;
using Orleans.EventSourced.Queries;

namespace Orleans.EventSourced.AspNetCore;

/// <summary>
/// Reads of views over HTTP. <c>GET NAME</c> answers a page: <c>limit</c>, <c>cursor</c> (the <c>next</c> of the page before), <c>sort</c> (a column; <c>-column</c> turns it round), and filters
/// <c>column=value</c>, <c>column.lt=</c>, <c>.le</c>, <c>.gt</c>, <c>.ge</c>. <c>GET NAME/KEY</c> answers a row. <c>after=POSITION</c>, or the header <c>ES-After</c>, asks for at least that position
/// and waits for it up to <c>wait</c> seconds. <c>asOf=POINT</c> answers from the past: a position, a time of recording, or <c>business:TIME</c>; what takes longer than a request waits is answered 202 with the address of the operation. <c>session=NAME</c> answers at once, with the session's accepted mutations on top of rows that do not show them yet: such a row says <c>pending</c>. With <c>Accept: text/event-stream</c>, <c>GET NAME</c> tells of changes as they come, as
/// server-sent events: <c>changed</c> with the row, <c>deleted</c>, and <c>reset</c> where the view was made anew and is to be read again; from now on, or behind <c>Last-Event-ID</c> or
/// <c>since=ID</c>. The header <c>ES-Position</c> of the answer says what it reflects.
/// </summary>
public static class ViewEndpoints
{
    private const int DefaultWaitSeconds = 5;
    private const string EventStream = "text/event-stream";
    private static readonly HashSet<string> Taken = ["after", "wait", "session", "since", "limit", "cursor", "sort", "asOf", "at"];

    /// <summary>Maps the two kinds of reads under <paramref name="prefix"/>, for all views of the program and callers who pass <see cref="ApiPolicy.Read"/>.</summary>
    /// <exception cref="InvalidOperationException">Nothing says who may, outside Development.</exception>
    public static RouteGroupBuilder MapViews(this IEndpointRouteBuilder routes, string prefix = "/views")
    {
        var group = routes.MapGroup(prefix).WithTags("Views").RequireRead(routes);
        group.MapGet("{name}", ListAsync).AddEndpointFilter(RefuseUnknownAsync).Produces<ViewPageAnswer>().ProducesProblem(400).ProducesProblem(404).ProducesProblem(503);
        group.MapGet("{name}/{**key}", GetAsync).AddEndpointFilter(RefuseUnknownAsync).Produces<ViewRowAnswer>().Produces(304).ProducesProblem(400).ProducesProblem(404).ProducesProblem(503);
        return group;
    }

    /// <summary>Where the program itself knows its views, a name that is none makes no grain.</summary>
    private static async ValueTask<object?> RefuseUnknownAsync(EndpointFilterInvocationContext context, EndpointFilterDelegate next) =>
        context.HttpContext.Request.RouteValues["name"] is string name && context.HttpContext.RequestServices.GetService<ProjectionControl>()?.Knows(name) == false ? NoSuchView(name) : await next(context);

    private static async Task<IResult> ListAsync(string name, HttpContext http, IGrainFactory grains)
    {
        if (http.Request.GetTypedHeaders().Accept.Any(a => a.MediaType == EventStream))
        {
            return await WatchAsync(name, http, grains);
        }

        if (AsOf(http.Request) is { } at)
        {
            return await Past.ListAsync(http, name, at, QueryOf(http.Request));
        }

        var result = await grains.GetGrain<IViewQueryGrain>(name).ListAsync(QueryOf(http.Request), ConsistencyOf(http.Request));
        return Answer(result, name, http, rows => Results.Ok(new ViewPageAnswer([.. rows.Rows.Select(Shown)], rows.Next)));
    }

    private static async Task<IResult> GetAsync(string name, string key, HttpContext http, IGrainFactory grains)
    {
        if (AsOf(http.Request) is { } at)
        {
            return await Past.GetAsync(http, name, at, key);
        }

        var result = await grains.GetGrain<IViewQueryGrain>(name).GetAsync(key, ConsistencyOf(http.Request));
        return Answer(result, name, http, row =>
        {
            if (row is null)
            {
                return CommandAnswer.Problem(StatusCodes.Status404NotFound, "no-such-row", $"View '{name}' has no row '{key}'.");
            }

            if (row.IsPending)
            {
                // No state of the view, and so without a tag.
                return Results.Ok(Shown(row));
            }

            http.Response.Headers.ETag = Tag(Shown(row), http.RequestServices.GetRequiredService<IOptions<JsonOptions>>().Value.SerializerOptions);
            return http.Request.Headers.IfNoneMatch == http.Response.Headers.ETag ? Results.StatusCode(StatusCodes.Status304NotModified) : Results.Ok(Shown(row));
        });
    }

    private static async Task<IResult> WatchAsync(string name, HttpContext http, IGrainFactory grains)
    {
        if (http.Request.Query.Keys.FirstOrDefault(k => k != "since") is { } other)
        {
            throw new BadCommandException(other, "A feed tells of all rows: it takes 'since' alone.");
        }

        // Asked before the answer begins: whether there is such a view, and such a cursor.
        var since = Feed.Since(http.Request);
        var watch = http.RequestServices.GetRequiredService<ViewWatch>();
        return Answer(await grains.GetGrain<IViewQueryGrain>(name).ListChangesAsync(since, 1), name, http, _ => Feed.Open(http, stop => watch.WatchAsync(name, since, stop).SelectMany(Items)));
    }

    private static IEnumerable<SseItem<object?>> Items(ViewChanges page)
    {
        foreach (var change in page.Changes)
        {
            yield return new SseItem<object?>(new ViewChangeAnswer(change.Key, change.Position, change.Row), change.Row is null ? "deleted" : "changed") { EventId = change.Cursor };
        }

        if (page.Changes.Count == 0)
        {
            // With data: browsers drop an event without.
            yield return new SseItem<object?>(new ViewCursorAnswer(page.Next), page.IsReset ? "reset" : "begin") { EventId = page.Next };
        }
    }

    /// <summary>The tag of a row: its position, and a hash of what is answered. A view that was made anew may hold another row at the same position.</summary>
    internal static string Tag(ViewRowAnswer row, JsonSerializerOptions json) =>
        string.Create(CultureInfo.InvariantCulture, $"\"{row.Position}-{Convert.ToHexStringLower(SHA256.HashData(JsonSerializer.SerializeToUtf8Bytes(row, json)).AsSpan(0, 8))}\"");

    internal static ViewRowAnswer Shown(ViewRow row) => new(row.Key, row.Position, row.Row, row.IsPending);

    private static IResult Answer<T>(ViewResult<T> result, string name, HttpContext http, Func<T, IResult> answer)
    {
        switch (result)
        {
            case ViewAnswer<T>(var value, var reflects):
                http.Response.Headers[CommandAnswer.PositionHeader] = reflects.ToString(CultureInfo.InvariantCulture);
                return answer(value);
            case ViewBehind<T>(var reflects, var head):
                http.Response.Headers.RetryAfter = "1";
                return CommandAnswer.Problem(
                    StatusCodes.Status503ServiceUnavailable, "view-behind", $"The rows reach position {reflects}, {head - reflects} events behind the log. Ask again.", new() { ["position"] = reflects, ["head"] = head });
            case BeyondTheLog<T>(var head):
                return CommandAnswer.Problem(StatusCodes.Status400BadRequest, "beyond-the-log", $"The log ends at position {head}.", new() { ["head"] = head });
            case NoSuchView<T>:
                return NoSuchView(name);
            default:
                throw new InvalidOperationException($"A query was answered '{result}'.");
        }
    }

    internal static IResult NoSuchView(string name) => CommandAnswer.Problem(StatusCodes.Status404NotFound, "no-such-view", $"There is no view '{name}'.");

    /// <summary>The point of the past that is asked for; null: the present.</summary>
    private static string? AsOf(HttpRequest request) =>
        request.Query.ContainsKey("at") ? throw new BadCommandException("at", "A view is asked for the past by 'asOf'.")
        : Single(request, "asOf") is not { } at ? null
        : request.Query.Keys.FirstOrDefault(k => k is "after" or "wait" or "session") is { } other ? throw new BadCommandException(other, "It is asked of the present; 'asOf' asks the past.")
        : at;

    internal static RowQuery QueryOf(HttpRequest request)
    {
        var sort = Single(request, "sort");
        return new RowQuery
        {
            Filters = [.. from parameter in request.Query where !Taken.Contains(parameter.Key) from value in parameter.Value select FilterOf(parameter.Key, value ?? "")],
            SortBy = sort?.TrimStart('-'),
            Descending = sort is ['-', ..],
            After = Single(request, "cursor"),
            Limit = (int)Math.Min(Number(Single(request, "limit"), "limit") ?? new RowQuery().Limit, int.MaxValue),
        };
    }

    private static RowFilter FilterOf(string name, string value)
    {
        var dot = name.LastIndexOf('.');
        var (column, comparison) = dot < 0 ? (name, RowComparison.Equal) : (name[..dot], name[(dot + 1)..] switch
        {
            "lt" => RowComparison.Less,
            "le" => RowComparison.LessOrEqual,
            "gt" => RowComparison.Greater,
            "ge" => RowComparison.GreaterOrEqual,
            _ => throw new BadCommandException(name, "A comparison is .lt, .le, .gt or .ge; without one the value is to be the same."),
        });
        return new RowFilter(column, comparison, value);
    }

    private static Consistency ConsistencyOf(HttpRequest request)
    {
        var header = request.Headers["ES-After"].ToString();
        var position = Number(Single(request, "after") ?? (header.Length == 0 ? null : header), "after");
        var wait = Number(Single(request, "wait"), "wait") ?? DefaultWaitSeconds;
        if (wait > Consistency.MaxWait.TotalSeconds)
        {
            throw new BadCommandException("wait", $"It is 0 to {Consistency.MaxWait.TotalSeconds} seconds.");
        }

        if (Single(request, "session") is { } session)
        {
            return position is null ? MineOf(session) : throw new BadCommandException("session", "It answers at once; 'after' waits. Ask for one of them.");
        }

        return position is null ? new Consistency.Eventual() : new Consistency.AtLeast(position.Value, TimeSpan.FromSeconds(wait));
    }

    private static Consistency.WithMine MineOf(string session)
    {
        try
        {
            return new Consistency.WithMine(session);
        }
        catch (ArgumentException e)
        {
            throw new BadCommandException("session", e.Message, e);
        }
    }

    internal static string? Single(HttpRequest request, string name) => request.Query[name] switch
    {
        { Count: 0 } => null,
        { Count: 1 } values => values[0],
        _ => throw new BadCommandException(name, "It is given more than once."),
    };

    internal static long? Number(string? text, string name) =>
        text is null ? null
        : long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number
        : throw new BadCommandException(name, "It is a whole number, 0 or more.");
}

/// <summary>A page of a view.</summary>
/// <param name="Rows">The rows.</param>
/// <param name="Next">The <c>cursor</c> of the page behind this one; null: this is the last.</param>
public sealed record ViewPageAnswer(IReadOnlyList<ViewRowAnswer> Rows, string? Next);

/// <summary>A row of a view.</summary>
/// <param name="Key">Its key.</param>
/// <param name="Position">The last event folded into it.</param>
/// <param name="Row">Its columns.</param>
/// <param name="Pending">Whether mutations of the session that was named are in it that the view does not show yet; left out where not.</param>
public sealed record ViewRowAnswer(string Key, long Position, object Row, [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)] bool Pending);

/// <summary>A row of a view that changed.</summary>
/// <param name="Key">Its key.</param>
/// <param name="Position">The last event folded into it.</param>
/// <param name="Row">Its columns; left out where it was deleted.</param>
public sealed record ViewChangeAnswer(string Key, long Position, [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] object? Row);

/// <summary>Where a reader of a view's changes stands that has seen none yet.</summary>
/// <param name="Since">What to go on from.</param>
public sealed record ViewCursorAnswer(string Since);
