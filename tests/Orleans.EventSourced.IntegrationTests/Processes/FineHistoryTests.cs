using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using Orleans.EventSourced.IntegrationTests.Grains;
using Xunit;

namespace Orleans.EventSourced.IntegrationTests.Processes;

/// <summary>One node on SQLite that folds 40 events at once, 200 at most, shared by the tests of what it answers about the past.</summary>
public sealed class FineHistory : IAsyncLifetime
{
    private readonly TestFolder _folder = new();

    public HostProcess Host { get; private set; } = null!;

    public async ValueTask InitializeAsync() => Host = await HostProcess.ServeAsync(
        _folder, null, settings: ["--Fines:AddsPenalties=false", "--History:MaxEventsAtOnce=40", "--History:MaxEvents=200", "--History:MaxBranches=3", "--History:MaxLiveEvents=5"]);

    public async ValueTask DisposeAsync()
    {
        await Host.DisposeAsync();
        _folder.Dispose();
    }
}

[Collection("processes")]
public sealed class FineHistoryTests(FineHistory history) : IClassFixture<FineHistory>
{
    private readonly HostProcess _host = history.Host;

    [Fact]
    public async Task a_fine_is_seen_as_it_was_and_who_set_what_and_what_changed()
    {
        var positions = await LiveAsync("seen", payments: 2);
        Assert.Equal(("50.00", "0.00", 1), Shown(await GetAsync("/fines/seen?asOf=v1")));
        Assert.Equal(("50.00", "10.00", 2), Shown(await GetAsync($"/fines/seen?asOf={positions[1]}")));
        Assert.Equal(("50.00", "20.00", 3), Shown(await GetAsync("/fines/seen?asOf=2199-01-01T00:00:00Z")));
        Assert.Equal(("50.00", "10.00", 2), Shown(await GetAsync("/fines/seen?asOf=business:2006-01-01T00:00:00Z")));
        var state = await GetAsync("/_es/state/fine/seen?at=v2");
        Assert.Equal((2, positions[1], true, 10m), (state.GetProperty("version").GetInt32(), state.GetProperty("position").GetInt64(), state.GetProperty("isFinal").GetBoolean(), state.GetProperty("state").GetProperty("paid").GetDecimal()));
        var diff = await GetAsync("/_es/diff/fine/seen?from=v1&to=v3");
        Assert.Equal(["/lastOccurredAt", "/outstanding", "/paid", "/payments"], diff.GetProperty("patch").EnumerateArray().Select(o => o.GetProperty("path").GetString()));
        var blame = (await GetAsync("/_es/blame/fine/seen")).EnumerateArray().ToDictionary(f => f.GetProperty("path").GetString()!, f => f);
        Assert.Equal((3, "payment-received", 1, 0), (blame["/paid"].GetProperty("version").GetInt32(), blame["/paid"].GetProperty("type").GetString(), blame["/amount"].GetProperty("version").GetInt32(), blame["/penalty"].GetProperty("version").GetInt32()));
    }

    [Fact]
    public async Task a_view_as_of_a_point_is_answered_at_once_when_it_is_small_else_202_and_beyond_the_limit_422()
    {
        var last = 0L;
        for (var i = 0; last <= 45; i++)
        {
            last = (await LiveAsync($"asof{i}", payments: 3))[^1];
        }

        var small = await _host.Http.GetAsync("/views/fine_summary?asOf=40&limit=2");
        Assert.Equal((HttpStatusCode.OK, "40", "true"), (small.StatusCode, small.Headers.GetValues("ES-Position").Single(), small.Headers.GetValues("ES-Final").Single()));
        var started = await _host.Http.GetAsync("/views/article_totals?asOf=41");
        Assert.True(started.StatusCode is HttpStatusCode.Accepted or HttpStatusCode.OK, $"{started.StatusCode}");
        if (started.StatusCode == HttpStatusCode.Accepted)
        {
            Assert.Equal("/_es/operations/past/article_totals/v1/41", started.Headers.Location?.ToString());
        }

        await Eventually.Async("the operation is done", async () => (await GetAsync("/_es/operations/past/article_totals/v1/41")).GetProperty("state").GetString() == "done");
        var operation = await GetAsync("/_es/operations/past/article_totals/v1/41");
        Assert.Equal((41L, "/_es/past/article_totals?at=41"), (operation.GetProperty("done").GetInt64(), operation.GetProperty("result").GetString()));
        var totals = await GetAsync(operation.GetProperty("result").GetString()!);
        Assert.Equal(157, totals.GetProperty("rows")[0].GetProperty("row").GetProperty("article").GetInt32());
        Assert.Equal(41, (await GetAsync("/_es/totals/fine_summary?at=41")).GetProperty("counts").GetProperty("events").GetInt32());
        Assert.Equal((HttpStatusCode.NotFound, "no-such-operation"), await RefusedAsync("/_es/operations/past/officer_month/v1/41"));

        while (last <= 200)
        {
            last = (await LiveAsync($"more{last}", payments: 20))[^1];
        }

        Assert.Equal((HttpStatusCode.UnprocessableEntity, "too-much-history"), await RefusedAsync("/views/fine_summary?asOf=201"));
        Assert.Equal((HttpStatusCode.UnprocessableEntity, "too-much-history"), await RefusedAsync("/views/fine_summary?asOf=business:2190-01-01T00:00:00Z"));
    }

