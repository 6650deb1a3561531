using System.Text.Json;
using Fines;
using Fines.Views;
using Microsoft.Extensions.DependencyInjection;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Projections;
using Orleans.EventSourced.Grains;
using Orleans.EventSourced.IntegrationTests.Grains;
using Orleans.EventSourced.IntegrationTests.Servers;
using Orleans.EventSourced.Postgres;
using Orleans.EventSourced.Projections;
using Orleans.EventSourced.Queries;
using Orleans.EventSourced.Sqlite;
using Xunit;

namespace Orleans.EventSourced.IntegrationTests.Processes;

/// <summary>Imports by the real program: the real log, interruptions, bad input.</summary>
[Collection("imports")]
public sealed class ImportTests(PostgresFixture postgres) : IDisposable
{
    private const long GiB = 1L << 30;
    private const int Slices = 4;

    /// <summary>About 15,000 events: some seconds, to be killed in.</summary>
    private const string Fines = "4000";

    /// <summary>What so many fines come to, where nothing goes wrong.</summary>
    private static readonly Lazy<Task<JsonElement>> Undisturbed = new(UndisturbedAsync);

    /// <summary>
    /// Whether all is done with the real log on both stores, which takes minutes more than a run of all tests has: the variable EVENTSOURCED_LONG_TESTS is 1. Then a second run is to change nothing, and the past
    /// and what-ifs are asked, which made-up fines show each time, and its views are rebuilt under load.
    /// </summary>
    private static readonly bool RunsLong = Environment.GetEnvironmentVariable("EVENTSOURCED_LONG_TESTS") == "1";

    /// <summary>The view of traces has a row for each event, and a test of its own.</summary>
    private const string NoTraces = "Fines__KeepsTraces=false";
    private readonly TestFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    /// <summary>That both stores come to the same figures, made-up fines show each time.</summary>
    public static TheoryData<string> StoresOfRealLog => RunsLong ? ["postgres", "sqlite"] : ["postgres"];

    [Theory]
    [MemberData(nameof(StoresOfRealLog))]
    public async Task the_real_log_gives_the_published_figures(string store)
    {
        if (UnitTests.RealLog.Path is not { } file)
        {
            Assert.Skip(UnitTests.RealLog.Missing);
            return;
        }

        var eventlog = store == "sqlite" ? null : await postgres.CreateDatabaseAsync();
        await using (var import = HostProcess.Run(_folder, eventlog, "import", file, "--json", NoTraces))
        {
            long peak = 0;
            while (!import.HasExited)
            {
                peak = Math.Max(peak, ReadPeak(import));
                await Task.Delay(TimeSpan.FromMilliseconds(200), TimeProvider.System);
            }

            var (code, output, errors) = await import.EndAsync();
            Assert.True(code == 0, errors);
            AssertPublished(JsonDocument.Parse(output).RootElement, alreadyThere: 0);
            Assert.InRange(peak, 1, GiB);
            await AssertPublishedBySqlAsync(eventlog);
        }

        var slices = 1;
        if (RunsLong)
        {
            await HistoryVerbTests.AssertWhatIfsAsync(_folder, eventlog, XesReader.Read(file), 561_470, [90], [1.5m]);
            await RunAgainAsync(file, eventlog, slices = Slices);
            await AssertPublishedBySqlAsync(eventlog, edition: "_e2", fines: await RebuildUnderLoadAsync(eventlog));
        }

        await using var node = await HostProcess.ServeAsync(_folder, eventlog, null, null, $"Fines__ViewSlices={slices}", NoTraces);
        var paid = await node.GetAsync("/fines/A10000");
        Assert.Equal(("87.00", "87.00", 5), (paid.GetProperty("due").GetString(), paid.GetProperty("paid").GetString(), paid.GetProperty("version").GetInt32()));
        var open = await node.GetAsync("/fines/N99970");
        Assert.Equal(("82.50", "0.00", 5), (open.GetProperty("due").GetString(), open.GetProperty("paid").GetString(), open.GetProperty("version").GetInt32()));
        Assert.Equal(JsonValueKind.String, open.GetProperty("state").GetProperty("creditCollectionAt").ValueKind);
    }

