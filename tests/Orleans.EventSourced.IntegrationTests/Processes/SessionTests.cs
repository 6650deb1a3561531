using System.Globalization;
using System.Net;
using System.Net.ServerSentEvents;
using System.Text.Json;
using Orleans.EventSourced.IntegrationTests.Grains;
using Xunit;

namespace Orleans.EventSourced.IntegrationTests.Processes;

/// <summary>Clients that do not wait for their commands, by the real program.</summary>
[Collection("processes")]
public sealed class SessionTests(PostgresFixture postgres) : IDisposable
{
    private readonly TestFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("sqlite")]
    [InlineData("postgres")]
    public async Task what_was_answered_202_is_done_though_the_node_is_killed_and_nobody_asks_again(string store)
    {
        var eventlog = store == "sqlite" ? null : await postgres.CreateDatabaseAsync();
        var addresses = new List<string>();
        await using (var killed = await HostProcess.ServeAsync(_folder, eventlog))
        {
            await AcceptedAsync(killed, "/fines", new { fineId = "a", amount = 500, article = 157, points = 0, vehicleClass = "A", officer = "561" }, "issue", addresses);
            await Task.WhenAll(Enumerable.Range(0, 100).Select(async i =>
            {
                await AcceptedAsync(killed, "/fines/a/payments", new { amount = 1, occurredAt = "2027-01-01T00:00:00Z" }, $"pay {i}", addresses);
            }));
            await killed.KillAsync();
        }

        await using var next = await HostProcess.ServeAsync(_folder, eventlog);
        await Eventually.Async("all payments", async () => (await next.GetAsync("/fines/a")).GetProperty("paid").GetString() == "100.00", seconds: 60);
        Assert.Equal(101, (await next.GetAsync("/fines/a")).GetProperty("version").GetInt32());
        await Eventually.Async("all fates", async () => (await next.GetAsync("/sessions/tab%201/mutations?limit=1000")).GetProperty("mutations").EnumerateArray().All(m => m.GetProperty("state").GetString() == "accepted"));
        var mine = await next.GetAsync("/views/fine_summary/a?session=tab%201");
        Assert.Equal(100m, decimal.Parse(mine.GetProperty("row").GetProperty("paid").ToString(), CultureInfo.InvariantCulture));
        using var both = await next.Http.GetAsync("/views/fine_summary/a?session=tab%201&after=1");
        Assert.Equal(HttpStatusCode.BadRequest, both.StatusCode);
        var position = (await next.GetAsync("/fines/a")).GetProperty("position").GetInt64();
        await next.GetAsync($"/views/fine_summary/a?after={position}&wait=30");
        foreach (var address in addresses)
        {
            Assert.True((await next.GetAsync($"{address}?view=fine_summary")).GetProperty("projected").GetBoolean());
        }
    }

    [Fact]
    public async Task a_session_tells_what_was_refused_and_bad_requests_are_named()
    {
        await using var node = await HostProcess.ServeAsync(_folder, null);
        var addresses = new List<string>();
        await AcceptedAsync(node, "/fines/b/payments", new { amount = 1 }, "too early", addresses);
        await AcceptedAsync(node, "/fines/b/payments", new { amount = 1 }, "too early", addresses);
        Assert.Equal(addresses[0], addresses[1]);
        JsonElement status = default;
        await Eventually.Async("its fate", async () => (status = await node.GetAsync(addresses[0])).GetProperty("state").GetString() != "requested");
        Assert.Equal(("rejected", "not-issued", "register-payment", "b"), (status.GetProperty("state").GetString(), status.GetProperty("code").GetString(), status.GetProperty("command").GetString(), status.GetProperty("target").GetString()));

        using var reused = await node.PostAsync("/fines/b/payments", new { amount = 2 }, ("Prefer", "respond-async"), ("ES-Session", "tab 1"), ("Idempotency-Key", "too early"));
        Assert.Equal(HttpStatusCode.UnprocessableEntity, reused.StatusCode);
        await node.PostAsync("/fines", new { fineId = "c", amount = 10, article = 157, points = 0, vehicleClass = "A", officer = "561" }, ("Idempotency-Key", "for c"));
        using var elsewhere = await node.PostAsync("/fines/b/payments", new { amount = 1 }, ("Prefer", "respond-async"), ("ES-Session", "tab 1"), ("Idempotency-Key", "for c"));
        Assert.Equal(HttpStatusCode.UnprocessableEntity, elsewhere.StatusCode);
        using var nameless = await node.PostAsync("/fines/b/payments", new { amount = 2 }, ("Prefer", "respond-async"));
        Assert.Equal(HttpStatusCode.BadRequest, nameless.StatusCode);
        Assert.Contains("ES-Session", await nameless.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        using var forgotten = await node.Http.GetAsync($"/sessions/tab%201/mutations?cursor={Guid.NewGuid():D}");
        Assert.Equal(HttpStatusCode.BadRequest, forgotten.StatusCode);
        Assert.Contains("cursor", await forgotten.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        using var unknown = await node.Http.GetAsync($"/sessions/tab%202/mutations/{Guid.NewGuid():D}");
        Assert.Equal(HttpStatusCode.NotFound, unknown.StatusCode);
    }

    [Fact]
    public async Task a_watched_session_tells_each_change_once_and_in_order_though_its_node_is_killed_and_the_feed_ends_with_a_node_that_stops()
    {
        var addresses = new List<string>();
        var seen = new List<(int Id, string Name, Guid Mutation)>();
        await using (var killed = await HostProcess.ServeAsync(_folder, null))
        {
            var watching = WatchAsync(killed, seen, 13);
            await AcceptedAsync(killed, "/fines", new { fineId = "a", amount = 500, article = 157, points = 0, vehicleClass = "A", officer = "561" }, "issue", addresses);
            for (var i = 0; i < 10; i++)
            {
                await AcceptedAsync(killed, i == 5 ? "/fines/nobody/payments" : "/fines/a/payments", new { amount = 1, occurredAt = "2027-01-01T00:00:00Z" }, $"pay {i}", addresses);
            }

            await watching;
            await killed.KillAsync();
        }

        await using var next = await HostProcess.ServeAsync(_folder, null);
        await WatchAsync(next, seen, 22);
        Assert.Equal(Enumerable.Range(1, 22), seen.Select(s => s.Id));
        Assert.Equal(addresses.Select(a => Guid.Parse(a.Split('/')[^1])), seen.Where(s => s.Name == "requested").Select(s => s.Mutation));
        Assert.Equal(addresses.Select(a => Guid.Parse(a.Split('/')[^1])), seen.Where(s => s.Name != "requested").Select(s => s.Mutation));
        Assert.Equal("rejected", Assert.Single(seen, s => s.Name is not "requested" and not "accepted").Name);

        using var bad = await next.Http.GetAsync("/sessions/tab%201/changes?since=yesterday");
        Assert.Equal(HttpStatusCode.BadRequest, bad.StatusCode);

        // A feed with nothing to tell ends with its node, in order and not by the node's patience.
        using var open = await next.Http.GetAsync("/sessions/quiet/changes", HttpCompletionOption.ResponseHeadersRead);
        await using var quiet = await open.Content.ReadAsStreamAsync();
        Assert.Equal(0, await next.TerminateAsync());
        Assert.All(await SseParser.Create(quiet).EnumerateAsync().ToListAsync(), item => Assert.Equal("heartbeat", item.EventType));
    }

    /// <summary>Watches behind what was seen until so many were.</summary>
    private static async Task WatchAsync(HostProcess node, List<(int Id, string Name, Guid Mutation)> seen, int until)
    {
        await foreach (var item in SseFeed.WatchAsync(node, "/sessions/tab%201/changes", seen.Count > 0 ? seen[^1].Id.ToString(CultureInfo.InvariantCulture) : null))
        {
            seen.Add((int.Parse(item.EventId!, CultureInfo.InvariantCulture), item.EventType, JsonSerializer.Deserialize<JsonElement>(item.Data).GetProperty("mutation").GetGuid()));
            if (seen.Count == until)
            {
                return;
            }
        }
    }

    private static async Task AcceptedAsync(HostProcess node, string path, object body, string key, List<string> addresses)
    {
        using var answer = await node.PostAsync(path, body, ("Prefer", "respond-async"), ("ES-Session", "tab 1"), ("Idempotency-Key", key));
        Assert.Equal(HttpStatusCode.Accepted, answer.StatusCode);
        lock (addresses)
        {
            addresses.Add(answer.Headers.Location!.ToString());
        }
    }
}