    [Fact]
    public async Task the_state_of_a_long_stream_becomes_an_operation_and_of_one_beyond_the_limit_is_refused()
    {
        await LiveAsync("long", payments: 60);
        var answer = await _host.Http.GetAsync("/_es/state/fine/long?at=v50");
        Assert.True(answer.StatusCode is HttpStatusCode.Accepted or HttpStatusCode.OK, $"{answer.StatusCode}");
        await Eventually.Async("the operation is done", async () => (await GetAsync("/_es/operations/read/state//v50/fine/long")).GetProperty("state").GetString() == "done");
        Assert.Equal(490m, (await GetAsync((await GetAsync("/_es/operations/read/state//v50/fine/long")).GetProperty("result").GetString()!)).GetProperty("state").GetProperty("paid").GetDecimal());
        await LiveAsync("longer", payments: 220);
        Assert.Equal((HttpStatusCode.UnprocessableEntity, "too-much-history"), await RefusedAsync("/_es/blame/fine/longer"));
    }

    [Fact]
    public async Task what_if_by_http_from_the_making_of_a_branch_to_its_end()
    {
        await LiveAsync("whatif", payments: 2);
        var made = await _host.PostAsync("/_es/branches", new { id = "b1", reason = "had the first payment not come", edits = new[] { new { op = "drop", stream = "fine/whatif", version = 2 } }, minutes = 5 });
        Assert.Equal((HttpStatusCode.Created, "/_es/branches/b1"), (made.StatusCode, made.Headers.Location?.ToString()));
        Assert.Equal(("50.00", "10.00", 2), Shown(await GetAsync("/fines/whatif?branch=b1")));
        var paid = await _host.PostAsync("/fines/whatif/payments?branch=b1", new { amount = "7.00", occurredAt = "2010-01-01T00:00:00Z" }, ("Idempotency-Key", "branch-payment"));
        Assert.Equal(HttpStatusCode.OK, paid.StatusCode);
        Assert.Equal(await paid.Content.ReadAsStringAsync(), await (await _host.PostAsync("/fines/whatif/payments?branch=b1", new { amount = "7.00", occurredAt = "2010-01-01T00:00:00Z" }, ("Idempotency-Key", "branch-payment"))).Content.ReadAsStringAsync());
        Assert.Equal(HttpStatusCode.Conflict, (await _host.PostAsync("/fines/whatif/payments?branch=b1", new { amount = "7.00", occurredAt = "2001-01-01T00:00:00Z" })).StatusCode);
        Assert.Equal(("50.00", "17.00", 3), Shown(await GetAsync("/fines/whatif?branch=b1")));
        Assert.Equal(("50.00", "20.00", 3), Shown(await GetAsync("/fines/whatif")));
        var state = await GetAsync("/_es/branches/b1/state/fine/whatif");
        Assert.Equal((17m, 20m), (state.GetProperty("state").GetProperty("paid").GetDecimal(), state.GetProperty("trunkState").GetProperty("paid").GetDecimal()));
        await Eventually.Async("the view is folded", async () => (await _host.Http.GetAsync("/_es/branches/b1/diff/fine_summary")).StatusCode == HttpStatusCode.OK);
        var diff = await GetAsync("/_es/branches/b1/diff/fine_summary");
        Assert.Equal((0, 0, 1, "whatif", "-3.00"), (diff.GetProperty("added").GetInt32(), diff.GetProperty("removed").GetInt32(), diff.GetProperty("changed").GetInt32(), diff.GetProperty("rows")[0].GetProperty("key").GetString(), diff.GetProperty("difference").GetProperty("sums").GetProperty("paid").GetString()));
        Assert.Equal("17.00", (await GetAsync("/_es/branches/b1/views/fine_summary/whatif")).GetProperty("row").GetProperty("paid").GetString());
        Assert.Equal(["b1"], (await GetAsync("/_es/branches")).EnumerateArray().Select(b => b.GetProperty("id").GetString()));
        for (var i = 0; i < 4; i++)
        {
            await _host.PostAsync("/fines/whatif/payments?branch=b1", new { amount = "1.00", occurredAt = "2011-01-01T00:00:00Z" });
        }

        var over = await _host.PostAsync("/fines/whatif/payments?branch=b1", new { amount = "1.00", occurredAt = "2011-01-01T00:00:00Z" });
        Assert.Equal((HttpStatusCode.Conflict, "quota-reached"), (over.StatusCode, (await over.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("title").GetString()));
        Assert.Equal(HttpStatusCode.NoContent, (await _host.Http.DeleteAsync("/_es/branches/b1")).StatusCode);
        Assert.Equal((HttpStatusCode.NotFound, "no-such-branch"), await RefusedAsync("/fines/whatif?branch=b1"));
        Assert.Equal(["milder-penalty", "paid-in-time"], (await GetAsync("/_es/what-ifs")).GetProperty("functions").EnumerateArray().Select(f => f.GetProperty("name").GetString()));
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
    public async Task wrong_questions_are_named(string path, int status, string code)
    {
        await LiveAsync("wrong", payments: 0);
        Assert.Equal(((HttpStatusCode)status, code), await RefusedAsync(path));
    }

    [Theory]
    [InlineData("""{"reason":""}""", 400, "bad-edit")]
    [InlineData("""{"id":"No Name","reason":"x"}""", 404, "no-such-branch")]
    [InlineData("""{"reason":"x","base":"99999999"}""", 400, "beyond-the-log")]
    [InlineData("""{"reason":"x","base":"business:2005-01-01T00:00:00Z"}""", 400, "bad-point")]
    [InlineData("""{"reason":"x","edits":[{"op":"forget"}]}""", 400, "bad-edit")]
    [InlineData("""{"reason":"x","edits":[{"op":"drop","stream":"fine/edits","version":9}]}""", 400, "bad-edit")]
    [InlineData("""{"reason":"x","edits":[{"op":"drop","stream":"nonsense","version":1}]}""", 400, "bad-edit")]
    [InlineData("""{"reason":"x","edits":[{"op":"replace","stream":"fine/edits","version":1,"type":"unheard-of","data":{}}]}""", 400, "bad-edit")]
    [InlineData("""{"reason":"x","edits":[{"op":"replace","stream":"fine/edits","version":1,"type":"payment-received","data":{"amount":[]}}]}""", 400, "bad-edit")]
    [InlineData("""{"reason":"x","edits":[{"op":"apply","function":"magic"}]}""", 400, "bad-edit")]
    [InlineData("""{"reason":"x","edits":[{"op":"apply","function":"milder-penalty","parameters":{"factor":-1}}]}""", 400, "bad-edit")]
    [InlineData("""{"reason":"x","rules":["none"]}""", 400, "bad-edit")]
    [InlineData("""{"reason":"x","minutes":9999999}""", 400, "bad-request")]
    [InlineData("""{"reason":"x","minutes":100000}""", 409, "quota-reached")]
    public async Task a_branch_that_cannot_be_is_refused_and_named(string body, int status, string code)
    {
        await LiveAsync("edits", payments: 0);
        var answer = await _host.SendAsync("/_es/branches", new StringContent(body, System.Text.Encoding.UTF8, "application/json"));
        var problem = await answer.Content.ReadFromJsonAsync<JsonElement>();
        Assert.Equal(((HttpStatusCode)status, code), (answer.StatusCode, problem.GetProperty("title").GetString()));
        Assert.DoesNotContain("x", (await GetAsync("/_es/branches")).EnumerateArray().Select(b => b.GetProperty("reason").GetString()));
    }

    private static (string? Due, string? Paid, int Version) Shown(JsonElement fine) => (fine.GetProperty("due").GetString(), fine.GetProperty("paid").GetString(), fine.GetProperty("version").GetInt32());

    private async Task<JsonElement> GetAsync(string path)
    {
        var answer = await _host.Http.GetAsync(path);
        Assert.True(answer.IsSuccessStatusCode, $"{path}: {answer.StatusCode} {await answer.Content.ReadAsStringAsync()}");
        return await answer.Content.ReadFromJsonAsync<JsonElement>();
    }

    private async Task<(HttpStatusCode, string?)> RefusedAsync(string path)
    {
        var answer = await _host.Http.GetAsync(path);
        return (answer.StatusCode, (await answer.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("title").GetString());
    }

    /// <summary>A fine of 50.00 of 2005, and payments of 10.00, one each year from then on; the positions of its events.</summary>
    private async Task<List<long>> LiveAsync(string id, int payments)
    {
        var positions = new List<long> { Position(await _host.PostAsync("/fines", new { fineId = id, amount = "50.00", article = 157, points = 0, vehicleClass = "A", officer = "561", occurredAt = "2005-01-01T00:00:00Z" }, ("Idempotency-Key", $"history/{id}"))) };
        for (var i = 0; i < payments; i++)
        {
            positions.Add(Position(await _host.PostAsync($"/fines/{id}/payments", new { amount = "10.00", occurredAt = $"{Math.Min(2190, 2005 + i)}-06-01T00:00:00Z" })));
        }

        return positions;

        static long Position(HttpResponseMessage answer)
        {
            Assert.True(answer.IsSuccessStatusCode, $"{answer.StatusCode}");
            return long.Parse(answer.Headers.GetValues("ES-Position").Single(), null);
        }
    }
}
