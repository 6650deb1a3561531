using System.Net;
using System.Text.Json;
using Orleans.EventSourced.IntegrationTests.Grains;
using Xunit;

namespace Orleans.EventSourced.IntegrationTests.Processes;

/// <summary>Clients that follow a view of the real program.</summary>
[Collection("processes")]
public sealed class ViewFeedTests(PostgresFixture postgres) : IDisposable
{
    private readonly TestFolder _folder = new();
    private readonly Dictionary<string, JsonElement> _rows = new(StringComparer.Ordinal);
    private readonly List<string> _names = [];
    private string? _lastId;

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("sqlite")]
    [InlineData("postgres")]
    public async Task who_keeps_the_last_change_of_each_row_has_the_view_though_its_node_is_killed_meanwhile(string store)
    {
        var eventlog = store == "sqlite" ? null : await postgres.CreateDatabaseAsync();
        await using (var killed = await HostProcess.ServeAsync(_folder, eventlog))
        {
            // One that begins is told from where.
            await FollowAsync(killed, () => _lastId is not null);
            Assert.Equal(["begin"], _names);
            for (var i = 0; i < 12; i++)
            {
                await IssueAsync(killed, $"f{i}");
            }

            await FollowAsync(killed, () => _rows.Count == 12);
            await PayAsync(killed, "f1", 200);
            await PayAsync(killed, "f2", 500);
            await killed.KillAsync();
        }

        await using var next = await HostProcess.ServeAsync(_folder, eventlog);
        await PayAsync(next, "f3", 500);
        await IssueAsync(next, "f12");
        await FollowAsync(next, () => _rows.ContainsKey("f12"));
        Assert.Contains("deleted", _names);
        Assert.DoesNotContain("reset", _names);

        var view = (await next.GetAsync("/views/open_cases?limit=100")).GetProperty("rows").EnumerateArray().ToDictionary(r => r.GetProperty("key").GetString()!, r => r.GetProperty("row").GetRawText());
        Assert.Equal(11, view.Count);
        Assert.Equal(view, _rows.ToDictionary(r => r.Key, r => r.Value.GetRawText()));

        // A cursor that this log never gave: by no waiting would the rows come to it.
        _lastId = "10001-1000000";
        await FollowAsync(next, () => _names[^1] == "reset");
        Assert.NotEqual("10001-1000000", _lastId);

        foreach (var bad in (string[])["/views/open_cases?since=yesterday", "/views/open_cases?limit=3"])
        {
            Assert.Equal(HttpStatusCode.BadRequest, await StatusAsync(next, bad));
        }

        Assert.Equal(HttpStatusCode.NotFound, await StatusAsync(next, "/views/nothing"));
    }

    private async Task FollowAsync(HostProcess node, Func<bool> until)
    {
        await foreach (var item in SseFeed.WatchAsync(node, "/views/open_cases", _lastId))
        {
            _lastId = item.EventId;
            _names.Add(item.EventType);
            var change = JsonSerializer.Deserialize<JsonElement>(item.Data);
            if (item.EventType == "changed")
            {
                _rows[change.GetProperty("key").GetString()!] = change.GetProperty("row");
            }
            else if (item.EventType == "deleted")
            {
                Assert.True(_rows.Remove(change.GetProperty("key").GetString()!));
            }

            if (until())
            {
                return;
            }
        }

        Assert.Fail("The feed ended.");
    }

    private static async Task IssueAsync(HostProcess node, string fine)
    {
        using var answer = await node.PostAsync("/fines", new { fineId = fine, amount = 500, article = 157, points = 0, vehicleClass = "A", officer = "561" });
        Assert.Equal(HttpStatusCode.Created, answer.StatusCode);
    }

    private static async Task PayAsync(HostProcess node, string fine, int amount)
    {
        using var answer = await node.PostAsync($"/fines/{fine}/payments", new { amount });
        Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync());
    }

    private static async Task<HttpStatusCode> StatusAsync(HostProcess node, string path)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, path);
        request.Headers.Accept.ParseAdd("text/event-stream");
        using var answer = await node.Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        return answer.StatusCode;
    }
}
