using System.Net;
using System.Text;
using System.Text.Json;
using Orleans.EventSourced.AspNetCore;
using Xunit;

namespace Orleans.EventSourced.IntegrationTests.Processes;

/// <summary>One node on SQLite, shared by the tests of the API.</summary>
public sealed class FineApi() : SharedNode();

[Collection("processes")]
public sealed class FineApiTests(FineApi api) : IClassFixture<FineApi>
{
    private const string Day = "2006-07-24T00:00:00+02:00";
    private readonly HostProcess _host = api.Host;

    [Fact]
    public async Task the_whole_life_of_a_fine_by_http()
    {
        var issued = await IssueAsync("life");
        Assert.Equal((HttpStatusCode.Created, "/fines/life", "\"1\""), (issued.StatusCode, issued.Headers.Location?.ToString(), issued.Headers.ETag?.Tag));
        Assert.True(long.Parse(issued.Headers.GetValues("ES-Position").Single(), null) > 0);
        (string Path, object Body)[] commands =
        [
            ("send", new { expense = "11.50", occurredAt = Day }),
            ("notification", new { notificationType = "P", occurredAt = Day }),
            ("prefecture-appeals", new { occurredAt = Day }),
            ("prefecture-appeals/send", new { dismissal = "NIL", occurredAt = Day }),
            ("prefecture-appeals/result", new { occurredAt = Day }),
            ("prefecture-appeals/result/notification", new { occurredAt = Day }),
            ("judge-appeals", new { dismissal = "NIL", matricola = 7, occurredAt = Day }),
            ("penalty", new { amount = 71, occurredAt = Day }),
            ("payments", new { amount = 20.5, occurredAt = Day }),
            ("credit-collection", new { occurredAt = Day }),
        ];
        foreach (var (path, body) in commands)
        {
            Assert.Equal(HttpStatusCode.OK, (await _host.PostAsync($"/fines/life/{path}", body)).StatusCode);
        }

        var fine = await _host.GetAsync("/fines/life");
        Assert.Equal(("82.50", "20.50", "62.00", false, 11), (fine.GetProperty("due").GetString(), fine.GetProperty("paid").GetString(), fine.GetProperty("outstanding").GetString(), fine.GetProperty("settled").GetBoolean(), fine.GetProperty("version").GetInt32()));
        Assert.Equal("35.50", fine.GetProperty("state").GetProperty("amount").GetString());
        var events = (await _host.GetAsync("/fines/life/events")).EnumerateArray().ToList();
        Assert.Equal(11, events.Count);
        Assert.Equal("35.50", events[0].GetProperty("data").GetProperty("amount").GetString());
        Assert.Equal(Enumerable.Range(4, 3), (await _host.GetAsync("/fines/life/events?after=3&limit=3")).EnumerateArray().Select(e => e.GetProperty("version").GetInt32()));
    }

    [Fact]
    public async Task a_key_sent_again_after_other_commands_gets_its_first_answer()
    {
        await IssueAsync("key");
        var body = new { amount = "10.00", occurredAt = Day };
        var first = await _host.PostAsync("/fines/key/payments", body, ("Idempotency-Key", "pay-1"));
        await _host.PostAsync("/fines/key/payments", new { amount = 5, occurredAt = Day });
        await _host.PostAsync("/fines/key/credit-collection", new { occurredAt = Day });
        Assert.Equal(HttpStatusCode.Conflict, (await _host.PostAsync("/fines/key/payments", body)).StatusCode);

        var again = await _host.PostAsync("/fines/key/payments", body, ("Idempotency-Key", "pay-1"));
        Assert.Equal((first.StatusCode, first.Headers.ETag, await first.Content.ReadAsStringAsync()), (again.StatusCode, again.Headers.ETag, await again.Content.ReadAsStringAsync()));
        Assert.Equal(first.Headers.GetValues("ES-Position"), again.Headers.GetValues("ES-Position"));
        await AssertProblemAsync(422, "idempotency-key-reused", await _host.PostAsync("/fines/key/payments", new { amount = "11.00", occurredAt = Day }, ("Idempotency-Key", "pay-1")));
        await IssueAsync("other");
        await AssertProblemAsync(422, "idempotency-key-reused", await _host.PostAsync("/fines/other/payments", body, ("Idempotency-Key", "pay-1")));
        Assert.Equal("15.00", (await _host.GetAsync("/fines/key")).GetProperty("paid").GetString());
    }

