using System.Diagnostics;
using System.Reflection;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.IntegrationTests.Servers;
using Orleans.EventSourced.Postgres;
using Orleans.EventSourced.Testing.Faults;
using Xunit;

namespace Orleans.EventSourced.IntegrationTests.Log;

/// <summary>
/// What an append is told, and what group commit does about it, for every error that PostgreSQL knows: each is raised by the server itself, by a trigger at the append's last insert, as often as the
/// test says; the errors of the network come from a proxy.
/// </summary>
public sealed class PostgresErrorClasses(PostgresFixture postgres) : IAsyncLifetime
{
    /// <summary>What an error of each class says of an append: rolled back and worth another try, rolled back for what it contains, for how the server is set up, or unknown.</summary>
    private static readonly Dictionary<Type, string[]> Expected = new()
    {
        [typeof(LogUnavailableException)] = ["25", "40", "53100", "53300", "55", "57P03", "72"],
        [typeof(LogRequestRefusedException)] = ["0A", "20", "21", "22", "23", "2F", "38", "39", "44", "54", "P0"],
        [typeof(LogMisconfiguredException)] =
            ["23505", "03", "09", "0B", "0F", "0L", "0P", "0Z", "24", "26", "27", "28", "2B", "2D", "34", "3B", "3D", "3F", "42", "F0", "HV"],
        [typeof(LogOutcomeUnknownException)] = ["08", "25P03", "25P04", "40003", "53", "57", "58", "XX", "01", "02"],
    };

