using System.Net;
using System.Text.Json;
using Npgsql;
using Orleans.EventSourced.IntegrationTests.Grains;
using Orleans.EventSourced.IntegrationTests.Log;
using Xunit;

namespace Orleans.EventSourced.IntegrationTests.Processes;

/// <summary>
/// Two different programs in one cluster. The newer one knows the event type <c>withdrawn</c> and version 2 of the view <c>balances</c>; the view <c>totals</c> has the same version in both, and only
/// the newer one's fold knows withdrawals.
/// </summary>
[Collection("processes")]
public sealed class RollingUpgradeTests(PostgresFixture postgres) : IDisposable
{
    private readonly TestFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task beside_a_newer_program_an_older_one_poisons_nothing_and_when_it_has_gone_the_newer_version_takes_over(bool isKilled)
    {
        var eventlog = await postgres.CreateDatabaseAsync();
        await using var sql = await PostgresLaws.ConnectAsync(eventlog, null);
        await using var old = await HostProcess.ServeAsync(NodePrograms.Old, _folder, eventlog);
        for (var i = 0; i < 8; i++)
        {
            await DoAsync(old, $"a{i}/deposits/10");
        }

        Assert.Equal(10, await RowAsync(old, "balances/a0", "deposits", after: 8));
        await using var next = await HostProcess.ServeAsync(NodePrograms.Next, _folder, eventlog);

        // What both know, both write, and each shows it from its own table.
        await DoAsync(next, "a0/deposits/1");
        var known = await DoAsync(old, "b0/deposits/5");
        Assert.Equal(11, await RowAsync(old, "balances/a0", "deposits", known));
        Assert.Equal((11, 0), (await RowAsync(next, "balances/a0", "deposits", known), await RowAsync(next, "balances/a0", "withdrawals", known)));

        // A command that the older one does not know fails at an account that it holds. A call that it knows, from the newer one, takes the account over.
        using (var refused = await next.PostAsync("/accounts/b0/withdrawals/3", new { }))
        {
            Assert.Equal((HttpStatusCode.InternalServerError, known), (refused.StatusCode, await HeadAsync(sql)));
        }

        await WithdrawAsync(next, "b0", 3);
        await WithdrawAsync(next, "a1", 4);
        await DoAsync(old, "a1/deposits/2");
        var head = await DoAsync(old, "a2/deposits/1");
        Assert.Equal((5, 3), (await RowAsync(next, "balances/b0", "deposits", head), await RowAsync(next, "balances/b0", "withdrawals", head)));
        Assert.Equal((12, 4), (await RowAsync(next, "balances/a1", "deposits", head), await RowAsync(next, "balances/a1", "withdrawals", head)));
        Assert.Equal(82, await RowAsync(next, "totals/all", "sum", head));

        // The older one shows the shared view up to the head, its own one up to the withdrawal, and says so.
        Assert.Equal(82, await RowAsync(old, "totals/all", "sum", head));
        await WaitsAsync(old, known);
        Assert.Equal(10, await RowAsync(old, "balances/a1", "deposits", known));
        using (var late = await old.Http.GetAsync($"/views/balances/a1?after={head}&wait=1"))
        {
            Assert.Equal(HttpStatusCode.ServiceUnavailable, late.StatusCode);
        }

        await AssertHealthAsync(old, "Degraded");
        await AssertHealthAsync(next, "Healthy");
        await AssertNothingIsPoisonedAsync(sql);

        // An account with a withdrawal that starts at the older one is refused there for what it is, and goes on elsewhere.
        await Eventually.Async("the older program starts the account and refuses it", async () =>
        {
            using var left = await next.PostAsync("/accounts/b0/leave", new { });
            using var refused = await old.Http.GetAsync("/accounts/b0");
            return refused.StatusCode == HttpStatusCode.InternalServerError && (await refused.Content.ReadAsStringAsync()).Contains("urn:problem:unknown-event-type", StringComparison.Ordinal);
        });
        head = await WithdrawAsync(next, "b0", 1);
        head = Math.Max(head, await DoAsync(old, "a3/deposits/1"));
        Assert.Equal(1, await ShownAsync(sql));

        await (isKilled ? old.KillAsync() : old.TerminateAsync());
        await Eventually.Async("the plain name shows version 2", async () => await ShownAsync(sql) == 2, seconds: 40);
        Assert.Equal(4, await NumberAsync(sql, "select withdrawals from es_views.balances where key = 'b0'"));
        Assert.Equal(10, await RowAsync(next, "balances/a7", "deposits", head = await WithdrawAsync(next, "a7", 10)));
        Assert.Equal(72, await RowAsync(next, "totals/all", "sum", head));
        await AssertEqualsFoldAsync(next, "balances", 2, rows: 9);
        await AssertEqualsFoldAsync(next, "totals", 1, rows: 1);
        await AssertHealthAsync(next, "Healthy");
        await AssertNothingIsPoisonedAsync(sql);
    }

