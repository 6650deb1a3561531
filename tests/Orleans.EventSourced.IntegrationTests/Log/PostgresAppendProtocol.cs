using Npgsql;
using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Postgres;
using Xunit;

namespace Orleans.EventSourced.IntegrationTests.Log;

/// <summary>The smallest examples of how an append can go wrong between several writers on one server.</summary>
public sealed class PostgresAppendProtocol(PostgresFixture postgres) : IAsyncLifetime
{
    private PostgresOptions _options = null!;
    private PostgresEventLog _log = null!;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _options = new PostgresOptions { ConnectionString = await postgres.CreateLogAsync(), LockTimeout = TimeSpan.FromSeconds(2) };
        _log = new PostgresEventLog(_options);
    }

    public ValueTask DisposeAsync() => _log.DisposeAsync();

    [Fact]
    public async Task a_missing_stream_in_the_middle_of_a_batch_shifts_nothing()
    {
        await _log.AppendAsync([Requests.One("t/a"), Requests.One("t/b")], Cancel);
        var (a, missing, b) = (Requests.One("t/a", Requests.At(1)), Requests.One("t/missing", Requests.At(1)), Requests.One("t/b", Requests.At(1)));

        var outcomes = await _log.AppendAsync([a, missing, b], Cancel);

        Assert.IsType<AppendOutcome.Appended>(outcomes[0]);
        Assert.Equal(new AppendOutcome.Conflict(StreamVersion.None), outcomes[1]);
        Assert.IsType<AppendOutcome.Appended>(outcomes[2]);
        Assert.Equal(b.Events[0].Id, (await ReadAsync("t/b"))[1].Id);
        Assert.Empty(await ReadAsync("t/missing"));
    }

    [Fact]
    public async Task twins_at_the_same_moment_are_one_append_and_one_duplicate_and_never_a_conflict()
    {
        for (var round = 0; round < 150; round++)
        {
            var request = Requests.One("t/twins", Requests.At(round), CommandId.FromText($"twin {round}"));
            var answers = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Task.Run(() => SendAsync(request))));
            Assert.Single(answers.OfType<AppendOutcome.Appended>());
            Assert.Equal(3, answers.OfType<AppendOutcome.Duplicate>().Count());
        }

        Assert.Equal(150, (await ReadAsync("t/twins")).Count);
    }

    [Fact]
    public async Task batches_over_the_same_streams_in_opposite_order_do_not_deadlock()
    {
        var names = Enumerable.Range(0, 40).Select(i => $"t/{i}").ToList();
        var before = await DeadlocksAsync();
        await Task.WhenAll(Enumerable.Range(0, 6).Select(w => Task.Run(async () =>
        {
            for (var i = 0; i < 40; i++)
            {
                var order = w % 2 == 0 ? names : Enumerable.Reverse(names);
                var batch = order.Select(n => Requests.One(i == 0 ? $"{n}-new" : n)).ToList();
                Assert.All(await SendAsync(batch), o => Assert.IsType<AppendOutcome.Appended>(o));
            }
        })));
        Assert.Equal(before, await DeadlocksAsync());
    }

    [Fact]
    public async Task the_append_is_committed_before_the_clients_next_message()
    {
        // Within one batch of the extended protocol the client's Sync comes last. The second statement waits; the first must already be seen by others.
        await using var connection = await PostgresLaws.ConnectAsync(_options.ConnectionString, "es_writer");
        await using var batch = new NpgsqlBatch(connection)
        {
            BatchCommands =
            {
                new NpgsqlBatchCommand("call es.append(array['t/a'], array[-1], array[1], array[null]::text[], array['00000000-0000-4000-8000-000000000001'::uuid], array['tested'], array[1::smallint], array['{}'::bytea], array['{}'::bytea], null, null, null, null)"),
                new NpgsqlBatchCommand("select pg_sleep(8)"),
            },
        };
        var running = batch.ExecuteNonQueryAsync(Cancel);
        await Eventually.Async("the append of the frozen client is visible", async () => (await _log.ReadHeadAsync(Cancel)).Position.Value == 1, seconds: 6);
        Assert.False(running.IsCompleted);
        Assert.IsType<AppendOutcome.Appended>(await SendAsync(Requests.One("t/b")));
        await running;
    }

    [Theory]
    [InlineData("a count above the events", "array['t/a'], array[-1], array[2], array[null]::text[]", 1)]
    [InlineData("a count below the events", "array['t/a'], array[-1], array[1], array[null]::text[]", 2)]
    [InlineData("a request without events", "array['t/a', 't/b'], array[-1, -1], array[0, 1], array[null, null]::text[]", 1)]
    [InlineData("a negative count", "array['t/a', 't/b'], array[-1, -1], array[-1, 2], array[null, null]::text[]", 1)]
    [InlineData("no count", "array['t/a', 't/b'], array[-1, -1], array[null, 1], array[null, null]::text[]", 1)]
    [InlineData("a stream too many", "array['t/a', 't/b'], array[-1], array[1], array[null]::text[]", 1)]
    [InlineData("an expected version too few", "array['t/a', 't/b'], array[-1], array[1, 1], array[null, null]::text[]", 2)]
    [InlineData("a count too many", "array['t/a'], array[-1], array[1, 1], array[null]::text[]", 2)]
    [InlineData("a hash too few", "array['t/a', 't/b'], array[-1, -1], array[1, 1], array[null]::text[]", 2)]
    [InlineData("no hashes", "array['t/a'], array[-1], array[1], null", 1)]
    [InlineData("numbers that begin at 0", "'[0:0]={t/a}'::text[], '[0:0]={-1}'::int[], '[0:0]={1}'::int[], '[0:0]={null}'::text[]", 1)]
    [InlineData("tables of requests", "array[['t/a', 't/b']], array[[-1, -1]], array[[1, 1]], array[[null, null]]::text[]", 2)]
    [InlineData("no requests", "array[]::text[], array[]::int[], array[]::int[], array[]::text[]", 1)]
    [InlineData("a type too few", "array['t/a'], array[-1], array[2], array[null]::text[]", 2, "e_type")]
    [InlineData("a schema too few", "array['t/a'], array[-1], array[2], array[null]::text[]", 2, "e_schema")]
    [InlineData("a payload too few", "array['t/a'], array[-1], array[2], array[null]::text[]", 2, "e_data")]
    [InlineData("an envelope too few", "array['t/a'], array[-1], array[2], array[null]::text[]", 2, "e_metadata")]
    public async Task arrays_that_do_not_fit_together_are_refused_and_write_nothing(string fault, string requests, int events, string? shorter = null)
    {
        (string Name, string Element)[] columns = [("e_id", "gen_random_uuid()"), ("e_type", "'tested'::text"), ("e_schema", "1::smallint"), ("e_data", "'{}'::bytea"), ("e_metadata", "'{}'::bytea")];
        var given = columns.Select(c => $"array[{string.Join(", ", Enumerable.Repeat(c.Element, c.Name == shorter ? events - 1 : events))}]");
        await using var connection = await PostgresLaws.ConnectAsync(_options.ConnectionString, "es_writer");

        var e = await Assert.ThrowsAsync<PostgresException>(() => PostgresLaws.ExecuteAsync(connection, $"call es.append({requests}, {string.Join(", ", given)}, null, null, null, null)"));

        Assert.True(e.SqlState == "ES003", $"{fault}: {e.SqlState} {e.MessageText}");
        Assert.Equal(0, (await _log.ReadHeadAsync(Cancel)).Position.Value);
    }

    [Fact]
    public async Task while_a_writer_is_held_up_nothing_appears_behind_a_position_already_read()
    {
        await using var holder = await PostgresLaws.ConnectAsync(_options.ConnectionString, null);
        await PostgresLaws.ExecuteAsync(holder, """
            create function public.hold() returns trigger language plpgsql as $$ begin
              if new.type = 'held' then perform pg_catalog.pg_advisory_xact_lock(77); end if;
              return new;
            end $$;
            create trigger hold before insert on es.events for each row execute function public.hold();
            """);
        await PostgresLaws.ExecuteAsync(holder, "select pg_advisory_lock(77)");
        var command = CommandId.New(TimeProvider.System);
        var held = new AppendRequest(new StreamId("t/held"), ExpectedVersion.Any, [new NewEvent(EventId.Derive(command, new StreamId("t/held"), 0), "held", 1, "{}"u8.ToArray(), new EventMetadata(command).ToJson())]);
        var waiting = Task.Run(() => _log.AppendAsync([held], Cancel));
        await using var onlooker = await PostgresLaws.ConnectAsync(_options.ConnectionString, null);
        await using var waits = new NpgsqlCommand("select exists (select from pg_locks where locktype = 'advisory' and objid = 77 and not granted)", onlooker);
        await Eventually.Async("the held writer waits", async () => await waits.ExecuteScalarAsync(Cancel) is true);
        for (var i = 0; i < 20; i++)
        {
            await _log.AppendAsync([Requests.One($"t/{i}")], Cancel);
        }

        var seen = (await _log.ReadLogAsync(LogPosition.Start, 100, Cancel))[^1].Position;
        await PostgresLaws.ExecuteAsync(holder, "select pg_advisory_unlock(77)");
        var late = Assert.IsType<AppendOutcome.Appended>(Assert.Single(await waiting));
        Assert.Equal(seen + 1, late.Position);
    }

    [Fact]
    public async Task a_lock_that_is_never_released_is_a_bounded_refusal_and_leaves_no_trace()
    {
        await using var holder = await PostgresLaws.ConnectAsync(_options.ConnectionString, null);
        await PostgresLaws.ExecuteAsync(holder, "select pg_advisory_lock(7306093021735223393)");
        await Assert.ThrowsAsync<LogUnavailableException>(() => _log.AppendAsync([Requests.One("t/a")], Cancel));
        await PostgresLaws.ExecuteAsync(holder, "select pg_advisory_unlock(7306093021735223393)");
        Assert.Equal(0, (await _log.ReadHeadAsync(Cancel)).Position.Value);
        Assert.Equal(new LogPosition(1), Assert.IsType<AppendOutcome.Appended>(await SendAsync(Requests.One("t/a"))).Position);
    }

    [Fact]
    public async Task a_page_of_the_log_is_read_by_index_whatever_the_statistics()
    {
        for (var i = 0; i < 60; i++)
        {
            await _log.AppendAsync([.. Enumerable.Range(0, 500).Select(n => Requests.One($"t/{i}-{n}"))], Cancel);
        }

        await using var connection = await PostgresLaws.ConnectAsync(_options.ConnectionString, null);
        await PostgresLaws.ExecuteAsync(connection, "set jit = off; set enable_seqscan = off; set plan_cache_mode = force_generic_plan");
        var sql = new StreamReader(typeof(PostgresEventLog).Assembly.GetManifestResourceStream("Orleans.EventSourced.Postgres.Sql.read_log.sql")!).ReadToEnd();
        foreach (var statistics in (string[])["select 1", "analyze es.events, es.commits"])
        {
            await PostgresLaws.ExecuteAsync(connection, statistics);
            await using var explain = new NpgsqlCommand("explain " + sql, connection) { Parameters = { new NpgsqlParameter<long> { TypedValue = 20_000 }, new NpgsqlParameter<long> { TypedValue = 1_000 } } };
            await using var reader = await explain.ExecuteReaderAsync(Cancel);
            var plan = new List<string>();
            while (await reader.ReadAsync(Cancel))
            {
                plan.Add(reader.GetString(0));
            }

            Assert.DoesNotContain(plan, line => line.Contains("Seq Scan", StringComparison.Ordinal));
            Assert.Contains(plan, line => line.Contains("events_commit_key", StringComparison.Ordinal));
        }
    }

    [Fact]
    public async Task a_look_up_of_a_command_is_bounded_however_many_share_its_instant()
    {
        var instant = Requests.OfOneInstant(2_001).ToList();
        await _log.AppendAsync([.. instant.Select(c => c.Request)], Cancel);
        Assert.Equal("instant/1999", (await _log.FindCommandAsync(instant[1_999].Command, Cancel))?.Stream.Value);
        Assert.Null(await _log.FindCommandAsync(instant[2_000].Command, Cancel));
    }

    [Fact]
    public async Task the_links_that_the_server_computes_are_those_of_the_formula()
    {
        for (var i = 0; i < 5; i++)
        {
            await _log.AppendAsync([Requests.Of("t/ünï", 3), Requests.One($"t/{i}"), Requests.Of("t/b", 2)], Cancel);
        }

        await using var connection = await PostgresLaws.ConnectAsync(_options.ConnectionString, null);
        await using var commits = new NpgsqlCommand("select position, count, recorded_at, link from es.commits order by position", connection);
        await using var reader = await commits.ExecuteReaderAsync(Cancel);
        var events = await _log.ReadLogAsync(LogPosition.Start, 1_000, Cancel);
        byte[] link = [];
        while (await reader.ReadAsync(Cancel))
        {
            var (position, count) = (reader.GetInt64(0), reader.GetInt32(1));
            link = HashLink.Next(link, new LogPosition(position), reader.GetFieldValue<DateTimeOffset>(2), [.. events.Skip((int)position - 1).Take(count).Select(HashLink.Digest)]);
            Assert.Equal(Convert.ToHexString(link), Convert.ToHexString(reader.GetFieldValue<byte[]>(3)));
        }

        Assert.Equal(30, events.Count);
    }

    private async Task<IReadOnlyList<RecordedEvent>> ReadAsync(string stream) =>
        (await _log.ReadStreamsAsync([new StreamRead(new StreamId(stream), StreamVersion.None, 1_000)], Cancel))[0];

    private async Task<AppendOutcome> SendAsync(AppendRequest request) => Assert.Single(await SendAsync([request]));

    private async Task<IReadOnlyList<AppendOutcome>> SendAsync(IReadOnlyList<AppendRequest> batch)
    {
        while (true)
        {
            try
            {
                return await _log.AppendAsync(batch, Cancel);
            }
            catch (LogRaceException)
            {
                // The twin was faster between look-up and insert: sent again, it is seen.
            }
        }
    }

    private async Task<long> DeadlocksAsync()
    {
        await using var connection = await PostgresLaws.ConnectAsync(_options.ConnectionString, null);
        await using var command = new NpgsqlCommand("select deadlocks from pg_stat_database where datname = current_database()", connection);
        return (long)(await command.ExecuteScalarAsync(Cancel))!;
    }
}