    [Theory]
    [InlineData("sqlite")]
    [InlineData("postgres")]
    public async Task killed_in_the_middle_and_run_again_an_import_is_exact(string store)
    {
        var right = await Undisturbed.Value;
        var eventlog = store == "sqlite" ? null : await postgres.CreateDatabaseAsync();

        await using (var import = HostProcess.Run(_folder, eventlog, "generate", Fines, "--json"))
        {
            await UnderWayAsync(eventlog);
            Assert.False(import.HasExited, "the import was over before it was killed");
            await import.KillAsync();
        }

        var again = await FiguresAsync(_folder, eventlog);
        AssertSame(right, again);
        Assert.InRange(again.GetProperty("alreadyThere").GetInt64(), 1, right.GetProperty("events").GetInt64() - 1);

        // A further run meets no views any more, and folds them again in slices.
        await DropViewsAsync(eventlog);
        var third = await FiguresAsync(_folder, eventlog, $"Fines__ViewSlices={Slices}");
        AssertSame(right, third);
        Assert.Equal(right.GetProperty("events").GetInt64(), third.GetProperty("alreadyThere").GetInt64());
    }

    [Fact]
    public async Task when_postgres_is_killed_in_the_middle_the_import_waits_and_ends_exact()
    {
        var right = await Undisturbed.Value;
        await using var server = await PostgresServer.StartOwnAsync();
        var eventlog = await server.CreateDatabaseAsync();

        await using var import = HostProcess.Run(_folder, eventlog, "generate", Fines, "--json");
        await UnderWayAsync(eventlog);
        await server.KillAsync();
        Assert.False(import.HasExited);
        await server.RestartAsync();
        var (code, output, errors) = await import.EndAsync();

        Assert.True(code == 0, errors);
        AssertSame(right, JsonDocument.Parse(output).RootElement);
    }

