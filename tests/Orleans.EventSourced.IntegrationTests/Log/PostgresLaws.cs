using Npgsql;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Postgres;
using Xunit;

namespace Orleans.EventSourced.IntegrationTests.Log;

/// <summary>What PostgreSQL itself refuses, whoever asks; and what a server must be to be trusted.</summary>
public sealed class PostgresLaws(PostgresFixture postgres)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public static TheoryData<string> Changes =>
    [
        .. from table in (string[])["log", "streams", "events", "commits"]
           from change in (string[])[$"delete from es.{table}", $"truncate es.{table} cascade", table switch
           {
               "log" => "update es.log set log_id = gen_random_uuid()",
               "streams" => "update es.streams set name = 'fine/other'",
               "events" => "update es.events set data = '{}'",
               _ => "update es.commits set recorded_at = now()",
           }]
           select change,
    ];

    [Fact]
    public async Task a_stream_of_white_space_from_before_it_was_refused_is_read_and_not_appended_to()
    {
        var (options, log) = await OpenAsync();
        await using var _ = log;
        await using (var connection = await ConnectAsync(options.ConnectionString, "es_writer"))
        {
            await ExecuteAsync(connection, """call es.append(array['fine/ '], array[-1], array[1], array[null]::text[], array[gen_random_uuid()], array['a'], array[1]::smallint[], array['{}'::bytea], array['{}'::bytea], null, null, null, null)""");
        }

        var old = Assert.Single(await log.ReadLogAsync(LogPosition.Start, 10, Cancel)).Stream;
        Assert.Equal("fine/ ", old.Value);
        Assert.Single((await log.ReadStreamsAsync([new StreamRead(old, StreamVersion.None, 10)], Cancel))[0]);
        Assert.Throws<ArgumentException>(() => new StreamId("fine/ "));
        var template = Requests.One("fine/a");
        Assert.Contains("white space", Assert.Throws<LogRequestRefusedException>(() => new AppendRequest(old, template.Expected, template.Events)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Changes))]
    public async Task facts_cannot_be_changed_by_the_application_nor_by_a_superuser(string change)
    {
        var (options, log) = await OpenAsync();
        await using var _ = log;
        await log.AppendAsync([Requests.One("fine/a")], Cancel);

        await using var asWriter = await ConnectAsync(options.ConnectionString, "es_writer");
        Assert.Equal("42501", (await Assert.ThrowsAsync<PostgresException>(() => ExecuteAsync(asWriter, change))).SqlState);
        await using var asSuperuser = await ConnectAsync(options.ConnectionString, null);
        Assert.Equal("ES002", (await Assert.ThrowsAsync<PostgresException>(() => ExecuteAsync(asSuperuser, change))).SqlState);
        Assert.Equal(1, (await log.ReadHeadAsync(Cancel)).Position.Value);
    }

    [Theory]
    [InlineData("insert into es.streams (name, type) values ('fine/x', 'fine')")]
    [InlineData("insert into es.events select * from es.events")]
    [InlineData("insert into es.commits select * from es.commits")]
    [InlineData("alter table es.events disable trigger all")]
    [InlineData("select setval('es.commit_ids', 1)")]
    public async Task the_application_can_write_through_the_append_only(string statement)
    {
        var (options, log) = await OpenAsync();
        await using var _ = log;
        await using var asWriter = await ConnectAsync(options.ConnectionString, "es_writer");
        Assert.Equal("42501", (await Assert.ThrowsAsync<PostgresException>(() => ExecuteAsync(asWriter, statement))).SqlState);
    }

    [Fact]
    public async Task ten_migrations_at_once_are_one()
    {
        var options = new PostgresOptions { ConnectionString = await postgres.CreateDatabaseAsync() };
        await Task.WhenAll(Enumerable.Range(0, 10).Select(_ => Task.Run(() => PostgresSchema.MigrateAsync(options, Cancel))));
        await using var connection = await ConnectAsync(options.ConnectionString, null);
        await using var count = new NpgsqlCommand("select count(*), count(distinct number) from es.migrations", connection);
        await using var reader = await count.ExecuteReaderAsync(Cancel);
        await reader.ReadAsync(Cancel);
        Assert.Equal(reader.GetInt64(0), reader.GetInt64(1));
    }

    [Fact]
    public async Task a_plain_login_starts_without_an_admin_once_the_schema_is_there()
    {
        var (options, log) = await OpenAsync();
        await log.DisposeAsync();
        var login = "plain_" + Path.GetRandomFileName()[..8];
        await using (var connection = await ConnectAsync(options.ConnectionString, null))
        {
            await ExecuteAsync(connection, $"create role {login} login password 'p' in role es_writer");
        }

        var plain = new PostgresOptions { ConnectionString = new NpgsqlConnectionStringBuilder(options.ConnectionString) { Username = login, Password = "p" }.ConnectionString };
        await PostgresSchema.MigrateAsync(plain, Cancel);
        Assert.Null((await PostgresSchema.CheckAsync(plain, Cancel)).Warning);
        await using var own = new PostgresEventLog(plain);
        Assert.IsType<AppendOutcome.Appended>(Assert.Single(await own.AppendAsync([Requests.One("fine/a")], Cancel)));
    }

    [Fact]
    public async Task a_superuser_as_the_applications_login_is_warned_about()
    {
        var (options, log) = await OpenAsync();
        await log.DisposeAsync();
        Assert.Contains("is a superuser", (await PostgresSchema.CheckAsync(options, Cancel)).Warning, StringComparison.Ordinal);
    }

    [Fact]
    public async Task a_login_that_migrated_alone_is_warned_about_until_another_one_migrates()
    {
        var superuser = await postgres.CreateDatabaseAsync();
        var (app, admin) = ("app_" + Path.GetRandomFileName()[..8], "admin_" + Path.GetRandomFileName()[..8]);
        var database = new NpgsqlConnectionStringBuilder(superuser).Database;
        await using var connection = await ConnectAsync(superuser, null);
        await ExecuteAsync(connection, $"create role {app} login createrole password 'p'; create role {admin} login password 'p'; alter database {database} owner to {app}");
        var alone = new PostgresOptions { ConnectionString = new NpgsqlConnectionStringBuilder(superuser) { Username = app, Password = "p" }.ConnectionString };
        await PostgresSchema.MigrateAsync(alone, Cancel);
        await using (var asOwner = await ConnectAsync(alone.ConnectionString, "es_owner"))
        {
            await ExecuteAsync(asOwner, "alter table es.events disable trigger all; alter table es.events enable trigger all");
        }

        Assert.Contains("member of es_owner", (await PostgresSchema.CheckAsync(alone, Cancel)).Warning, StringComparison.Ordinal);
        await ExecuteAsync(connection, $"revoke es_owner from {app}");
        Assert.Contains("may make itself one", (await PostgresSchema.CheckAsync(alone, Cancel)).Warning, StringComparison.Ordinal);

        await ExecuteAsync(connection, $"reassign owned by {app} to {admin}; grant es_owner to {admin}; revoke es_owner from {app}; alter role {app} nocreaterole");
        var apart = new PostgresOptions { ConnectionString = alone.ConnectionString, AdminConnectionString = new NpgsqlConnectionStringBuilder(superuser) { Username = admin, Password = "p" }.ConnectionString };
        await PostgresSchema.MigrateAsync(apart, Cancel);
        Assert.Null((await PostgresSchema.CheckAsync(apart, Cancel)).Warning);
        await using var log = new PostgresEventLog(apart);
        Assert.IsType<AppendOutcome.Appended>(Assert.Single(await log.AppendAsync([Requests.One("fine/a")], Cancel)));
    }

    [Fact]
    public async Task a_server_beyond_this_machine_without_verified_TLS_is_warned_about()
    {
        // Only the first host that answers is connected to.
        await using var server = await Servers.PostgresServer.StartOwnAsync();
        var text = new NpgsqlConnectionStringBuilder(await server.CreateDatabaseAsync());
        await PostgresSchema.MigrateAsync(new PostgresOptions { ConnectionString = text.ConnectionString }, Cancel);
        foreach (var (hosts, isWarned) in new[] { ("127.0.0.1,192.0.2.1", true), ("localhost,db.example", true), ($"127.0.0.1:{text.Port},localhost,[::1]:1,/tmp", false) })
        {
            text.Host = hosts;
            var found = await PostgresSchema.CheckAsync(new PostgresOptions { ConnectionString = text.ConnectionString }, Cancel);
            Assert.Equal((hosts, isWarned), (hosts, found.Warning!.Contains("verified TLS", StringComparison.Ordinal)));
        }
    }

    [Fact]
    public async Task a_newer_schema_is_refused()
    {
        var (options, log) = await OpenAsync();
        await log.DisposeAsync();
        await using (var connection = await ConnectAsync(options.ConnectionString, null))
        {
            await ExecuteAsync(connection, "insert into es.migrations (number, name) values (999, 'from the future')");
        }

        var e = await Assert.ThrowsAsync<LogMisconfiguredException>(() => PostgresSchema.MigrateAsync(options, Cancel));
        Assert.Contains("version 999", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task a_database_that_is_not_UTF8_is_refused()
    {
        var options = new PostgresOptions { ConnectionString = await postgres.CreateDatabaseAsync() };
        await using (var connection = await ConnectAsync(options.ConnectionString, null))
        {
            await ExecuteAsync(connection, "create database latin template template0 encoding 'LATIN1' locale 'C'");
        }

        var latin = new NpgsqlConnectionStringBuilder(options.ConnectionString) { Database = "latin" };
        var e = await Assert.ThrowsAsync<LogMisconfiguredException>(() => PostgresSchema.MigrateAsync(new PostgresOptions { ConnectionString = latin.ConnectionString }, Cancel));
        Assert.Contains("LATIN1", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task whatever_the_database_sets_the_log_waits_for_the_disk_and_reads_committed()
    {
        var (options, log) = await OpenAsync();
        await using var _ = log;
        var database = new NpgsqlConnectionStringBuilder(options.ConnectionString).Database;
        await using (var connection = await ConnectAsync(options.ConnectionString, null))
        {
            await ExecuteAsync(connection, $"alter database {database} set synchronous_commit = off");
            await ExecuteAsync(connection, $"alter database {database} set default_transaction_isolation = 'repeatable read'");
        }

        var found = await PostgresSchema.CheckAsync(options, Cancel);
        Assert.True(found.IsDurable);
        Assert.Contains("synchronous_commit on", found.Description, StringComparison.Ordinal);
        await using var fresh = new PostgresEventLog(options);
        var appends = Enumerable.Range(0, 40).Select(i => Task.Run(() => fresh.AppendAsync([Requests.One($"fine/{i}")], Cancel)));
        Assert.All(await Task.WhenAll(appends), o => Assert.IsType<AppendOutcome.Appended>(Assert.Single(o)));
    }

    [Fact]
    public async Task a_server_that_may_lose_what_it_acknowledged_is_refused_unless_allowed()
    {
        await using var server = await Servers.PostgresServer.StartOwnAsync(new Dictionary<string, string> { ["fsync"] = "off" });
        var options = new PostgresOptions { ConnectionString = await server.CreateDatabaseAsync() };
        await PostgresSchema.MigrateAsync(options, Cancel);
        var e = await Assert.ThrowsAsync<LogMisconfiguredException>(() => PostgresSchema.CheckAsync(options, Cancel));
        Assert.Contains("fsync off", e.Message, StringComparison.Ordinal);
        options.AllowUnsafeDurabilityUNSAFE = true;
        Assert.False((await PostgresSchema.CheckAsync(options, Cancel)).IsDurable);
    }

    internal static async Task ExecuteAsync(NpgsqlConnection connection, string sql)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync(Cancel);
    }

    internal static async Task<NpgsqlConnection> ConnectAsync(string connectionString, string? role)
    {
        var text = new NpgsqlConnectionStringBuilder(connectionString) { Pooling = false };
        text.Options = role is null ? text.Options : $"-c role={role}";
        var connection = new NpgsqlConnection(text.ConnectionString);
        await connection.OpenAsync(Cancel);
        return connection;
    }

    private async Task<(PostgresOptions Options, PostgresEventLog Log)> OpenAsync()
    {
        var options = new PostgresOptions { ConnectionString = await postgres.CreateDatabaseAsync() };
        await PostgresSchema.MigrateAsync(options, Cancel);
        return (options, new PostgresEventLog(options));
    }
}
