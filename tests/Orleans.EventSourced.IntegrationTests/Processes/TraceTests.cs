using System.Net;
using System.Text.Json;
using Orleans.EventSourced.IntegrationTests.Grains;
using Xunit;

namespace Orleans.EventSourced.IntegrationTests.Processes;

/// <summary>Workflows from their first command on, by the real program.</summary>
[Collection("processes")]
public sealed class TraceTests(PostgresFixture postgres) : IDisposable
{
    private const string Workflow = "case 7/of the shop";
    private const string Notified = "2026-03-01T00:00:00+01:00";
    private readonly TestFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("sqlite")]
    [InlineData("postgres")]
    public async Task a_workflow_of_a_session_and_a_deadline_is_found_by_its_id_its_events_and_its_commands(string store)
    {
        await using var node = await HostProcess.ServeAsync(_folder, store == "sqlite" ? null : await postgres.CreateDatabaseAsync());
        var issue = await AskedAsync(node, "/fines", new { fineId = "a", amount = 35, article = 157, points = 0, vehicleClass = "A", officer = "561", occurredAt = Notified });
        var refused = await AskedAsync(node, "/fines/nobody/payments", new { amount = 1 });
        var notify = await AskedAsync(node, "/fines/a/notification", new { notificationType = "P", occurredAt = Notified });
        List<JsonElement> events = [];
        await Eventually.Async("the penalty", async () => (events = [.. (await node.GetAsync("/fines/a/events")).EnumerateArray()]).Count == 3, seconds: 60);
        var position = events[2].GetProperty("position").GetInt64();
        await node.GetAsync($"/views/es_trace?after={position}&wait=30&limit=1");

        var (trace, reflects) = await TraceAsync(node, Workflow);
        Assert.InRange(reflects, position, long.MaxValue);
        Assert.Equal((Workflow, false, 0, 10_000), (trace.GetProperty("correlation").GetString(), trace.GetProperty("truncated").GetBoolean(), trace.GetProperty("gaps").GetArrayLength(), trace.GetProperty("limit").GetInt32()));
        var nodes = trace.GetProperty("nodes").EnumerateArray().ToDictionary(n => n.GetProperty("id").GetString()!);
        Assert.Equal(
            ["mutation-requested", "accepted issue-fine", "fine-issued", "accepted", "mutation-accepted", "mutation-requested", "rejected register-payment", "accepted", "mutation-rejected", "mutation-requested", "accepted insert-notification", "notification-inserted", "accepted", "penalty-added", "accepted", "mutation-accepted"],
            trace.GetProperty("nodes").EnumerateArray().Where(n => n.GetProperty("depth").GetInt32() > 0).Select(Told));

        // A refusal stands under the request for it, with who asked and why.
        var rejected = nodes[refused];
        Assert.Equal(("command", "not-issued", "nobody", "seven", "mutation", 0), (Text(rejected, "kind"), Text(rejected, "code"), Text(rejected, "target"), Text(rejected, "reason"), Text(rejected, "origin"), rejected.GetProperty("events").GetInt32()));
        Assert.Contains("nobody", Text(rejected, "detail") + Text(rejected, "target"), StringComparison.Ordinal);
        Assert.Equal("mutation-requested", Text(nodes[Text(rejected, "parent")!], "type"));

        // What the deadline did hangs on the event that it followed, some time behind it.
        var penalty = nodes[events[2].GetProperty("id").GetString()!];
        var deadline = nodes[Text(penalty, "parent")!];
        Assert.Equal(("deadline:penalty", "deadline", events[1].GetProperty("id").GetString()), (Text(deadline, "actor"), Text(deadline, "origin"), Text(deadline, "parent")));
        Assert.InRange(deadline.GetProperty("after").GetDouble(), 0.000_001, 60);
        Assert.Equal((3, position, "fine/a"), (penalty.GetProperty("version").GetInt32(), penalty.GetProperty("position").GetInt64(), Text(penalty, "stream")));
        Assert.Equal(events[0].GetProperty("recordedAt").GetDateTimeOffset(), nodes[events[0].GetProperty("id").GetString()!].GetProperty("at").GetDateTimeOffset());

        foreach (var id in (string[])[issue, refused, notify, .. events.Select(e => e.GetProperty("id").GetString()!), Text(deadline, "id")!])
        {
            Assert.Equal(trace.GetProperty("nodes").GetRawText(), (await TraceAsync(node, id)).Trace.GetProperty("nodes").GetRawText());
        }

        using var nobody = await node.Http.GetAsync("/_es/trace/nobody");
        Assert.Equal(HttpStatusCode.NotFound, nobody.StatusCode);
        Assert.True(nobody.Headers.Contains("ES-Position"));
        Assert.Equal("urn:problem:no-such-workflow", JsonDocument.Parse(await nobody.Content.ReadAsStringAsync()).RootElement.GetProperty("type").GetString());
        using var nothing = await node.Http.GetAsync("/_es/trace/");
        Assert.Equal(HttpStatusCode.BadRequest, nothing.StatusCode);
    }

    [Fact]
    public async Task a_node_that_keeps_no_traces_says_so_and_one_that_keeps_them_again_has_all()
    {
        await using (var without = await HostProcess.ServeAsync(_folder, null, null, null, "Fines__KeepsTraces=false"))
        {
            await AskedAsync(without, "/fines", new { fineId = "a", amount = 35, article = 157, points = 0, vehicleClass = "A", officer = "561" });
            using var answer = await without.Http.GetAsync($"/_es/trace/{Uri.EscapeDataString(Workflow)}");
            Assert.Equal(HttpStatusCode.NotFound, answer.StatusCode);
            Assert.Contains("urn:problem:no-trace\"", await answer.Content.ReadAsStringAsync(), StringComparison.Ordinal);
            await Eventually.Async("the fine", async () => (await without.Http.GetAsync("/fines/a")).IsSuccessStatusCode);
            Assert.Equal(0, await without.TerminateAsync());
        }

        await using var node = await HostProcess.ServeAsync(_folder, null);
        await Eventually.Async("the trace", async () => (await node.Http.GetAsync($"/_es/trace/{Uri.EscapeDataString(Workflow)}")).IsSuccessStatusCode);
    }

    private static string Told(JsonElement node) => Text(node, "kind") == "event" ? Text(node, "type")! : $"{Text(node, "state")} {Text(node, "command")}".Trim();

    private static string? Text(JsonElement node, string name) => node.TryGetProperty(name, out var value) ? value.GetString() : null;

    private static async Task<(JsonElement Trace, long Reflects)> TraceAsync(HostProcess node, string id)
    {
        using var answer = await node.Http.GetAsync($"/_es/trace/{Uri.EscapeDataString(id)}");
        var text = await answer.Content.ReadAsStringAsync();
        Assert.True(answer.StatusCode == HttpStatusCode.OK, text);
        return (JsonDocument.Parse(text).RootElement, long.Parse(answer.Headers.GetValues("ES-Position").Single(), null));
    }

    /// <summary>The id of the mutation, once it has its fate.</summary>
    private static async Task<string> AskedAsync(HostProcess node, string path, object body)
    {
        using var asked = await node.PostAsync(path, body, ("Prefer", "respond-async"), ("ES-Session", "tab"), ("X-Correlation-Id", Workflow), ("X-Reason", "seven"));
        Assert.Equal(HttpStatusCode.Accepted, asked.StatusCode);
        var address = asked.Headers.Location!.ToString();
        await Eventually.Async($"the fate of {address}", async () => (await node.GetAsync(address)).GetProperty("state").GetString() != "requested");
        return address.Split('/')[^1];
    }
}
