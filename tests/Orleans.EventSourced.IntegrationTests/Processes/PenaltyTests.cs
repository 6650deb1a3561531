using System.Net;
using System.Text.Json;
using Orleans.EventSourced.IntegrationTests.Grains;
using Xunit;

namespace Orleans.EventSourced.IntegrationTests.Processes;

/// <summary>Penalties at the end of the term, by the real program.</summary>
[Collection("processes")]
public sealed class PenaltyTests(PostgresFixture postgres) : IDisposable
{
    private const string Notified = "2026-03-01T00:00:00+01:00";
    private readonly TestFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task when_the_node_that_took_the_commands_is_killed_another_one_adds_the_penalties_each_once()
    {
        var eventlog = await postgres.CreateDatabaseAsync();
        await using var stays = await HostProcess.ServeAsync(_folder, eventlog);
        await using (var killed = await HostProcess.ServeAsync(_folder, eventlog))
        {
            for (var i = 0; i < 40; i++)
            {
                await IssueAsync(killed, $"open{i}");
                Assert.Equal(HttpStatusCode.OK, (await killed.PostAsync($"/fines/open{i}/notification", new { notificationType = "P", occurredAt = Notified })).StatusCode);
            }

            await killed.KillAsync();
        }

        await Eventually.Async("all penalties", async () => (await Task.WhenAll(Enumerable.Range(0, 40).Select(i => PenaltiesAsync(stays, $"open{i}")))).All(p => p.Count > 0), seconds: 60);
        foreach (var i in Enumerable.Range(0, 40))
        {
            var penalty = Assert.Single(await PenaltiesAsync(stays, $"open{i}"));
            Assert.Equal(DateTimeOffset.Parse(Notified, null).AddDays(60), penalty.GetProperty("data").GetProperty("occurredAt").GetDateTimeOffset());
            Assert.Equal(("70.00", "deadline:penalty"), (penalty.GetProperty("data").GetProperty("amount").GetString(), penalty.GetProperty("metadata").GetProperty("actor").GetString()));
        }
    }

    [Fact]
    public async Task on_sqlite_too_and_neither_a_fine_paid_in_time_nor_an_imported_one_gets_one()
    {
        var import = await HostProcess.RunToEndAsync(_folder, null, "generate", "300", "--json");
        Assert.True(import.Code == 0, import.Errors);
        await using var node = await HostProcess.ServeAsync(_folder, null);
        await IssueAsync(node, "paid");
        await node.PostAsync("/fines/paid/payments", new { amount = 35, occurredAt = Notified });
        await node.PostAsync("/fines/paid/notification", new { notificationType = "P", occurredAt = Notified });
        await IssueAsync(node, "open");
        await node.PostAsync("/fines/open/notification", new { notificationType = "P", occurredAt = Notified });
        await Eventually.Async("the penalty", async () => (await PenaltiesAsync(node, "open")).Count > 0);

        var position = (await node.GetAsync("/fines/open")).GetProperty("position").GetInt64();
        Assert.Empty((await node.GetAsync($"/views/penalty_due?after={position}&wait=30")).GetProperty("rows").EnumerateArray());
        Assert.Empty(await PenaltiesAsync(node, "paid"));
        var figures = JsonDocument.Parse(import.Output).RootElement;
        Assert.Equal(figures.GetProperty("events").GetInt64() + 6, position);
        var check = (await node.GetAsync("/health")).GetProperty("checks").GetProperty("reactions");
        Assert.Equal(("Healthy", 1), (check.GetProperty("status").GetString(), check.GetProperty("data").GetProperty("deadline/penalty").GetProperty("handled").GetInt32()));
        Assert.Equal("Ticking", check.GetProperty("data").GetProperty("deadline/penalty").GetProperty("state").GetString());
    }

    private static async Task IssueAsync(HostProcess node, string id) => Assert.Equal(
        HttpStatusCode.Created,
        (await node.PostAsync("/fines", new { fineId = id, amount = 35, article = 157, points = 0, vehicleClass = "A", officer = "561", occurredAt = Notified })).StatusCode);

    private static async Task<List<JsonElement>> PenaltiesAsync(HostProcess node, string id) =>
        [.. (await node.GetAsync($"/fines/{id}/events")).EnumerateArray().Where(e => e.GetProperty("type").GetString() == "penalty-added")];
}
