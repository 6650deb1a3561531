using Microsoft.Extensions.DependencyInjection;
using Npgsql;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Projections;
using Orleans.EventSourced.Postgres;
using Orleans.EventSourced.Tracing;
using Xunit;

namespace Orleans.EventSourced.IntegrationTests.Log;

/// <summary>Who may do what in PostgreSQL beside the writer, and what keeps readers of history from disturbing it.</summary>
public sealed class PostgresRoles(PostgresFixture postgres)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task a_reader_sees_log_and_views_and_changes_nothing()
    {
        var (options, log) = await OpenAsync();
        await using var _ = log;
        await log.AppendAsync([Requests.One("fine/a")], Cancel);
        await using var store = new PostgresViewStore(options);
        await store.Table<TraceRow>().OpenAsync(Slice.Whole, Cancel);
        await using var reader = await PostgresLaws.ConnectAsync(options.ConnectionString, "es_reader");
        foreach (var table in (string[])["es.log", "es.streams", "es.events", "es.commits", "es.reactions", "es_views.checkpoints", "es_views.skipped", "es_views.es_trace"])
        {
            await PostgresLaws.ExecuteAsync(reader, $"select * from {table}");
        }

        foreach (var change in (string[])["insert into es.streams (name, type) values ('fine/x', 'fine')", "delete from es_views.es_trace", "update es_views.checkpoints set position = 9", "call es.append(null, null, null, null, null, null, null, null, null, null, null, null, null)", "create table es_views.mine (a int)", "select * from es.snapshots"])
        {
            var refused = await Assert.ThrowsAsync<PostgresException>(() => PostgresLaws.ExecuteAsync(reader, change));
            Assert.Equal((change, "42501"), (change, refused.SqlState));
        }
    }

    [Theory]
    [InlineData("update es_views.checkpoints set position = position - 1")]
    [InlineData("update es_views.checkpoints set edition = edition + 1")]
    [InlineData("update es_views.checkpoints set log_id = gen_random_uuid()")]
    [InlineData("insert into es_views.checkpoints (view, version, role, edition, slice, slices, log_id, position) values ('v', 1, 'building', 2, 0, 1, gen_random_uuid(), 3)")]
    [InlineData("update es.reactions set position = position - 1")]
    [InlineData("update es.reactions set began = 0")]
    public async Task checkpoints_never_go_back_whoever_asks(string change)
    {
        var (options, log) = await OpenAsync();
        await log.DisposeAsync();
        foreach (var role in (string?[])["es_writer", null])
        {
            await using var connection = await PostgresLaws.ConnectAsync(options.ConnectionString, role);
            await PostgresLaws.ExecuteAsync(connection, "insert into es_views.checkpoints (view, version, role, edition, slice, slices, log_id, position) values ('v', 1, 'live', 1, 0, 1, gen_random_uuid(), 0) on conflict do nothing");
            await PostgresLaws.ExecuteAsync(connection, "update es_views.checkpoints set position = 5 where position = 0");
            await PostgresLaws.ExecuteAsync(connection, "insert into es.reactions (name, log_id, began, position) values ('r', gen_random_uuid(), 3, 7) on conflict do nothing");
            Assert.Equal("ES004", (await Assert.ThrowsAsync<PostgresException>(() => PostgresLaws.ExecuteAsync(connection, change))).SqlState);
        }
    }

    [Theory]
    [InlineData(1, "v_v1")]
    [InlineData(2, "v_v1_e2")]
    public async Task a_checkpoint_is_deleted_only_with_its_table_whoever_asks(int edition, string table)
    {
        var (options, log) = await OpenAsync();
        await log.DisposeAsync();
        var make = $"insert into es_views.checkpoints (view, version, role, edition, slice, slices, log_id, position) values ('v', 1, 'live', {edition}, 0, 1, gen_random_uuid(), 0)";
        foreach (var role in (string?[])["es_writer", null])
        {
            await using var connection = await PostgresLaws.ConnectAsync(options.ConnectionString, role);
            await PostgresLaws.ExecuteAsync(connection, $"create table es_views.{table} (a int); {make}");
            foreach (var change in (string[])["delete from es_views.checkpoints", $"delete from es_views.checkpoints; {make}"])
            {
                Assert.Equal("ES004", (await Assert.ThrowsAsync<PostgresException>(() => PostgresLaws.ExecuteAsync(connection, change))).SqlState);
            }

            await PostgresLaws.ExecuteAsync(connection, $"delete from es_views.checkpoints; drop table es_views.{table}");
        }
    }

    [Fact]
    public async Task every_function_and_every_connection_of_the_log_has_its_search_path()
    {
        var (options, log) = await OpenAsync();
        await log.ReadHeadAsync(Cancel);
        await using var connection = await PostgresLaws.ConnectAsync(options.ConnectionString, null);
        await using var loose = new NpgsqlCommand(
            """
            select string_agg(p.proname, ', ') from pg_catalog.pg_proc p join pg_catalog.pg_namespace n on n.oid = p.pronamespace
            where n.nspname in ('es', 'es_views') and (p.prosecdef or p.prorettype = 'trigger'::regtype)
              and not exists (select from unnest(p.proconfig) c where c = 'search_path=pg_catalog, pg_temp')
            """, connection);
        Assert.Equal(DBNull.Value, await loose.ExecuteScalarAsync(Cancel));

        // What somebody puts before the log's own functions is not called.
        await PostgresLaws.ExecuteAsync(connection, $"create schema evil; grant usage on schema evil to public; alter database {connection.Database} set search_path = evil, es, pg_catalog; create function evil.coalesce_trap() returns int language sql as 'select 1'; create function evil.clock_timestamp() returns timestamptz language sql as 'select ''2001-01-01''::timestamptz'");
        await log.DisposeAsync();
        await using var again = new PostgresEventLog(options);
        await again.AppendAsync([Requests.One("fine/a")], Cancel);
        Assert.True((await again.ReadHeadAsync(Cancel)).RecordedAt > new DateTimeOffset(2002, 1, 1, 0, 0, 0, TimeSpan.Zero));
    }

    [Fact]
    public async Task questions_to_the_past_that_hold_all_their_connections_leave_those_of_appends_alone()
    {
        var (options, own) = await OpenAsync();
        await own.DisposeAsync();
        await using var services = new ServiceCollection().AddPostgresEventLog(o =>
        {
            (o.ConnectionString, o.MaxConnections, o.MaxHistoryConnections) = (options.ConnectionString, 2, 1);
            (o.ConnectTimeout, o.LockTimeout, o.CommandTimeout) = (TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(60), TimeSpan.FromSeconds(60));
        }).BuildServiceProvider();
        var (log, history) = (services.GetRequiredService<IEventLog>(), services.GetRequiredService<HistoryLog>().Log);

        // Reads of the head need this table, appends do not.
        await using var locker = await PostgresLaws.ConnectAsync(options.ConnectionString, null);
        await using var transaction = await locker.BeginTransactionAsync(Cancel);
        await PostgresLaws.ExecuteAsync(locker, "lock table es.log in access exclusive mode");
        var held = history.ReadHeadAsync(Cancel);
        await Eventually.Async("the read waits for the table", async () => await WaitersAsync(locker) == 1);
        await Assert.ThrowsAsync<LogUnavailableException>(() => history.ReadHeadAsync(Cancel));
        Assert.IsType<AppendOutcome.Appended>(Assert.Single(await log.AppendAsync([Requests.One("fine/a")], Cancel)));

        // Such reads over the log's own connections would have kept the append out.
        var others = new[] { log.ReadHeadAsync(Cancel), log.ReadHeadAsync(Cancel) };
        await Eventually.Async("they wait too", async () => await WaitersAsync(locker) == 3);
        await Assert.ThrowsAsync<LogUnavailableException>(() => log.AppendAsync([Requests.One("fine/b")], Cancel));
        await transaction.RollbackAsync(Cancel);
        await Task.WhenAll([held, .. others]);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(101)]
    public void a_pool_out_of_its_range_ends_the_start(int connections)
    {
        using var services = new ServiceCollection().AddPostgresEventLog(o => (o.ConnectionString, o.MaxHistoryConnections) = ("Host=x", connections)).BuildServiceProvider();
        var e = Assert.Throws<Microsoft.Extensions.Options.OptionsValidationException>(() => services.GetRequiredService<Microsoft.Extensions.Options.IOptions<PostgresOptions>>().Value);
        Assert.Contains("MaxHistoryConnections", e.Message, StringComparison.Ordinal);
    }

    private static async Task<long> WaitersAsync(NpgsqlConnection connection)
    {
        await using var count = new NpgsqlCommand("select count(*) from pg_catalog.pg_locks where not granted and relation = 'es.log'::regclass", connection);
        return (long)(await count.ExecuteScalarAsync(Cancel))!;
    }

    private async Task<(PostgresOptions Options, PostgresEventLog Log)> OpenAsync()
    {
        var options = new PostgresOptions { ConnectionString = await postgres.CreateDatabaseAsync() };
        await PostgresSchema.MigrateAsync(options, Cancel);
        return (options, new PostgresEventLog(options));
    }
}