    [Fact]
    public async Task refusals_have_stable_types()
    {
        await IssueAsync("no");
        await AssertProblemAsync(409, "already-issued", await IssueAsync("no"));
        await AssertProblemAsync(409, "not-issued", await _host.PostAsync("/fines/nowhere/payments", new { amount = 1, occurredAt = Day }));
        await AssertProblemAsync(409, "out-of-order", await _host.PostAsync("/fines/no/send", new { expense = 1, occurredAt = "2006-07-23T00:00:00+02:00" }));
        await AssertProblemAsync(400, "negative-amount", await _host.PostAsync("/fines/no/payments", new { amount = -1, occurredAt = Day }));
        await AssertProblemAsync(404, "no-such-fine", await _host.Http.GetAsync("/fines/nowhere"));
        await _host.PostAsync("/fines/no/penalty", new { amount = 70, occurredAt = Day });
        await AssertProblemAsync(409, "penalty-already-added", await _host.PostAsync("/fines/no/penalty", new { amount = 70, occurredAt = Day }));
    }

    [Fact]
    public async Task if_match_names_the_version_expected()
    {
        var issued = await IssueAsync("match");
        var mismatch = await _host.PostAsync("/fines/match/payments", new { amount = 1, occurredAt = Day }, ("If-Match", "\"7\""));
        await AssertProblemAsync(412, "version-mismatch", mismatch);
        Assert.Equal("\"1\"", mismatch.Headers.ETag?.Tag);
        var paid = await _host.PostAsync("/fines/match/payments", new { amount = 1, occurredAt = Day }, ("If-Match", issued.Headers.ETag!.Tag));
        Assert.Equal("\"2\"", paid.Headers.ETag?.Tag);
        using var unchanged = new HttpRequestMessage(HttpMethod.Get, "/fines/match") { Headers = { { "If-None-Match", "\"2\"" } } };
        Assert.Equal(HttpStatusCode.NotModified, (await _host.Http.SendAsync(unchanged)).StatusCode);
    }

    [Fact]
    public async Task correlation_and_reason_of_the_request_are_in_the_events()
    {
        await _host.PostAsync("/fines", Issue("traced"), ("X-Correlation-Id", "flow-9"), ("X-Reason", "by hand"));
        var metadata = (await _host.GetAsync("/fines/traced/events"))[0].GetProperty("metadata");
        Assert.Equal(("flow-9", "by hand", "http"), (metadata.GetProperty("correlation").GetString(), metadata.GetProperty("reason").GetString(), metadata.GetProperty("origin").GetString()));
    }

    [Theory]
    [InlineData("")]
    [InlineData("{")]
    [InlineData("null")]
    [InlineData("[]")]
    [InlineData("{}")]
    [InlineData("""{"amount":"many"}""")]
    [InlineData("""{"amount":1,"surprise":2}""")]
    [InlineData("""{"amount":null}""")]
    [InlineData("""{"amount":1e400}""")]
    [InlineData("""{"amount":"0.001"}""")]
    [InlineData("""{"amount":1,"occurredAt":"yesterday"}""")]
    [InlineData("""{"amount":1,"occurredAt":"0001-01-01T00:00:00Z"}""")]
    public async Task bad_bodies_are_400_with_errors(string body)
    {
        await IssueAsync("bad");
        var answer = await _host.SendAsync("/fines/bad/payments", new StringContent(body, Encoding.UTF8, "application/json"));
        var problem = await AssertProblemAsync(400, null, answer);
        Assert.True(problem.TryGetProperty("errors", out var errors) && errors.EnumerateObject().Any(), problem.ToString());
    }

    [Theory]
    [InlineData("%00")]
    [InlineData("~b%2Fx")]
    [InlineData("%ED%A0%80")]
    public async Task bad_ids_are_400(string id) => Assert.InRange((int)(await _host.Http.GetAsync($"/fines/{id}")).StatusCode, 400, 404);

    [Theory]
    [InlineData("a/b")]
    [InlineData("..")]
    [InlineData("~b/x")]
    public async Task an_id_that_its_address_cannot_lead_back_to_is_refused(string id) =>
        Assert.Equal(HttpStatusCode.BadRequest, (await _host.PostAsync("/fines", Issue(id))).StatusCode);

