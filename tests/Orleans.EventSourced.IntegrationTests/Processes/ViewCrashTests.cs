using System.Net;
using Fines;
using Fines.Views;
using Npgsql;
using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Projections;
using Orleans.EventSourced.IntegrationTests.Grains;
using Orleans.EventSourced.IntegrationTests.Log;
using Orleans.EventSourced.Postgres;
using Xunit;

namespace Orleans.EventSourced.IntegrationTests.Processes;

/// <summary>A node that is killed while it writes the rows of a view of sums, in which an event counted twice, or not, shows for ever.</summary>
[Collection("processes")]
public sealed class ViewCrashTests(PostgresFixture postgres) : IDisposable
{
    private readonly TestFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("create trigger hold after insert or update on es_views.article_totals_v1 for each statement execute function hold()", false)]
    [InlineData("create constraint trigger hold after update on es_views.checkpoints deferrable initially deferred for each row when (new.view = 'article_totals') execute function hold()", true)]
    public async Task killed_between_the_rows_and_the_commit_or_in_the_commit_it_leaves_sums_that_equal_the_fold(string hold, bool commits)
    {
        var eventlog = await postgres.CreateDatabaseAsync();
        await using var holder = await PostgresLaws.ConnectAsync(eventlog, null);
        long before;
        await using (var killed = await HostProcess.ServeAsync(_folder, eventlog))
        {
            before = await PayAsync(killed, "a", 10);
            await killed.GetAsync($"/views/article_totals?after={before}&wait=30");
            await ExecuteAsync(holder, "create function hold() returns trigger language plpgsql as 'begin perform pg_advisory_xact_lock_shared(4711); return null; end'");
            await ExecuteAsync(holder, hold);
            await ExecuteAsync(holder, "select pg_advisory_lock(4711)");
            await PayAsync(killed, "b", 10);
            await Eventually.Async("the projection held", async () => await CountAsync(holder, "select count(*) from pg_locks where locktype = 'advisory' and objid = 4711 and not granted") == 1);
            await killed.KillAsync();
        }

        await ExecuteAsync(holder, "select pg_advisory_unlock(4711)");
        await Eventually.Async("the dead node's transaction over", async () => await CountAsync(holder, "select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()") == 0);
        Assert.Equal(commits, await CountAsync(holder, "select position from es_views.checkpoints where view = 'article_totals'") > before);
        Assert.Equal(commits, await CountAsync(holder, "select sum(fines) from es_views.article_totals") > 10);
        await ExecuteAsync(holder, commits ? "drop trigger hold on es_views.checkpoints" : "drop trigger hold on es_views.article_totals_v1");

        await using var again = await HostProcess.ServeAsync(_folder, eventlog);
        var head = await PayAsync(again, "c", 5);
        await Task.WhenAll(new[] { "article_totals", "officer_month", "fine_summary", "open_cases" }.Select(v => again.GetAsync($"/views/{v}?after={head}&wait=30")));
        Assert.Equal(25, await CountAsync(holder, "select sum(fines) from es_views.article_totals"));
        await AssertEqualsFoldAsync(eventlog);
    }

    private static async Task AssertEqualsFoldAsync(string eventlog)
    {
        var options = new PostgresOptions { ConnectionString = eventlog };
        await using var log = new PostgresEventLog(options);
        await using var views = new PostgresViewStore(options);
        var tail = new LogTail(log, new JsonEventCodec(FineEventTypes.Map), new LogTailOptions(), TimeProvider.System);
        await EqualsAsync(Projection.Of<ArticleTotals, FineEvent, FineAccount>());
        await EqualsAsync(Projection.Of<OfficerMonth, FineEvent, FineAccount>());
        await EqualsAsync(Projection.Of<FineSummary, FineEvent>());
        await EqualsAsync(Projection.Of<OpenCase, FineEvent, OpenCase.Case>());

        async Task EqualsAsync<TRow>(Projection<TRow> projection)
            where TRow : class
        {
            var report = await ViewComparison.RunAsync(projection, 1, [], PoisonPolicy.Stop, views.Reader<TRow>(), tail, TimeProvider.System, CancellationToken.None);
            Assert.True(report.IsEqual, $"{report.View}: {string.Join("; ", report.Differences)}");
        }
    }

    /// <summary>Issues fines and pays them in part; answers the last position.</summary>
    private static async Task<long> PayAsync(HostProcess node, string prefix, int fines)
    {
        var last = 0L;
        for (var i = 0; i < fines; i++)
        {
            Assert.Equal(HttpStatusCode.Created, (await node.PostAsync("/fines", new { fineId = $"{prefix}{i}", amount = 35.5, article = 157 + (i % 2), points = 0, vehicleClass = "A", officer = "561" })).StatusCode);
            using var paid = await node.PostAsync($"/fines/{prefix}{i}/payments", new { amount = 10 });
            Assert.Equal(HttpStatusCode.OK, paid.StatusCode);
            last = long.Parse(paid.Headers.GetValues("ES-Position").Single(), System.Globalization.CultureInfo.InvariantCulture);
        }

        return last;
    }

    private static async Task ExecuteAsync(NpgsqlConnection connection, string sql)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync();
    }

    private static async Task<long> CountAsync(NpgsqlConnection connection, string sql)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        return Convert.ToInt64(await command.ExecuteScalarAsync(), System.Globalization.CultureInfo.InvariantCulture);
    }
}
