using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using Npgsql;
using Orleans.EventSourced.IntegrationTests.Grains;
using Orleans.EventSourced.IntegrationTests.Log;
using Orleans.EventSourced.IntegrationTests.Servers;
using Orleans.EventSourced.Postgres;
using Xunit;

namespace Orleans.EventSourced.IntegrationTests.Processes;

/// <summary>Nodes on PostgreSQL as their operator sees them.</summary>
[Collection("processes")]
public sealed class NodeTests(PostgresFixture postgres) : IDisposable
{
    private readonly TestFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("Data Source=")]
    [InlineData("Data Source=:memory:")]
    [InlineData("Data Source=foo.db;Mode=Memory")]
    [InlineData("Data Source=foo.db;Modus=ReadOnly")]
    [InlineData("Host=127.0.0.1;Databse=x")]
    [InlineData("Host=127.0.0.1;Databse=")]
    [InlineData("Username=fines")]
    [InlineData("foo.db")]
    public async Task a_connection_string_that_names_no_store_ends_the_start_with_one_sentence(string eventlog)
    {
        var (code, _, errors) = await HostProcess.RunToEndAsync(_folder, eventlog);
        Assert.Equal(1, code);
        Assert.StartsWith("The event log cannot be used: ConnectionStrings:eventlog ", errors, StringComparison.Ordinal);
        Assert.Single(errors.Trim().Split('\n'));
    }

    [Fact]
    public async Task an_admins_connection_string_that_is_none_is_named()
    {
        var (code, _, errors) = await HostProcess.RunToEndAsync(_folder, "Host=127.0.0.1", "generate", "1", "ConnectionStrings__eventlog-admin=Databse:x");
        Assert.Equal(1, code);
        Assert.StartsWith("The event log cannot be used: ConnectionStrings:eventlog-admin ", errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task a_setting_that_cannot_be_is_named_and_the_server_left_as_it_is()
    {
        var eventlog = await postgres.CreateDatabaseAsync();
        var (code, _, errors) = await HostProcess.RunToEndAsync(_folder, eventlog, "Postgres__MaxConnections=1");
        Assert.Equal((1, "The event log cannot be used: PostgresOptions.MaxConnections is 1; allowed are 2 to 1000."), (code, errors.Trim()));
        await using var connection = await PostgresLaws.ConnectAsync(eventlog, null);
        await using var schemas = new NpgsqlCommand("select count(*) from pg_catalog.pg_namespace where nspname in ('es', 'orleans')", connection);
        Assert.Equal(0L, await schemas.ExecuteScalarAsync());
    }

    [Fact]
    public async Task a_node_that_starts_while_its_server_is_away_ends_with_one_sentence_that_says_where_it_is()
    {
        var port = LoopbackPort.Free();
        var (code, output, errors) = await HostProcess.RunToEndAsync(_folder, $"Host=127.0.0.1;Port={port};Username=fines;Password=not-to-be-shown");
        Assert.Equal((1, "", 1), (code, output.Trim(), errors.Trim().Split('\n').Length));
        Assert.Contains($"127.0.0.1:{port} (ConnectionStrings:eventlog)", errors, StringComparison.Ordinal);
        Assert.DoesNotContain("not-to-be-shown", errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task a_node_whose_server_goes_away_while_the_silo_starts_ends_with_one_sentence_too()
    {
        var eventlog = await postgres.CreateDatabaseAsync();
        await PostgresSchema.MigrateAsync(new PostgresOptions { ConnectionString = eventlog }, TestContext.Current.CancellationToken);
        await using var proxy = ProxiedServer.Before(eventlog);
        await using var connection = await PostgresLaws.ConnectAsync(eventlog, null);

        // The last thing that is done before the silo starts waits here, until nobody is let in any more.
        await using var transaction = await connection.BeginTransactionAsync();
        await PostgresLaws.ExecuteAsync(connection, "lock table orleans.silo in access exclusive mode");
        await using var node = HostProcess.Run(_folder, proxy.Through(eventlog), "--urls", $"http://127.0.0.1:{LoopbackPort.Free()}");
        await Eventually.Async("the node waits", async () =>
        {
            await using var waiting = new NpgsqlCommand("select count(*) from pg_catalog.pg_locks where not granted and relation = 'orleans.silo'::regclass", connection);
            return await waiting.ExecuteScalarAsync() is 1L;
        });
        proxy.RefusesConnections = true;
        await transaction.RollbackAsync();
        var (code, _, errors) = await node.EndAsync();
        Assert.True(code == 1 && errors.Trim().Split('\n').Length == 1 && errors.Contains($"127.0.0.1:{proxy.Port} (ConnectionStrings:eventlog)", StringComparison.Ordinal), $"{code}: {errors}");
    }

    [Fact]
    public async Task a_file_may_be_named_by_every_name_that_SQLite_gives_it()
    {
        var (code, _, errors) = await HostProcess.RunToEndAsync(_folder, "DataSource=foo.db", "generate", "1", "--json");
        Assert.True(code == 0, errors);
        Assert.True(File.Exists(Path.Combine(_folder.Path, "foo.db")));
    }

    [Fact]
    public async Task a_killed_node_started_again_serves_within_20_seconds()
    {
        var eventlog = await postgres.CreateDatabaseAsync();
        var (http, silo) = (LoopbackPort.Free(), LoopbackPort.Free());
        await using (var node = await HostProcess.ServeAsync(_folder, eventlog, http, silo))
        {
            Assert.Equal(HttpStatusCode.Created, (await node.PostAsync("/fines", Issue("a"))).StatusCode);
            await node.KillAsync();
        }

        await Task.Delay(TimeSpan.FromSeconds(5), TimeProvider.System);
        var started = Stopwatch.GetTimestamp();
        await using var again = await HostProcess.ServeAsync(_folder, eventlog, http, silo);
        Assert.Equal(HttpStatusCode.OK, (await again.PostAsync("/fines/a/payments", new { amount = 1 })).StatusCode);
        Assert.InRange(Stopwatch.GetElapsedTime(started).TotalSeconds, 0, 20);
    }

    [Fact]
    public async Task two_nodes_with_one_connection_string_are_one_cluster_and_one_ends_without_the_other()
    {
        var eventlog = await postgres.CreateDatabaseAsync();
        await using var one = await HostProcess.ServeAsync(_folder, eventlog);
        await using var two = await HostProcess.ServeAsync(_folder, eventlog);
        await one.PostAsync("/fines", Issue("a"));
        Assert.Equal(HttpStatusCode.OK, (await two.PostAsync("/fines/a/payments", new { amount = 35.5 })).StatusCode);
        Assert.True((await one.GetAsync("/fines/a")).GetProperty("settled").GetBoolean());

        Assert.Equal(0, await one.TerminateAsync());
        Assert.Equal(HttpStatusCode.OK, (await two.PostAsync("/fines/a/payments", new { amount = 1 })).StatusCode);
        Assert.Equal(3, (await two.GetAsync("/fines/a")).GetProperty("version").GetInt32());

        var import = await HostProcess.RunToEndAsync(_folder, eventlog, "generate", "200", "--json");
        Assert.True(import.Code == 0, import.Errors);
        Assert.True((await two.GetAsync("/fines/G200")).GetProperty("version").GetInt32() > 0);
    }

    [Fact]
    public async Task a_node_whose_clock_was_ahead_comes_back_with_the_right_time()
    {
        var eventlog = await postgres.CreateDatabaseAsync();
        var silo = LoopbackPort.Free();
        await using var other = await HostProcess.ServeAsync(_folder, eventlog);
        await using (var ahead = await HostProcess.ServeAsync(_folder, eventlog, silo: silo))
        {
            await ahead.TerminateAsync();
        }

        // An Orleans silo's generation is the second of its start: of one that started with a clock an hour ahead it is this.
        await using var connection = await PostgresLaws.ConnectAsync(eventlog, null);
        await PostgresLaws.ExecuteAsync(connection, $"update orleans.silo set generation = generation + 3600 where port = {silo}; update orleans.cluster set version = version + 1");
        await using var again = await HostProcess.ServeAsync(_folder, eventlog, silo: silo);
        Assert.Contains("clock", again.Output, StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.Created, (await again.PostAsync("/fines", Issue("a"))).StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await other.PostAsync("/fines/a/payments", new { amount = 1 })).StatusCode);
    }

    [Fact]
    public async Task a_node_whose_port_is_taken_names_it_and_forgets_nobody()
    {
        var eventlog = await postgres.CreateDatabaseAsync();
        var silo = LoopbackPort.Free();
        await using (var ahead = await HostProcess.ServeAsync(_folder, eventlog, silo: silo))
        {
            await ahead.TerminateAsync();
        }

        await using var connection = await PostgresLaws.ConnectAsync(eventlog, null);
        await PostgresLaws.ExecuteAsync(connection, $"update orleans.silo set generation = generation + 3600 where port = {silo}; update orleans.cluster set version = version + 1");
        using var live = new TcpListener(IPAddress.Loopback, silo);
        live.Start();
        await using var second = HostProcess.Run(_folder, eventlog, silo, "--urls", $"http://127.0.0.1:{LoopbackPort.Free()}");
        var (code, _, errors) = await second.EndAsync();
        Assert.True(code == 1 && errors.Trim().Split('\n').Length == 1 && errors.Contains($"{silo} (Orleans:SiloPort)", StringComparison.Ordinal), $"{code}: {errors}");
        await using var rows = new NpgsqlCommand($"select count(*) from orleans.silo where port = {silo}", connection);
        Assert.Equal(1L, await rows.ExecuteScalarAsync());
    }

    [Fact]
    public async Task an_event_that_no_view_can_fold_turns_the_health_red_with_the_reason_and_stops_nothing_else()
    {
        var eventlog = await postgres.CreateDatabaseAsync();
        await using var node = await HostProcess.ServeAsync(_folder, eventlog);
        await node.PostAsync("/fines", Issue("a"));
        await node.PostAsync("/fines", Issue("b"));
        await using (var connection = await PostgresLaws.ConnectAsync(eventlog, null))
        {
            await using var damage = new NpgsqlCommand(
                """call es.append(array['fine/a'], array[-1], array[1], array[null]::text[], array[gen_random_uuid()], array['payment-received'], array[1]::smallint[], array['{"amount":"?"}'::bytea], array['{}'::bytea], null, null, null, null)""", connection);
            await damage.ExecuteNonQueryAsync();
        }

        var text = "";
        await Eventually.Async("red health", async () =>
        {
            using var health = await node.Http.GetAsync("/health");
            text = await health.Content.ReadAsStringAsync();
            return health.StatusCode == HttpStatusCode.ServiceUnavailable;
        });
        var views = JsonDocument.Parse(text).RootElement.GetProperty("checks").GetProperty("views");
        Assert.Equal("Unhealthy", views.GetProperty("status").GetString());
        Assert.Contains("stands still at position 2", views.GetProperty("description").GetString(), StringComparison.Ordinal);
        Assert.Contains("'fine/a', version 2, event type 'payment-received'", views.GetProperty("description").GetString(), StringComparison.Ordinal);

        Assert.Equal(HttpStatusCode.OK, (await node.PostAsync("/fines/b/payments", new { amount = 35.5 })).StatusCode);
        Assert.True((await node.GetAsync("/fines/b")).GetProperty("settled").GetBoolean());
        Assert.Equal(2, (await node.GetAsync("/views/fine_summary/b")).GetProperty("position").GetInt64());
        using var late = await node.Http.GetAsync("/views/fine_summary/b?after=4&wait=1");
        Assert.Equal(HttpStatusCode.ServiceUnavailable, late.StatusCode);
        using var alive = await node.Http.GetAsync("/alive");
        Assert.Equal(HttpStatusCode.OK, alive.StatusCode);
    }

    private static object Issue(string id) => new { fineId = id, amount = 35.5, article = 157, points = 0, vehicleClass = "A", officer = "561" };
}