    [Fact]
    public async Task an_older_program_that_comes_back_beside_a_newer_one_waits_and_spoils_nothing()
    {
        var eventlog = await postgres.CreateDatabaseAsync();
        await using var sql = await PostgresLaws.ConnectAsync(eventlog, null);
        await using var next = await HostProcess.ServeAsync(NodePrograms.Next, _folder, eventlog);
        await DoAsync(next, "a0/deposits/10");
        var head = await WithdrawAsync(next, "a0", 4);
        Assert.Equal(6, await RowAsync(next, "totals/all", "sum", head));

        await using var old = await HostProcess.ServeAsync(NodePrograms.Old, _folder, eventlog);
        await WaitsAsync(old, 1);
        head = await DoAsync(old, "a1/deposits/1");
        Assert.Equal((7, 7), (await RowAsync(old, "totals/all", "sum", head), await RowAsync(next, "totals/all", "sum", head)));
        Assert.Equal(10, await RowAsync(old, "balances/a0", "deposits", after: 1));
        await AssertHealthAsync(old, "Degraded");
        await AssertHealthAsync(next, "Healthy");
        Assert.Equal(2, await ShownAsync(sql));

        // The upgrade is taken back: what is in the shared view already the older one need not read again.
        await next.TerminateAsync();
        head = await DoAsync(old, "a1/deposits/2");
        Assert.Equal(9, await RowAsync(old, "totals/all", "sum", head));
        await AssertHealthAsync(old, "Degraded");
        await AssertNothingIsPoisonedAsync(sql);
        Assert.Equal(2, await ShownAsync(sql));

        await using var again = await HostProcess.ServeAsync(NodePrograms.Next, _folder, eventlog);
        Assert.Equal(3, await RowAsync(again, "balances/a1", "deposits", head));
        await old.TerminateAsync();
        head = await WithdrawAsync(again, "a1", 1);
        Assert.Equal((1, 8), (await RowAsync(again, "balances/a1", "withdrawals", head), await RowAsync(again, "totals/all", "sum", head)));
        await AssertEqualsFoldAsync(again, "balances", 2, rows: 2);
        await AssertEqualsFoldAsync(again, "totals", 1, rows: 1);
        await AssertHealthAsync(again, "Healthy");
    }

    /// <summary>Sends a command; answers its position.</summary>
    private static async Task<long> DoAsync(HostProcess node, string command)
    {
        using var answer = await node.PostAsync($"/accounts/{command}", new { });
        return (await JsonOfAsync(answer, node)).GetProperty("position").GetInt64();
    }

    /// <summary>Takes an account over, as any call by a newer version of its interface does, and then sends the command that only the newer program knows.</summary>
    private static async Task<long> WithdrawAsync(HostProcess next, string account, int amount)
    {
        var seen = "";
        await Eventually.Async($"{account} is with the newer program", async () =>
        {
            using var answer = await next.Http.GetAsync($"/accounts/{account}");
            seen = await answer.Content.ReadAsStringAsync();
            return answer.IsSuccessStatusCode;
        }, () => seen);
        return await DoAsync(next, $"{account}/withdrawals/{amount}");
    }

    /// <summary>A column of a row as a node shows it, at a position or later.</summary>
    private static async Task<int> RowAsync(HostProcess node, string row, string column, long after)
    {
        using var answer = await node.Http.GetAsync($"/views/{row}?after={after}&wait=20");
        return (await JsonOfAsync(answer, node)).GetProperty("row").GetProperty(column).GetInt32();
    }

    /// <summary>The older program's own view stands before the first event that it does not know.</summary>
    private static async Task WaitsAsync(HostProcess old, long position)
    {
        var seen = default(JsonElement);
        await Eventually.Async($"version 1 of balances waits at {position} for a newer program", async () =>
        {
            seen = await old.GetAsync("/projections");
            var own = seen.EnumerateArray().Where(p => p.GetProperty("view").GetString() == "balances_v1").ToList();
            return own.Count == 2 && own.TrueForAll(p => p.GetProperty("state").GetString() == "WaitingForNewerProgram" && p.GetProperty("position").GetInt64() == position);
        }, () => $"{seen}", seconds: 40);
        Assert.Equal(("Live", JsonValueKind.Null), seen.EnumerateArray().Single(p => p.GetProperty("view").GetString() == "totals_v1") is var t ? (t.GetProperty("state").GetString(), t.GetProperty("fault").ValueKind) : default);
    }

    private static async Task AssertHealthAsync(HostProcess node, string expected)
    {
        var seen = "";
        await Eventually.Async($"{expected} with 200", async () =>
        {
            using var health = await node.Http.GetAsync("/health");
            seen = await health.Content.ReadAsStringAsync();
            return health.StatusCode == HttpStatusCode.OK && seen.Contains($"\"{expected}\"", StringComparison.Ordinal);
        }, () => seen, seconds: 40);
    }

    private static async Task AssertEqualsFoldAsync(HostProcess node, string view, int version, int rows)
    {
        var report = await node.GetAsync($"/comparisons/{view}/{version}");
        Assert.True(report.GetProperty("isEqual").GetBoolean() && report.GetProperty("rows").GetInt32() == rows, $"{view}: {report}");
    }

    private static async Task AssertNothingIsPoisonedAsync(NpgsqlConnection sql) =>
        Assert.Equal(0, await NumberAsync(sql, "select (select count(*) from es_views.parked) + (select count(*) from es_views.skipped)"));

    private static Task<long> HeadAsync(NpgsqlConnection sql) => NumberAsync(sql, "select count(*) from es.events");

    private static Task<long> ShownAsync(NpgsqlConnection sql) => NumberAsync(sql, "select version from es_views.live where view = 'balances'");

    private static async Task<long> NumberAsync(NpgsqlConnection sql, string text)
    {
        await using var command = new NpgsqlCommand(text, sql);
        return Convert.ToInt64(await command.ExecuteScalarAsync(), System.Globalization.CultureInfo.InvariantCulture);
    }

    private static async Task<JsonElement> JsonOfAsync(HttpResponseMessage answer, HostProcess node)
    {
        var text = await answer.Content.ReadAsStringAsync();
        Assert.True(answer.StatusCode == HttpStatusCode.OK, $"{answer.RequestMessage!.RequestUri} answered {(int)answer.StatusCode}: {text} The node said: {node.Output}{node.Errors}");
        using var json = JsonDocument.Parse(text);
        return json.RootElement.Clone();
    }
}
