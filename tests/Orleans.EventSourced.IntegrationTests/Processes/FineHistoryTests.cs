using System.Net;
using Xunit;

namespace Orleans.EventSourced.IntegrationTests.Processes;

/// <summary>One node on SQLite that folds 40 events at once, 200 at most, shared by the tests of what it answers about the past.</summary>
public sealed class FineHistory() : SharedNode("--History:MaxEventsAtOnce=40", "--History:MaxEvents=200");

[Collection("processes")]
public sealed class FineHistoryTests(FineHistory history) : IClassFixture<FineHistory>
{
    private readonly HostProcess _host = history.Host;

    [Fact]
    public async Task a_fine_is_seen_as_it_was_and_who_set_what_and_what_changed()
    {
        var positions = await _host.LiveAsync("seen", payments: 2);
        Assert.Equal(("50.00", "0.00", 1), PastFines.Shown(await _host.AskAsync("/fines/seen?asOf=v1")));
        Assert.Equal(("50.00", "10.00", 2), PastFines.Shown(await _host.AskAsync($"/fines/seen?asOf={positions[1]}")));
        Assert.Equal(("50.00", "20.00", 3), PastFines.Shown(await _host.AskAsync("/fines/seen?asOf=2199-01-01T00:00:00Z")));
        Assert.Equal(("50.00", "10.00", 2), PastFines.Shown(await _host.AskAsync("/fines/seen?asOf=business:2006-01-01T00:00:00Z")));
        var state = await _host.AskAsync("/_es/state/fine/seen?at=v2");
        Assert.Equal((2, positions[1], true, 10m), (state.GetProperty("version").GetInt32(), state.GetProperty("position").GetInt64(), state.GetProperty("isFinal").GetBoolean(), state.GetProperty("state").GetProperty("paid").GetDecimal()));
        var diff = await _host.AskAsync("/_es/diff/fine/seen?from=v1&to=v3");
        Assert.Equal(["/lastOccurredAt", "/outstanding", "/paid", "/payments"], diff.GetProperty("patch").EnumerateArray().Select(o => o.GetProperty("path").GetString()));
        var blame = (await _host.AskAsync("/_es/blame/fine/seen")).EnumerateArray().ToDictionary(f => f.GetProperty("path").GetString()!, f => f);
        Assert.Equal((3, "payment-received", 1, 0), (blame["/paid"].GetProperty("version").GetInt32(), blame["/paid"].GetProperty("type").GetString(), blame["/amount"].GetProperty("version").GetInt32(), blame["/penalty"].GetProperty("version").GetInt32()));
    }

    [Fact]
    public async Task a_view_as_of_a_point_is_answered_at_once_when_it_is_small_else_202_and_beyond_the_limit_422()
    {
        var last = 0L;
        for (var i = 0; last <= 45; i++)
        {
            last = (await _host.LiveAsync($"asof{i}", payments: 3))[^1];
        }

        var small = await _host.Http.GetAsync("/views/fine_summary?asOf=40&limit=2");
        Assert.Equal((HttpStatusCode.OK, "40", "true"), (small.StatusCode, small.Headers.GetValues("ES-Position").Single(), small.Headers.GetValues("ES-Final").Single()));
        var started = await _host.Http.GetAsync("/views/article_totals?asOf=41");
        Assert.True(started.StatusCode is HttpStatusCode.Accepted or HttpStatusCode.OK, $"{started.StatusCode}");
        if (started.StatusCode == HttpStatusCode.Accepted)
        {
            Assert.Equal("/_es/operations/past/article_totals/v1/41", started.Headers.Location?.ToString());
        }

        await Eventually.Async("the operation is done", async () => (await _host.AskAsync("/_es/operations/past/article_totals/v1/41")).GetProperty("state").GetString() == "done");
        var operation = await _host.AskAsync("/_es/operations/past/article_totals/v1/41");
        Assert.Equal((41L, "/_es/past/article_totals?at=41"), (operation.GetProperty("done").GetInt64(), operation.GetProperty("result").GetString()));
        var totals = await _host.AskAsync(operation.GetProperty("result").GetString()!);
        Assert.Equal(157, totals.GetProperty("rows")[0].GetProperty("row").GetProperty("article").GetInt32());
        Assert.Equal(40, (await _host.AskAsync("/_es/totals/fine_summary?at=40")).GetProperty("counts").GetProperty("events").GetInt32());
        Assert.Equal((HttpStatusCode.NotFound, "no-such-operation"), await _host.RefusedAsync("/_es/operations/past/officer_month/v1/41"));

        while (last <= 200)
        {
            last = (await _host.LiveAsync($"more{last}", payments: 20))[^1];
        }

        Assert.Equal((HttpStatusCode.UnprocessableEntity, "too-much-history"), await _host.RefusedAsync("/views/fine_summary?asOf=201"));
        Assert.Equal((HttpStatusCode.UnprocessableEntity, "too-much-history"), await _host.RefusedAsync("/views/fine_summary?asOf=business:2190-01-01T00:00:00Z"));
    }