    [Fact]
    public async Task the_trace_of_the_request_is_in_the_events()
    {
        await _host.PostAsync("/fines", Issue("spanned"), ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"));
        var metadata = (await _host.GetAsync("/fines/spanned/events"))[0].GetProperty("metadata");
        Assert.StartsWith("00-0af7651916cd43dd8448eb211c80319c-", metadata.GetProperty("traceparent").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task odd_input_is_never_a_5xx()
    {
        var random = new Random(20061124);
        string[] parts = ["{", "}", "[", "\"", "amount", ":", "1", "-", "e9", "\\u0000", "\\ud800", "null", ",", "35.10", "occurredAt", Day, "\0", "ü", "😀", new string('[', 200), new string('9', 400)];
        for (var i = 0; i < 300; i++)
        {
            var body = string.Concat(Enumerable.Range(0, random.Next(12)).Select(_ => parts[random.Next(parts.Length)]));
            var path = random.Next(3) switch { 0 => "/fines", 1 => "/fines/odd/payments", _ => $"/fines/{Uri.EscapeDataString(body[..Math.Min(body.Length, 40)])}/send" };
            var answer = await _host.SendAsync(path, new StringContent(body, Encoding.UTF8, "application/json"), ("If-Match", parts[random.Next(parts.Length - 8)]), ("Idempotency-Key", new string('k', random.Next(400))));
            Assert.True((int)answer.StatusCode < 500, $"{(int)answer.StatusCode} for {path}: {body}");
        }

        Assert.Equal(HttpStatusCode.BadRequest, (await _host.SendAsync("/fines", new StringContent(new string(' ', 300_000), Encoding.UTF8, "application/json"))).StatusCode);
        Assert.Equal(HttpStatusCode.BadRequest, (await _host.PostAsync("/fines", Issue(new string('x', 600)))).StatusCode);
    }

    [Fact]
    public async Task the_api_describes_itself_and_its_health()
    {
        Assert.Equal("Healthy", await _host.Http.GetStringAsync("/alive"));
        Assert.Equal("Healthy", (await _host.GetAsync("/health")).GetProperty("status").GetString());
        Assert.True((await _host.GetAsync("/openapi/v1.json")).GetProperty("paths").TryGetProperty("/fines/{id}/payments", out _));
        Assert.True((await _host.GetAsync("/openapi/v1.json")).GetProperty("paths").TryGetProperty("/views/{name}", out _));
    }

    [Fact]
    public async Task a_view_read_from_the_position_of_ones_own_command_on_shows_what_it_did()
    {
        await IssueAsync("mine");
        for (var i = 1; i <= 20; i++)
        {
            var paid = await _host.PostAsync("/fines/mine/payments", new { amount = "1.00", occurredAt = Day });
            var position = paid.Headers.GetValues("ES-Position").Single();
            var answer = await _host.Http.GetAsync($"/views/fine_summary/mine?after={position}&wait=30");
            Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync());
            Assert.True(long.Parse(answer.Headers.GetValues("ES-Position").Single(), null) >= long.Parse(position, null));
            var row = JsonDocument.Parse(await answer.Content.ReadAsStringAsync()).RootElement;
            Assert.Equal(($"{i}.00", i + 1, position), (row.GetProperty("row").GetProperty("paid").GetString(), row.GetProperty("row").GetProperty("events").GetInt32(), row.GetProperty("position").ToString()));
        }

        var settled = await _host.PostAsync("/fines/mine/payments", new { amount = "15.50", occurredAt = Day }, ("X-Reason", "the rest"));
        await AssertProblemAsync(404, "no-such-row", await _host.Http.GetAsync($"/views/open_cases/mine?after={settled.Headers.GetValues("ES-Position").Single()}&wait=30"));
    }

    [Fact]
    public async Task a_view_is_filtered_ordered_and_paged_by_its_indexed_columns()
    {
        long last = 0;
        for (var i = 0; i < 7; i++)
        {
            var issued = await _host.PostAsync("/fines", new { fineId = $"page-{i}", amount = 10 + (i * 7 % 5), article = 4_711, points = 0, vehicleClass = "A", officer = "9", dismissal = "NIL", occurredAt = Day });
            last = long.Parse(issued.Headers.GetValues("ES-Position").Single(), null);
        }

        var keys = new List<string>();
        var cursor = "";
        do
        {
            var page = await _host.GetAsync($"/views/fine_summary?article=4711&sort=-issued_at&limit=3&after={last}&wait=30{cursor}");
            keys.AddRange(page.GetProperty("rows").EnumerateArray().Select(r => r.GetProperty("key").GetString()!));
            cursor = page.GetProperty("next").GetString() is { } next ? $"&cursor={next}" : "";
        }
        while (cursor.Length > 0);

        Assert.Equal(Enumerable.Range(0, 7).Reverse().Select(i => $"page-{i}"), keys);
        var dear = await _host.GetAsync($"/views/open_cases?outstanding.ge=13&outstanding.lt=14.5&sort=outstanding&after={last}&wait=30&issued_at.gt=2000-01-01T00:00:00Z");
        Assert.Equal(["13.00", "14.00"], dear.GetProperty("rows").EnumerateArray().Where(r => r.GetProperty("key").GetString()!.StartsWith("page-", StringComparison.Ordinal)).Select(r => r.GetProperty("row").GetProperty("outstanding").GetString()!).Distinct());
        var month = await _host.GetAsync($"/views/officer_month/9/2006-07?after={last}&wait=30");
        Assert.Equal(7, month.GetProperty("row").GetProperty("fines").GetInt32());
    }

    [Fact]
    public async Task a_row_has_an_etag()
    {
        var issued = await IssueAsync("tagged");
        var row = await _host.Http.GetAsync($"/views/fine_summary/tagged?after={issued.Headers.GetValues("ES-Position").Single()}&wait=30");
        using var request = new HttpRequestMessage(HttpMethod.Get, "/views/fine_summary/tagged");
        request.Headers.IfNoneMatch.Add(row.Headers.ETag!);
        Assert.Equal(HttpStatusCode.NotModified, (await _host.Http.SendAsync(request)).StatusCode);
    }

    [Fact]
    public void rows_of_one_position_that_differ_have_different_etags()
    {
        var (one, other) = (new ViewRowAnswer("a", 7, new { Paid = 1 }, false), new ViewRowAnswer("a", 7, new { Paid = 2 }, false));
        Assert.StartsWith("\"7-", Tag(one), StringComparison.Ordinal);
        Assert.Equal(Tag(one), Tag(one with { Row = new { Paid = 1 } }));
        Assert.NotEqual(Tag(one), Tag(other));

        static string Tag(ViewRowAnswer row) => ViewEndpoints.Tag(row, JsonSerializerOptions.Web);
    }

    [Theory]
    [InlineData("/views/nothing", 404, "no-such-view")]
    [InlineData("/views/nothing/a", 404, "no-such-view")]
    [InlineData("/views/fine_summary/nobody", 404, "no-such-row")]
    [InlineData("/views/fine_summary?after=999999999", 400, "beyond-the-log")]
    [InlineData("/views/fine_summary?after=-1", 400, "bad-request")]
    [InlineData("/views/fine_summary?wait=31", 400, "bad-request")]
    [InlineData("/views/fine_summary?limit=0", 400, "bad-request")]
    [InlineData("/views/fine_summary?limit=1001", 400, "bad-request")]
    [InlineData("/views/fine_summary?cursor=x", 400, "bad-request")]
    [InlineData("/views/fine_summary?sort=dismissal", 400, "bad-request")]
    [InlineData("/views/fine_summary?article=x", 400, "bad-request")]
    [InlineData("/views/fine_summary?article.about=5", 400, "bad-request")]
    [InlineData("/views/fine_summary?paid.gt=5", 400, "bad-request")]
    [InlineData("/views/fine_summary?limit=5&limit=6", 400, "bad-request")]
    public async Task a_read_that_asks_for_what_is_not_there_is_told_so(string path, int status, string code) => await AssertProblemAsync(status, code, await _host.Http.GetAsync(path));

    private static object Issue(string id) => new { fineId = id, amount = 35.5, article = 157, points = 0, vehicleClass = "A", officer = "561", dismissal = "NIL", occurredAt = Day };

    private static async Task<JsonElement> AssertProblemAsync(int status, string? code, HttpResponseMessage answer)
    {
        var text = await answer.Content.ReadAsStringAsync();
        Assert.True((int)answer.StatusCode == status, $"{(int)answer.StatusCode}: {text}");
        Assert.Equal("application/problem+json", answer.Content.Headers.ContentType?.MediaType);
        var problem = JsonDocument.Parse(text).RootElement;
        Assert.True(code is null || problem.GetProperty("type").GetString() == $"urn:problem:{code}", text);
        return problem;
    }

    private Task<HttpResponseMessage> IssueAsync(string id) => _host.PostAsync("/fines", Issue(id));
}
