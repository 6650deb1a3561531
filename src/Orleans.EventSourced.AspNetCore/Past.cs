using System.Globalization;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Orleans.EventSourced.Core.History;
using Orleans.EventSourced.Core.Projections;
using Orleans.EventSourced.History;
using Orleans.EventSourced.Projections;

namespace Orleans.EventSourced.AspNetCore;

/// <summary>Views as of a point over HTTP: what is small is answered at once, what is long becomes an operation.</summary>
internal static class Past
{
    /// <summary>As long as a request waits for what is small; long work it waits for only as long as nobody notices.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan Glance = TimeSpan.FromMilliseconds(50);

    public static Task<IResult> ListAsync(HttpContext http, string view, string at, RowQuery query) =>
        AnswerAsync(http, view, at, (grain, atMost) => grain.ListAsync(query, atMost), page => Results.Ok(new ViewPageAnswer([.. page.Rows.Select(ViewEndpoints.Shown)], page.Next)));

    public static Task<IResult> GetAsync(HttpContext http, string view, string at, string key) =>
        AnswerAsync(http, view, at, (grain, atMost) => grain.GetAsync(key, atMost), row => row is null ? NoSuchRow(view, key) : Results.Ok(ViewEndpoints.Shown(row)));

    public static Task<IResult> GetTotalsAsync(HttpContext http, string view, string at) => AnswerAsync(http, view, at, (grain, atMost) => grain.GetTotalsAsync(atMost), totals => Results.Ok(totals));

    /// <summary>How long a request waits for so many events.</summary>
    public static TimeSpan WaitFor(HttpContext http, long events) => events <= http.RequestServices.GetRequiredService<HistoryOptions>().MaxEventsAtOnce ? Patience : Glance;

    public static IResult NoSuchRow(string view, string key) => CommandAnswer.Problem(StatusCodes.Status404NotFound, "no-such-row", $"View '{view}' has no row '{key}' there.");

    /// <summary>202: it goes on, and this is where to ask how far it is, and for what it came to.</summary>
    public static async Task<IResult> GoesOnAsync(HttpContext http, string id, Task<OperationStatus> status)
    {
        var result = $"{http.Request.PathBase}{http.Request.Path}{http.Request.QueryString}";
        http.Response.Headers.RetryAfter = "1";
        return Results.Accepted(HistoryEndpoints.AddressOf(http, id) ?? result, OperationAnswer.From(id, await status, result));
    }

    public static IResult Reflecting(HttpContext http, long position, bool isFinal, IResult answer)
    {
        http.Response.Headers[CommandAnswer.PositionHeader] = position.ToString(CultureInfo.InvariantCulture);
        http.Response.Headers["ES-Final"] = isFinal ? "true" : "false";
        return answer;
    }

    private static async Task<IResult> AnswerAsync<T>(HttpContext http, string view, string at, Func<IPastViewGrain, TimeSpan, Task<PastAnswer<T>?>> ask, Func<T, IResult> answer)
    {
        var services = http.RequestServices;
        if (services.GetRequiredService<ProjectionControl>().VersionOf(view) is not { } version)
        {
            return ViewEndpoints.NoSuchView(view);
        }

        // A time whose answer is final is a position, so that who asks for either finds the same.
        var asked = PointInTime.Parse(at);
        var point = await services.GetRequiredService<PastViews>().LocateAsync(asked, http.RequestAborted);
        if (point.Position.Value > services.GetRequiredService<HistoryOptions>().MaxEvents)
        {
            throw new HistoryException(HistoryFault.TooMuch, $"There are {point.Position} events up to there; {services.GetRequiredService<HistoryOptions>().MaxEvents} are folded at most.");
        }

        var key = new PastViewKey(view, version, point.IsFinal ? new PointInTime.AtPosition(point.Position) : asked).ToString();
        var grain = services.GetRequiredService<IGrainFactory>().GetGrain<IPastViewGrain>(key);
        return await ask(grain, WaitFor(http, point.Position.Value)) is { } found
            ? Reflecting(http, found.Position, found.IsFinal, answer(found.Value))
            : await GoesOnAsync(http, $"past/{key}", grain.GetStatusAsync());
    }
}
