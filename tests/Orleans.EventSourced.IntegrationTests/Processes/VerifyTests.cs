using System.Text.Json;
using Microsoft.Data.Sqlite;
using Orleans.EventSourced.IntegrationTests.Grains;
using Orleans.EventSourced.IntegrationTests.Log;
using Xunit;

namespace Orleans.EventSourced.IntegrationTests.Processes;

/// <summary>The verb <c>verify</c> of the real program.</summary>
public sealed class VerifyTests(PostgresFixture postgres) : IDisposable
{
    private const int AllRight = 0;
    private const int Failed = 1;
    private const int BadInput = 2;
    private const int Found = 3;
    private readonly TestFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("sqlite")]
    [InlineData("postgres")]
    public async Task a_store_is_verified_with_its_views_and_a_change_of_either_is_told(string store)
    {
        var eventlog = store == "sqlite" ? null : await postgres.CreateDatabaseAsync();
        var (generated, _, errors) = await HostProcess.RunToEndAsync(_folder, eventlog, "generate", "200", "--json");
        Assert.True(generated == 0, errors);
        var anchor = Path.Combine(_folder.Path, "anchor.json");

        var right = await VerifyAsync(eventlog, AllRight, "--views", "--export-anchor", anchor);
        Assert.Equal((0, JsonValueKind.False), (right.GetProperty("total").GetInt32(), right.GetProperty("truncated").ValueKind));
        Assert.Equal(right.GetProperty("position").GetInt64(), right.GetProperty("events").GetInt64());
        Assert.Equal(200, right.GetProperty("streams").GetInt32());
        var views = right.GetProperty("views").EnumerateArray().ToDictionary(v => v.GetProperty("view").GetString()!);
        Assert.Equal(["article_totals_v1", "es_trace_v1", "fine_summary_v1", "officer_month_v1", "open_cases_v1", "penalty_due_v1"], views.Keys.Order());
        Assert.Equal((200, 0), (views["fine_summary_v1"].GetProperty("rows").GetInt32(), views["fine_summary_v1"].GetProperty("behind").GetInt32()));
        await VerifyAsync(eventlog, AllRight, "--anchor", anchor);

        await ChangeAsync(eventlog, views: true, "update {0}fine_summary_v1 set paid = paid + 1 where key = 'G7'");
        await VerifyAsync(eventlog, AllRight);
        var view = Assert.Single((await VerifyAsync(eventlog, Found, "--views")).GetProperty("findings").EnumerateArray());
        Assert.Equal(("viewDiffers", "fine_summary_v1", "key G7"), (view.GetProperty("kind").GetString(), view.GetProperty("table").GetString(), view.GetProperty("row").GetString()));

        await ChangeAsync(eventlog, views: false, "update {0}events set type = 'fine-issuee' where version = 1 and stream_id = (select id from {0}streams where name = 'fine/G7')");
        var changed = await VerifyAsync(eventlog, Found, "--anchor", anchor);
        var finding = Assert.Single(changed.GetProperty("findings").EnumerateArray());
        Assert.Equal(("eventChanged", "events", "fine/G7", 1), (finding.GetProperty("kind").GetString(), finding.GetProperty("table").GetString(), finding.GetProperty("stream").GetString(), finding.GetProperty("version").GetInt32()));
        var (code, output, _) = await HostProcess.RunToEndAsync(_folder, eventlog, "verify", "--export-anchor", anchor + "2");
        Assert.Equal(Found, code);
        Assert.Contains("EventChanged: events (id, type, schema, data or metadata), stream fine/G7, version 1, position ", output, StringComparison.Ordinal);
        Assert.Contains("1 findings.", output, StringComparison.Ordinal);
        Assert.False(File.Exists(anchor + "2"), "an anchor was exported of a log with findings");
    }

    [Theory]
    [InlineData("sqlite")]
    [InlineData("postgres")]
    public async Task a_store_is_verified_beside_the_node_that_uses_it(string store)
    {
        var eventlog = store == "sqlite" ? null : await postgres.CreateDatabaseAsync();
        await using var node = await HostProcess.ServeAsync(_folder, eventlog);
        using var created = await node.PostAsync("/fines", new { fineId = "A1", amount = 35.00m, article = 157, points = 0, vehicleClass = "A", officer = "561" });
        Assert.True(created.IsSuccessStatusCode, await created.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));

        Assert.Equal(1, (await VerifyAsync(eventlog, AllRight, "--views")).GetProperty("events").GetInt32());
    }

    [Fact]
    public async Task what_is_no_log_or_no_anchor_is_no_finding()
    {
        var (code, _, errors) = await HostProcess.RunToEndAsync(_folder, null, "verify");
        Assert.Equal(Failed, code);
        Assert.Contains("There is no log", errors, StringComparison.Ordinal);
        Assert.False(File.Exists(Path.Combine(_folder.Path, "data", "eventlog.db")), "a verification made a log");

        var file = Path.Combine(_folder.Path, "none.json");
        await File.WriteAllTextAsync(file, "{}", TestContext.Current.CancellationToken);
        Assert.Equal(BadInput, (await HostProcess.RunToEndAsync(_folder, null, "verify", "--anchor", file)).Code);
        Assert.Equal(BadInput, (await HostProcess.RunToEndAsync(_folder, null, "verify", "--anchor", file + ".not")).Code);
    }

    private async Task<JsonElement> VerifyAsync(string? eventlog, int expected, params string[] arguments)
    {
        var (code, output, errors) = await HostProcess.RunToEndAsync(_folder, eventlog, ["verify", "--json", .. arguments]);
        Assert.True(code == expected, $"exit code {code} instead of {expected}: {output}{errors}");
        return JsonDocument.Parse(output).RootElement;
    }

    /// <summary>Changes a row as somebody may who is not held by triggers.</summary>
    private async Task ChangeAsync(string? eventlog, bool views, string sql)
    {
        if (eventlog is not null)
        {
            await using var connection = await PostgresLaws.ConnectAsync(eventlog, null);
            await PostgresLaws.ExecuteAsync(connection, "set session_replication_role = replica; " + string.Format(null, sql, views ? "es_views." : "es."));
            return;
        }

        await using var file = new SqliteConnection($"Data Source={Path.Combine(_folder.Path, "data", views ? "eventlog-views.db" : "eventlog.db")};Pooling=false");
        await file.OpenAsync(TestContext.Current.CancellationToken);
        await using var command = file.CreateCommand();
        command.CommandText = (views ? "" : "drop trigger events_no_update; ") + string.Format(null, sql, "");
        await command.ExecuteNonQueryAsync(TestContext.Current.CancellationToken);
    }
}