    [Fact]
    public async Task the_state_of_a_long_stream_becomes_an_operation_and_of_one_beyond_the_limit_is_refused()
    {
        await _host.LiveAsync("long", payments: 60);
        var answer = await _host.Http.GetAsync("/_es/state/fine/long?at=v50");
        Assert.True(answer.StatusCode is HttpStatusCode.Accepted or HttpStatusCode.OK, $"{answer.StatusCode}");
        await Eventually.Async("the operation is done", async () => (await _host.AskAsync("/_es/operations/read/state//v50/fine/long")).GetProperty("state").GetString() == "done");
        Assert.Equal(490m, (await _host.AskAsync((await _host.AskAsync("/_es/operations/read/state//v50/fine/long")).GetProperty("result").GetString()!)).GetProperty("state").GetProperty("paid").GetDecimal());
        await _host.LiveAsync("longer", payments: 220);
        Assert.Equal((HttpStatusCode.UnprocessableEntity, "too-much-history"), await _host.RefusedAsync("/_es/blame/fine/longer"));
    }

    [Theory]
    [InlineData("/fines/wrong?asOf=v99", 404, "no-such-version")]
    [InlineData("/fines/wrong?asOf=2000-01-01T00:00:00Z", 404, "no-such-version")]
    [InlineData("/fines/wrong?asOf=business:1999-01-01T00:00:00Z", 404, "no-such-version")]
    [InlineData("/fines/nobody?asOf=v1", 404, "no-such-stream")]
    [InlineData("/fines/wrong?asOf=999999", 400, "beyond-the-log")]
    [InlineData("/fines/wrong?asOf=yesterday", 400, "bad-point")]
    [InlineData("/fines/wrong?branch=nosuch", 404, "no-such-branch")]
    [InlineData("/fines/wrong?branch=No/Name", 404, "no-such-branch")]
    [InlineData("/views/fine_summary?asOf=v1", 400, "bad-point")]
    [InlineData("/views/fine_summary?asOf=1&after=1", 400, "bad-request")]
    [InlineData("/views/fine_summary?asOf=1&nonsense=1", 400, "bad-request")]
    [InlineData("/views/fine_summary/wrong?asOf=999999", 400, "beyond-the-log")]
    [InlineData("/views/fine_summary?asOf=1999-01-01T00:00:00Z", 404, "no-such-version")]
    [InlineData("/views/nothing?asOf=1", 404, "no-such-view")]
    [InlineData("/_es/past/fine_summary", 400, "bad-request")]
    [InlineData("/_es/state/nothing/wrong", 404, "no-such-stream")]
    [InlineData("/_es/blame/fine/wrong?at=business:2006-01-01T00:00:00Z", 400, "bad-point")]
    [InlineData("/_es/branches/nosuch", 404, "no-such-branch")]
    [InlineData("/_es/branches/nosuch/diff/fine_summary", 404, "no-such-branch")]
    [InlineData("/_es/operations/nonsense", 404, "no-such-operation")]
    [InlineData("/_es/operations/past/nonsense", 400, "bad-point")]
    [InlineData("/_es/Operations/past/nonsense", 400, "bad-point")]
    [InlineData("/fines/nobody?asOf=v0", 404, "no-such-stream")]
    [InlineData("/fines/wrong?asOf=v1&branch=nosuch", 400, "bad-request")]
    [InlineData("/fines/wrong/events?branch=nosuch", 400, "bad-request")]
    public async Task wrong_questions_are_named(string path, int status, string code)
    {
        await _host.LiveAsync("wrong", payments: 0);
        Assert.Equal(((HttpStatusCode)status, code), await _host.RefusedAsync(path));
    }
}
