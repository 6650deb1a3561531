using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using Xunit;

namespace Orleans.EventSourced.IntegrationTests.Processes;

/// <summary>One node on SQLite, where branches may have 5 live events, shared by the tests of what-if over HTTP.</summary>
public sealed class FineBranches() : SharedNode("--History:MaxLiveEvents=5");

[Collection("processes")]
public sealed class FineBranchTests(FineBranches branches) : IClassFixture<FineBranches>
{
    private readonly HostProcess _host = branches.Host;

    [Fact]
    public async Task what_if_by_http_from_the_making_of_a_branch_to_its_end()
    {
        await _host.LiveAsync("whatif", payments: 2);
        var made = await _host.PostAsync("/_es/branches", new { id = "b1", reason = "had the first payment not come", edits = new[] { new { op = "drop", stream = "fine/whatif", version = 2 } }, minutes = 5 });
        Assert.Equal((HttpStatusCode.Created, "/_es/branches/b1"), (made.StatusCode, made.Headers.Location?.ToString()));
        Assert.Equal(HttpStatusCode.Conflict, (await _host.PostAsync("/_es/branches", new { id = "b1", reason = "had the first payment not come" })).StatusCode);
        Assert.Equal(("50.00", "10.00", 2), PastFines.Shown(await _host.AskAsync("/fines/whatif?branch=b1")));
        var paid = await _host.PostAsync("/fines/whatif/payments?branch=b1", new { amount = "7.00", occurredAt = "2010-01-01T00:00:00Z" }, ("Idempotency-Key", "branch-payment"));
        Assert.Equal(HttpStatusCode.OK, paid.StatusCode);
        Assert.Equal(await paid.Content.ReadAsStringAsync(), await (await _host.PostAsync("/fines/whatif/payments?branch=b1", new { amount = "7.00", occurredAt = "2010-01-01T00:00:00Z" }, ("Idempotency-Key", "branch-payment"))).Content.ReadAsStringAsync());
        Assert.Equal(HttpStatusCode.Conflict, (await _host.PostAsync("/fines/whatif/payments?branch=b1", new { amount = "7.00", occurredAt = "2001-01-01T00:00:00Z" })).StatusCode);
        Assert.Equal(("50.00", "17.00", 3), PastFines.Shown(await _host.AskAsync("/fines/whatif?branch=b1")));
        Assert.Equal(("50.00", "20.00", 3), PastFines.Shown(await _host.AskAsync("/fines/whatif")));
        var state = await _host.AskAsync("/_es/branches/b1/state/fine/whatif");
        Assert.Equal((17m, 20m), (state.GetProperty("state").GetProperty("paid").GetDecimal(), state.GetProperty("trunkState").GetProperty("paid").GetDecimal()));
        await Eventually.Async("the view is folded", async () => (await _host.Http.GetAsync("/_es/branches/b1/diff/fine_summary")).StatusCode == HttpStatusCode.OK);
        var diff = await _host.AskAsync("/_es/branches/b1/diff/fine_summary");
        Assert.Equal((0, 0, 1, "whatif", "-3.00"), (diff.GetProperty("added").GetInt32(), diff.GetProperty("removed").GetInt32(), diff.GetProperty("changed").GetInt32(), diff.GetProperty("rows")[0].GetProperty("key").GetString(), diff.GetProperty("difference").GetProperty("sums").GetProperty("paid").GetString()));
        Assert.Equal("17.00", (await _host.AskAsync("/_es/branches/b1/views/fine_summary/whatif")).GetProperty("row").GetProperty("paid").GetString());
        Assert.Equal(["b1"], (await _host.AskAsync("/_es/branches")).EnumerateArray().Select(b => b.GetProperty("id").GetString()));
        for (var i = 0; i < 4; i++)
        {
            await _host.PostAsync("/fines/whatif/payments?branch=b1", new { amount = "1.00", occurredAt = "2011-01-01T00:00:00Z" });
        }

        var over = await _host.PostAsync("/fines/whatif/payments?branch=b1", new { amount = "1.00", occurredAt = "2011-01-01T00:00:00Z" });
        Assert.Equal((HttpStatusCode.Conflict, "quota-reached"), (over.StatusCode, (await over.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("title").GetString()));
        Assert.Equal(HttpStatusCode.NoContent, (await _host.Http.DeleteAsync("/_es/branches/b1?reason=it+was+seen")).StatusCode);
        await Eventually.Async("the activation whose append was refused has ended, and its branch is missed", async () => await _host.RefusedAsync("/fines/whatif?branch=b1") == (HttpStatusCode.NotFound, "no-such-branch"));
        Assert.Equal(["milder-penalty", "paid-in-time"], (await _host.AskAsync("/_es/what-ifs")).GetProperty("functions").EnumerateArray().Select(f => f.GetProperty("name").GetString()));
    }

    [Fact]
    public async Task a_branch_is_made_once_for_each_Idempotency_Key_whatever_is_sent_again()
    {
        await _host.LiveAsync("keyed", payments: 1);
        object request = new { reason = "what if it is sent again", edits = new[] { new { op = "drop", stream = "fine/keyed", version = 2 } }, minutes = 5 };
        var first = await MadeAsync(request, "a-key");
        Assert.Equal(first, await MadeAsync(request, "a-key"));
        Assert.NotEqual(first, await MadeAsync(request, "another-key"));
        var other = await _host.PostAsync("/_es/branches", new { reason = "what if it is sent again", minutes = 5 }, ("Idempotency-Key", "a-key"));
        Assert.Equal(HttpStatusCode.Conflict, other.StatusCode);
        var ids = (await _host.AskAsync("/_es/branches")).EnumerateArray().Where(b => b.GetProperty("reason").GetString() == "what if it is sent again").Select(b => b.GetProperty("id").GetString()).ToList();
        Assert.Equal(2, ids.Count);

        // Dropped, it is gone; the command that dropped it says so again, and another one finds none.
        foreach (var (id, key, status) in ids.SelectMany(i => new[] { (i, "drop-" + i, HttpStatusCode.NoContent), (i, "drop-" + i, HttpStatusCode.NoContent), (i, "other-" + i, HttpStatusCode.NotFound) }))
        {
            using var drop = new HttpRequestMessage(HttpMethod.Delete, $"/_es/branches/{id}?reason=it+was+seen") { Headers = { { "Idempotency-Key", key } } };
            Assert.Equal(status, (await _host.Http.SendAsync(drop)).StatusCode);
        }

        async Task<string?> MadeAsync(object body, string key)
        {
            var answer = await _host.PostAsync("/_es/branches", body, ("Idempotency-Key", key));
            Assert.Equal(HttpStatusCode.Created, answer.StatusCode);
            return (await answer.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("id").GetString();
        }
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
    [InlineData("""{"reason":"x","rules":[null]}""", 400, "bad-edit")]
    [InlineData("""{"reason":"x","edits":[null]}""", 400, "bad-request")]
    [InlineData("""{"reason":"x","minutes":9999999}""", 400, "bad-request")]
    [InlineData("""{"reason":"x","minutes":100000}""", 409, "quota-reached")]
    public async Task a_branch_that_cannot_be_is_refused_and_named(string body, int status, string code)
    {
        await _host.LiveAsync("edits", payments: 0);
        var answer = await _host.SendAsync("/_es/branches", new StringContent(body, System.Text.Encoding.UTF8, "application/json"));
        var problem = await answer.Content.ReadFromJsonAsync<JsonElement>();
        Assert.Equal(((HttpStatusCode)status, code), (answer.StatusCode, problem.GetProperty("title").GetString()));
        Assert.DoesNotContain("x", (await _host.AskAsync("/_es/branches")).EnumerateArray().Select(b => b.GetProperty("reason").GetString()));
    }
}