    [Theory]
    [InlineData("hello", "log.xes(1): ")]
    [InlineData("<html/>", "log.xes(1): ")]
    [InlineData("<log>\n<trace><string key=\"concept:name\" value=\"~b/x/1\"/><event><string key=\"concept:name\" value=\"Appeal to Judge\"/><date key=\"time:timestamp\" value=\"2006-07-24T00:00:00Z\"/><string key=\"dismissal\" value=\"NIL\"/></event></trace></log>", "log.xes(2): concept:name '~b/x/1' can be no fine's id")]
    [InlineData("<log>\n<trace><string key=\"concept:name\" value=\"A1\"/>\n<event><string key=\"concept:name\" value=\"Fly\"/><date key=\"time:timestamp\" value=\"2006-07-24T00:00:00+02:00\"/></event></trace></log>", "log.xes(3): 'Fly' is no activity")]
    public async Task bad_input_ends_with_file_line_and_reason(string text, string reason)
    {
        var file = Path.Combine(_folder.Path, "log.xes");
        await File.WriteAllTextAsync(file, text);
        var (code, _, errors) = await HostProcess.RunToEndAsync(_folder, null, "import", file);
        Assert.Equal(2, code);
        Assert.Contains(reason, errors, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task an_event_whose_content_changed_since_the_last_import_is_rejected_and_the_rest_is_already_there()
    {
        var (first, changed) = (Trace("A1", "35.1"), Trace("A1", "99.9"));
        Assert.Equal((2, 0, 0), await ImportAsync($"<log>{first}{Trace("A2", "10.0")}</log>"));
        Assert.Equal((2, 0, 2), await ImportAsync($"<log>{first}{Trace("A2", "10.0")}</log>"));
        Assert.Equal((2, 1, 1), await ImportAsync($"<log>{changed}{Trace("A2", "10.0")}</log>"));
        Assert.Equal((3, 1, 1), await ImportAsync($"<log>{Trace("A3", "5.0")}{Trace("A3", "6.0")}{first}</log>"));

        async Task<(long Events, long Rejected, long AlreadyThere)> ImportAsync(string text)
        {
            var file = Path.Combine(_folder.Path, "log.xes");
            await File.WriteAllTextAsync(file, text);
            var (code, output, errors) = await HostProcess.RunToEndAsync(_folder, null, "import", file, "--json", "--parallel", "1");
            Assert.True(code == 0, errors);
            var figures = JsonDocument.Parse(output).RootElement;
            var rejected = figures.GetProperty("rejected").GetInt64();
            Assert.Equal(rejected > 0, errors.Contains("Rejected: fine A", StringComparison.Ordinal));
            return (figures.GetProperty("events").GetInt64(), rejected, figures.GetProperty("alreadyThere").GetInt64());
        }

        static string Trace(string id, string amount) => $"""
            <trace><string key="concept:name" value="{id}"/><event><string key="concept:name" value="Create Fine"/><date key="time:timestamp" value="2006-07-24T00:00:00+02:00"/><float key="amount" value="{amount}"/>
            <int key="article" value="157"/><int key="points" value="0"/><string key="vehicleClass" value="A"/><string key="dismissal" value="NIL"/><string key="org:resource" value="561"/></event></trace>
            """;
    }

    [Fact]
    public async Task a_missing_file_is_bad_input_and_a_sqlite_file_in_use_is_refused()
    {
        Assert.Equal(2, (await HostProcess.RunToEndAsync(_folder, null, "import", "nowhere.xes")).Code);
        await using var node = await HostProcess.ServeAsync(_folder, null);
        var (code, _, errors) = await HostProcess.RunToEndAsync(_folder, null, "generate", "10");
        Assert.Equal(1, code);
        Assert.Contains("in use by another process", errors, StringComparison.Ordinal);
    }

    /// <summary>A second run meets no views any more, and folds them again in slices; then the past is asked.</summary>
    private async Task RunAgainAsync(string file, string? eventlog, int slices)
    {
        await DropViewsAsync(eventlog);
        var second = await HostProcess.RunToEndAsync(_folder, eventlog, "import", file, "--json", $"Fines__ViewSlices={slices}", NoTraces);
        AssertPublished(JsonDocument.Parse(second.Output).RootElement, alreadyThere: 561_470);
        await AssertPublishedBySqlAsync(eventlog);
        if (eventlog is null)
        {
            await HistoryVerbTests.AssertAsOfAsync(_folder, eventlog, XesReader.Read(file), new DateTimeOffset(2005, 12, 31, 23, 59, 59, TimeSpan.FromHours(1)), 561_470 / 2);
        }
    }

    /// <summary>Waits until some thousand events are in the log.</summary>
    private Task UnderWayAsync(string? eventlog) => Eventually.Async(
        "2,000 events in the log",
        async () =>
        {
            try
            {
                IEventLog log = eventlog is null
                    ? new SqliteEventLog(new SqliteOptions { Path = Path.Combine(_folder.Path, "data", "eventlog.db"), ReadOnly = true }, TimeProvider.System)
                    : new PostgresEventLog(new PostgresOptions { ConnectionString = eventlog });
                await using var _ = (IAsyncDisposable)log;
                return (await log.ReadHeadAsync(CancellationToken.None)).Position.Value > 2_000;
            }
            catch (LogException)
            {
                // The program has not made its file or schema yet.
                return false;
            }
        },
        seconds: 60);

    private static long ReadPeak(HostProcess import)
    {
        try
        {
            return import.PeakMemory;
        }
        catch (Exception e) when (e is IOException or InvalidOperationException)
        {
            // It has just ended.
            return 0;
        }
    }

    private static async Task<JsonElement> UndisturbedAsync()
    {
        using var folder = new TestFolder();
        return await FiguresAsync(folder, null);
    }

    private static async Task<JsonElement> FiguresAsync(TestFolder folder, string? eventlog, params string[] settings)
    {
        var (code, output, errors) = await HostProcess.RunToEndAsync(folder, eventlog, ["generate", Fines, "--json", .. settings]);
        Assert.True(code == 0, errors);
        return JsonDocument.Parse(output).RootElement;
    }

    private static void AssertSame(JsonElement right, JsonElement actual)
    {
        foreach (var figure in right.EnumerateObject().Where(f => f.Name is not ("seconds" or "eventsPerSecond" or "alreadyThere")))
        {
            if (figure.Value.ValueKind == JsonValueKind.Object)
            {
                AssertSame(figure.Value, actual.GetProperty(figure.Name));
                continue;
            }

            Assert.Equal((figure.Name, figure.Value.ToString()), (figure.Name, actual.GetProperty(figure.Name).ToString()));
        }
    }

    private async Task DropViewsAsync(string? eventlog)
    {
        if (eventlog is null)
        {
            foreach (var file in Directory.GetFiles(Path.Combine(_folder.Path, "data"), "eventlog-views.db*"))
            {
                File.Delete(file);
            }

            return;
        }

        await using var views = new PostgresViewStore(new PostgresOptions { ConnectionString = eventlog });
        foreach (var view in (await views.ReadCheckpointsAsync(CancellationToken.None)).Select(c => c.View).Distinct())
        {
            Assert.True(await views.DropAsync(view, CancellationToken.None));
        }
    }

    /// <summary>Folds all views anew, at once and beside the live ones, while further fines of 1.00 are made out; the answer says how many.</summary>
    private async Task<int> RebuildUnderLoadAsync(string? eventlog)
    {
        await using var node = await TestNode.StartAsync(
            services => _ = eventlog is null
                ? services.AddSqliteEventLog(o => o.Path = Path.Combine(_folder.Path, "data", "eventlog.db"))
                : services.AddPostgresEventLog(o => o.ConnectionString = eventlog),
            o => o.EventTypes = FineEventTypes.Map,
            views: silo => silo.AddFineViews(Slices));
        var rebuild = node.Services.GetRequiredService<RebuildControl>();
        ViewId[] views = [new("fine_summary", 1), new("open_cases", 1), new("article_totals", 1), new("officer_month", 1)];
        using var enough = new CancellationTokenSource();
        var load = Task.Run(() => IssueAsync(node.Grains, enough.Token));

        // In PostgreSQL the numbers of tables that were dropped stay used.
        var number = eventlog is null ? 2 : 3;
        foreach (var view in views)
        {
            Assert.Equal(number, (await rebuild.BeginAsync(view, "to see whether it comes to the same", "ops", CancellationToken.None))!.Number);
        }

        await Eventually.Async("the new tables are near the head", async () => (await rebuild.ListAsync(CancellationToken.None)).Count(r => r is { Behind: < 2_000, Fault: null }) == views.Length, seconds: 180);
        foreach (var view in views)
        {
            Assert.Equal(new SwitchOutcome.Switched(number), await rebuild.SwitchAsync(view, TimeSpan.FromSeconds(30), "it is filled", "ops", CancellationToken.None));
        }

        await enough.CancelAsync();
        var (fines, last) = await load;
        Assert.InRange(fines, 10, int.MaxValue);
        foreach (var view in views)
        {
            Assert.IsType<ViewAnswer<ViewRows>>(await node.Grains.GetGrain<IViewQueryGrain>(view.Name).ListAsync(new RowQuery { Limit = 1 }, new Consistency.AtLeast(last, TimeSpan.FromSeconds(20))));
        }

        return fines;
    }

    private static async Task<(int Fines, long Position)> IssueAsync(IGrainFactory grains, CancellationToken enough)
    {
        var (fines, position) = (0, 0L);
        while (!enough.IsCancellationRequested)
        {
            // Article, officer and month are there already.
            var issue = new IssueFine(new DateTimeOffset(2006, 7, 24, 0, 0, 0, TimeSpan.Zero), 1m, 157, 0, "A", "561", "NIL");
            position = Assert.IsType<Accepted<FineEvent>>(await grains.GetGrain<IFineGrain>($"load-{fines}").ExecuteAsync(issue)).Position;
            fines++;
        }

        return (fines, position);
    }

    /// <summary>Each view by itself, by plain SQL, with so many fines of 1.00 more. SQLite's tables keep amounts in cents.</summary>
    private async Task AssertPublishedBySqlAsync(string? eventlog, string edition = "", int fines = 0)
    {
        (string Name, string Column, decimal Expected)[] sums =
            [("sum(amount)", "amount", 6723851.64m + fines), ("penalties", "penalty", 7937576.03m), ("expenses", "expenses", 1242539.04m), ("due", "due", 11981480.30m + fines), ("paid", "paid", 3601464.53m)];
        var (schema, suffix, unit) = eventlog is null ? ("", $"_v1{edition}", 100m) : ("es_views.", "", 1m);
        await using System.Data.Common.DbConnection connection = eventlog is null
            ? new Microsoft.Data.Sqlite.SqliteConnection($"Data Source={Path.Combine(_folder.Path, "data", "eventlog-views.db")};Mode=ReadOnly;Pooling=False")
            : new Npgsql.NpgsqlConnection(eventlog);
        await connection.OpenAsync();
        foreach (var (name, column, expected) in sums)
        {
            Assert.Equal((name, expected), (name, await ScalarAsync($"select sum({column}) from {schema}fine_summary{suffix}") / unit));
        }

        Assert.Equal(150_370 + fines, await ScalarAsync($"select count(*) from {schema}fine_summary{suffix}"));
        Assert.Equal(561_470 + fines, await ScalarAsync($"select sum(events) from {schema}fine_summary{suffix}"));
        Assert.Equal(60_290, await ScalarAsync($"select count(*) from {schema}fine_summary{suffix} where settled"));
        Assert.Equal(1_186, await ScalarAsync($"select count(*) from {schema}fine_summary{suffix} where outstanding < 0"));
        Assert.Equal(-21_079.77m, await ScalarAsync($"select sum(outstanding) from {schema}fine_summary{suffix} where outstanding < 0") / unit);
        Assert.Equal(59_013, await ScalarAsync($"select count(*) from {schema}fine_summary{suffix} where credit_collection_at is not null"));
        Assert.Equal(90_080 + fines, await ScalarAsync($"select count(*) from {schema}open_cases{suffix}"));
        Assert.Equal(8_401_095.54m + fines, await ScalarAsync($"select sum(outstanding) from {schema}open_cases{suffix}") / unit);
        Assert.Equal(66, await ScalarAsync($"select count(*) from {schema}article_totals{suffix}"));
        Assert.Equal(11_981_480.30m + fines, await ScalarAsync($"select sum(due) from {schema}article_totals{suffix}") / unit);
        Assert.Equal(147, await ScalarAsync($"select count(distinct officer) from {schema}officer_month{suffix}"));
        Assert.Equal(162, await ScalarAsync($"select count(distinct month) from {schema}officer_month{suffix}"));
        Assert.Equal(8_401_095.54m + fines, await ScalarAsync($"select sum(outstanding) from {schema}officer_month{suffix}") / unit);

        async Task<decimal> ScalarAsync(string sql)
        {
            await using var command = connection.CreateCommand();
            command.CommandText = sql;
            return Convert.ToDecimal(await command.ExecuteScalarAsync(), System.Globalization.CultureInfo.InvariantCulture);
        }
    }

    private static void AssertPublished(JsonElement actual, int alreadyThere)
    {
        var published = JsonDocument.Parse("""
            {"fines":150370,"events":561470,"created":"6723851.64","penalties":"7937576.03","expenses":"1242539.04","due":"11981480.30","paid":"3601464.53","outstanding":"8401095.54",
             "open":90080,"settled":60290,"overpaid":1186,"overpaidSum":"21079.77","creditCollection":59013,"rejected":0,
             "views":{"position":561470,"fines":150370,"created":"6723851.64","penalties":"7937576.03","expenses":"1242539.04","due":"11981480.30","paid":"3601464.53","outstanding":"8401095.54",
             "open":90080,"settled":60290,"overpaid":1186,"overpaidSum":"21079.77","creditCollection":59013,"articles":66,"officers":147,"months":162} }
            """).RootElement;
        AssertSame(published, actual);
        Assert.Equal(alreadyThere, actual.GetProperty("alreadyThere").GetInt32());
    }
}