    private PostgresOptions _options = null!;
    private NpgsqlConnection _admin = null!;
    private NpgsqlConnection _watcher = null!;
    private FaultProxy _proxy = null!;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _options = await PostgresConformance.MigratedAsync(postgres);
        _admin = await PostgresLaws.ConnectAsync(_options.ConnectionString, null);
        _watcher = await PostgresLaws.ConnectAsync(_options.ConnectionString, null);
        _proxy = ProxiedServer.Before(_options.ConnectionString);
        await PostgresLaws.ExecuteAsync(_admin, """
            create table public.faults (state text not null);
            create sequence public.left_to_raise increment -1 minvalue -10000000 maxvalue 10000000 start 0;
            grant select on public.faults to public;
            grant usage on public.left_to_raise to public;
            create function public.raise_fault() returns trigger language plpgsql as $$
            declare fault text := (select state from public.faults);
            begin
              if fault is not null and pg_catalog.nextval('public.left_to_raise') > 0 then
                raise exception 'raised by the test' using errcode = fault;
              end if;
              return new;
            end $$;
            create trigger raise_fault before insert on es.commits for each row execute function public.raise_fault();
            """);
    }

    public async ValueTask DisposeAsync()
    {
        await _proxy.DisposeAsync();
        await _admin.DisposeAsync();
        await _watcher.DisposeAsync();
    }

    [Fact]
    public async Task every_error_that_the_driver_knows_by_name_has_its_meaning()
    {
        await using var log = new PostgresEventLog(_options);
        var codes = typeof(PostgresErrorCodes).GetFields(BindingFlags.Public | BindingFlags.Static).Where(f => f.IsLiteral).Select(f => (string)f.GetRawConstantValue()!).Where(c => !c.StartsWith("00", StringComparison.Ordinal)).Distinct().ToList();
        Assert.True(codes.Count > 200, $"{codes.Count} codes");
        var wrong = new List<string>();
        var written = 0;
        foreach (var code in codes)
        {
            var expected = Expected.Where(e => e.Value.Contains(code)).Select(e => e.Key).SingleOrDefault() ?? Expected.Where(e => e.Value.Contains(code[..2])).Select(e => e.Key).SingleOrDefault();
            await RaiseAsync(code, times: 1);
            var seen = await Record.ExceptionAsync(() => log.AppendAsync([Requests.One("t/a")], Cancel));
            if (expected is null || seen?.GetType() != expected)
            {
                wrong.Add($"{code}: {seen?.GetType().Name ?? "nothing"}, and {expected?.Name ?? "no meaning"} was expected");
            }

            // The next one goes: whatever was raised, nothing of it is left, in the log or in the connection.
            Assert.IsType<AppendOutcome.Appended>((await AppendUntilItGoesAsync(log, Requests.One($"t/{code}")))[0]);
            written++;
        }

        Assert.Empty(wrong);
        Assert.Equal(written, (await log.ReadHeadAsync(Cancel)).Position.Value);
    }

    [Theory]
    [InlineData("40001")]
    [InlineData("40P01")]
    [InlineData("55P03")]
    [InlineData("53100")]
    [InlineData("53300")]
    [InlineData("57P03")]
    public async Task what_surely_wrote_nothing_is_tried_three_times_more_and_then_told(string state)
    {
        await using var log = new PostgresEventLog(_options);
        await using var group = Group(log);
        await RaiseAsync(state, times: 3);
        Assert.IsType<AppendOutcome.Appended>(await group.AppendAsync(Requests.One("t/a")));

        await RaiseAsync(state, times: 1_000);
        var told = await Assert.ThrowsAsync<LogUnavailableException>(() => group.AppendAsync(Requests.One("t/b")));
        Assert.Equal(state, Assert.IsType<PostgresException>(told.GetBaseException()).SqlState);
        Assert.Equal(4, 1_000 - await LeftAsync());
        Assert.Equal(1, (await log.ReadHeadAsync(Cancel)).Position.Value);
    }

    [Theory]
    [InlineData("22021")]
    [InlineData("23514")]
    [InlineData("54000")]
    public async Task what_is_refused_for_its_content_fails_alone_and_at_once(string state)
    {
        await using var log = new PostgresEventLog(_options);
        await using var group = Group(log);
        await RaiseAsync(state, times: 1);
        await Assert.ThrowsAsync<LogRequestRefusedException>(() => group.AppendAsync(Requests.One("t/a")));
        Assert.Equal(0, await LeftAsync());
        Assert.IsType<AppendOutcome.Appended>(await group.AppendAsync(Requests.One("t/b")));
    }

    [Theory]
    [InlineData("08006")]
    [InlineData("57P01")]
    [InlineData("57P02")]
    [InlineData("57014")]
    [InlineData("53200")]
    [InlineData("58030")]
    [InlineData("XX000")]
    public async Task what_is_in_doubt_is_sent_again_under_its_ids_until_the_log_answers(string state)
    {
        await using var log = new PostgresEventLog(_options);
        await using var group = Group(log);
        await RaiseAsync(state, times: 6);
        Assert.IsType<AppendOutcome.Appended>(await group.AppendAsync(Requests.One("t/a")));
        Assert.Equal(0, await LeftAsync());
        Assert.Equal(1, (await log.ReadHeadAsync(Cancel)).Position.Value);
    }

    /// <summary>What a server can meet when it has committed and makes its reply ready.</summary>
    [Theory]
    [InlineData("25P03")]
    [InlineData("25P04")]
    [InlineData("53200")]
    [InlineData("53400")]
    [InlineData("57014")]
    [InlineData("57P01")]
    [InlineData("58000")]
    [InlineData("58030")]
    [InlineData("XX000")]
    public async Task an_error_behind_the_commit_is_in_doubt_and_is_resolved_to_the_first_answer(string state)
    {
        await PostgresLaws.ExecuteAsync(_admin, $"""
            alter procedure es.append rename to append_without_error;
            create procedure es.append(
              p_stream text[], p_expected int[], p_count int[], p_hash text[], e_id uuid[], e_type text[], e_schema smallint[], e_data bytea[], e_metadata bytea[],
              inout r_outcome int[], inout r_version int[], inout r_position bigint[], inout r_at timestamptz[])
            language plpgsql as $$
            begin
              call es.append_without_error(p_stream, p_expected, p_count, p_hash, e_id, e_type, e_schema, e_data, e_metadata, r_outcome, r_version, r_position, r_at);
              if pg_catalog.nextval('public.left_to_raise') > 0 then
                raise exception 'raised behind the commit' using errcode = '{state}';
              end if;
            end $$;
            grant execute on procedure es.append to es_writer;
            alter procedure es.append_next rename to append_next_without_error;
            create procedure es.append_next(
              p_requests int, e_stream text[], e_version int[], e_id uuid[], e_type text[], e_schema smallint[], e_data bytea[], e_metadata bytea[], inout r_position bigint, inout r_at timestamptz)
            language plpgsql as $$
            begin
              call es.append_next_without_error(p_requests, e_stream, e_version, e_id, e_type, e_schema, e_data, e_metadata, r_position, r_at);
              if pg_catalog.nextval('public.left_to_raise') > 0 then
                raise exception 'raised behind the commit' using errcode = '{state}';
              end if;
            end $$;
            grant execute on procedure es.append_next to es_writer;
            """);
        await using var log = new PostgresEventLog(_options);
        await RaiseBehindAsync(1);
        await Assert.ThrowsAsync<LogOutcomeUnknownException>(() => log.AppendAsync([Requests.One("t/alone")], Cancel));
        Assert.Equal(1, (await log.ReadHeadAsync(Cancel)).Position.Value);
        await using var group = Group(log);
        await RaiseBehindAsync(1);
        Assert.Equal(new StreamVersion(1), Assert.IsType<AppendOutcome.Duplicate>(await group.AppendAsync(Requests.One("t/a", ExpectedVersion.NoStream))).Version);
        Assert.Equal(2, (await log.ReadHeadAsync(Cancel)).Position.Value);
    }

    [Theory]
    [InlineData("53100")]
    [InlineData("55P03")]
    [InlineData("40001")]
    public async Task a_sure_no_to_what_is_sent_again_is_no_answer_to_the_first_try(string state)
    {
        await using var log = new PostgresEventLog(new PostgresOptions { ConnectionString = _proxy.Through(_options.ConnectionString) });
        await log.AppendAsync([Requests.One("t/first")], Cancel);
        await using var group = Group(log, resolve: TimeSpan.FromMilliseconds(400));
        await RaiseAsync(state, times: 1_000_000);
        _ = _proxy.CutOnce(ProxiedServer.AfterRequest, Cancel);
        await Assert.ThrowsAsync<LogOutcomeUnknownException>(() => group.AppendAsync(Requests.One("t/a")));
    }

    [Fact]
    public async Task a_row_that_is_locked_for_too_long_is_a_sure_no_and_goes_when_it_is_free()
    {
        await using var log = new PostgresEventLog(With(o => o.LockTimeout = TimeSpan.FromMilliseconds(100)));
        await log.AppendAsync([Requests.One("t/a")], Cancel);
        await using var group = Group(log);
        await using (var holder = await _admin.BeginTransactionAsync(Cancel))
        {
            await PostgresLaws.ExecuteAsync(_admin, "select 1 from es.streams where name = 't/a' for update");
            var told = await Assert.ThrowsAsync<LogUnavailableException>(() => group.AppendAsync(Requests.One("t/a", ExpectedVersion.Any)));
            Assert.Equal("55P03", Assert.IsType<PostgresException>(told.GetBaseException()).SqlState);
        }

        Assert.IsType<AppendOutcome.Appended>(await group.AppendAsync(Requests.One("t/a", ExpectedVersion.Any)));
    }

    [Fact]
    public async Task a_statement_that_takes_too_long_is_in_doubt_and_is_resolved_when_the_lock_is_free()
    {
        await using var log = new PostgresEventLog(With(o => (o.CommandTimeout, o.LockTimeout) = (TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(30))));
        await log.AppendAsync([Requests.One("t/a")], Cancel);
        await using var group = Group(log, resolve: TimeSpan.FromSeconds(20));
        Task<AppendOutcome> append;
        await using (var holder = await _admin.BeginTransactionAsync(Cancel))
        {
            await PostgresLaws.ExecuteAsync(_admin, "select 1 from es.streams where name = 't/a' for update");
            var alone = await Assert.ThrowsAsync<LogOutcomeUnknownException>(() => log.AppendAsync([Requests.One("t/a", ExpectedVersion.Any)], Cancel));
            Assert.Equal("57014", Assert.IsType<PostgresException>(alone.GetBaseException()).SqlState);
            append = group.AppendAsync(Requests.One("t/a", ExpectedVersion.Any));
            await Eventually.Async("an append waits for the row", async () => await WaitingAsync() > 0);
        }

        Assert.Equal(new StreamVersion(2), Assert.IsType<AppendOutcome.Appended>(await append).Version);
    }

    [Fact]
    public async Task a_session_that_is_ended_in_the_middle_is_in_doubt_and_the_command_has_one_effect()
    {
        await using var log = new PostgresEventLog(_options);
        await log.AppendAsync([Requests.One("t/a")], Cancel);
        await using var group = Group(log);
        Task<AppendOutcome> append;
        await using (var holder = await _admin.BeginTransactionAsync(Cancel))
        {
            await PostgresLaws.ExecuteAsync(_admin, "select 1 from es.streams where name = 't/a' for update");
            append = group.AppendAsync(Requests.One("t/a", ExpectedVersion.Any));
            await Eventually.Async("an append waits for the row", async () => await WaitingAsync() > 0);
            await PostgresLaws.ExecuteAsync(_watcher, "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'");
        }

        Assert.Equal(new StreamVersion(2), Assert.IsType<AppendOutcome.Appended>(await append).Version);
        Assert.Equal(2, (await log.ReadHeadAsync(Cancel)).Position.Value);
    }

    [Fact]
    public async Task a_server_that_takes_no_connection_is_a_sure_no_within_the_time_of_a_connection()
    {
        await using var log = new PostgresEventLog(new PostgresOptions { ConnectionString = _proxy.Through(_options.ConnectionString) });
        _proxy.RefusesConnections = true;
        await Assert.ThrowsAsync<LogUnavailableException>(() => log.AppendAsync([Requests.One("t/a")], Cancel));
        _proxy.RefusesConnections = false;
        _proxy.IsStalled = true;
        var began = Stopwatch.GetTimestamp();
        await using var other = new PostgresEventLog(new PostgresOptions { ConnectionString = _proxy.Through(_options.ConnectionString), ConnectTimeout = TimeSpan.FromSeconds(1) });
        await Assert.ThrowsAsync<LogUnavailableException>(() => other.AppendAsync([Requests.One("t/a")], Cancel));
        Assert.True(Stopwatch.GetElapsedTime(began) < TimeSpan.FromSeconds(20), $"{Stopwatch.GetElapsedTime(began)}");
        _proxy.Heal();
        Assert.IsType<AppendOutcome.Appended>((await log.AppendAsync([Requests.One("t/a")], Cancel))[0]);
    }

    [Fact]
    public async Task two_connections_that_are_taken_are_a_sure_no_for_the_third_and_no_more_when_one_comes_back()
    {
        await using var log = new PostgresEventLog(With(o => (o.MaxConnections, o.ConnectTimeout, o.LockTimeout) = (2, TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(30))));
        await log.AppendAsync([Requests.One("t/a"), Requests.One("t/b")], Cancel);
        Task<IReadOnlyList<AppendOutcome>>[] held;
        await using (var holder = await _admin.BeginTransactionAsync(Cancel))
        {
            await PostgresLaws.ExecuteAsync(_admin, "select 1 from es.streams for update");
            held = [log.AppendAsync([Requests.One("t/a", ExpectedVersion.Any)], Cancel), log.AppendAsync([Requests.One("t/b", ExpectedVersion.Any)], Cancel)];
            await Eventually.Async("two appends wait for the rows", async () => await WaitingAsync() == 2);
            await Assert.ThrowsAsync<LogUnavailableException>(() => log.AppendAsync([Requests.One("t/c")], Cancel));
        }

        foreach (var append in held)
        {
            Assert.IsType<AppendOutcome.Appended>((await append)[0]);
        }

        Assert.IsType<AppendOutcome.Appended>((await log.AppendAsync([Requests.One("t/c")], Cancel))[0]);
        Assert.Equal(5, (await log.ReadHeadAsync(Cancel)).Position.Value);
    }

    [Theory]
    [InlineData(ProxyEnd.Reset)]
    [InlineData(ProxyEnd.HalfClose)]
    [InlineData(ProxyEnd.BlackHole)]
    public async Task a_reply_that_is_lost_behind_the_commit_is_resolved_to_the_first_answer(ProxyEnd end)
    {
        await using var log = new PostgresEventLog(new PostgresOptions { ConnectionString = _proxy.Through(_options.ConnectionString), CommandTimeout = TimeSpan.FromSeconds(1) });
        await log.AppendAsync([Requests.One("t/a")], Cancel);
        await using var group = Group(log);
        var cut = _proxy.CutOnce(new ProxyCut(ProxyDirection.ToClient, end, "CALL\0"u8.ToArray()), Cancel);
        var outcome = await group.AppendAsync(Requests.One("t/a", ExpectedVersion.Any));
        await cut;
        Assert.Equal(new StreamVersion(2), Assert.IsType<AppendOutcome.Duplicate>(outcome).Version);
        Assert.Equal(2, (await log.ReadHeadAsync(Cancel)).Position.Value);
    }

    [Fact]
    public async Task a_request_that_is_lost_before_the_server_has_it_whole_is_written_when_it_is_sent_again()
    {
        await using var log = new PostgresEventLog(new PostgresOptions { ConnectionString = _proxy.Through(_options.ConnectionString) });
        await log.AppendAsync([Requests.One("t/a")], Cancel);
        await using var group = Group(log);
        var cut = _proxy.CutOnce(new ProxyCut(ProxyDirection.ToServer, ProxyEnd.Reset, "t/lost"u8.ToArray()), Cancel);
        Assert.IsType<AppendOutcome.Appended>(await group.AppendAsync(Requests.One("t/lost")));
        await cut;
        Assert.Equal(2, (await log.ReadHeadAsync(Cancel)).Position.Value);
    }

    private static GroupCommit Group(IEventLog log, TimeSpan? resolve = null) => new(
        log,
        new GroupCommitOptions { RetryDelay = TimeSpan.FromMilliseconds(5), ResolveUnknownFor = resolve ?? TimeSpan.FromSeconds(20) },
        TimeProvider.System,
        NullLogger<GroupCommit>.Instance);

    private static async Task<IReadOnlyList<AppendOutcome>> AppendUntilItGoesAsync(PostgresEventLog log, AppendRequest request)
    {
        try
        {
            return await log.AppendAsync([request], Cancel);
        }
        catch (LogOutcomeUnknownException)
        {
            // The driver gives a connection up at an error that ends sessions, and may learn it only now.
            return await log.AppendAsync([request], Cancel);
        }
    }

    private PostgresOptions With(Action<PostgresOptions> change)
    {
        var options = new PostgresOptions { ConnectionString = _options.ConnectionString };
        change(options);
        return options;
    }

    /// <summary>The next appends meet this error, so many times.</summary>
    private Task RaiseAsync(string state, int times) =>
        PostgresLaws.ExecuteAsync(_admin, $"delete from public.faults; insert into public.faults values ('{state}'); select setval('public.left_to_raise', {times}, false)");

    /// <summary>So many appends meet their error behind the commit, and none before it.</summary>
    private Task RaiseBehindAsync(int times) => PostgresLaws.ExecuteAsync(_admin, $"select setval('public.left_to_raise', {times}, false)");

    private async Task<long> LeftAsync()
    {
        await using var command = new NpgsqlCommand("select greatest(case when is_called then last_value - 1 else last_value end, 0) from public.left_to_raise", _admin);
        return (long)(await command.ExecuteScalarAsync(Cancel))!;
    }

    /// <summary>How many sessions wait for a lock. Inside of one transaction the server would show what it showed before.</summary>
    private async Task<long> WaitingAsync()
    {
        await using var command = new NpgsqlCommand("select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'", _watcher);
        return (long)(await command.ExecuteScalarAsync(Cancel))!;
    }
}
