using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Postgres;
using Xunit;

namespace Orleans.EventSourced.IntegrationTests.Log;

/// <summary>Rows that are in the tables and cannot be read: each is told by its place, and fails nobody else.</summary>
public sealed class PostgresUnreadableRows(PostgresFixture postgres) : IAsyncLifetime
{
    private const int Streams = 200;
    private PostgresOptions _options = null!;
    private PostgresEventLog _log = null!;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _options = await PostgresConformance.MigratedAsync(postgres);
        _log = new PostgresEventLog(_options);
        await _log.AppendAsync([.. Enumerable.Range(0, Streams).Select(i => Requests.One($"t/{i}"))], Cancel);
    }

    public ValueTask DisposeAsync() => _log.DisposeAsync();

    [Fact]
    public async Task a_row_that_is_no_event_is_told_by_stream_and_version()
    {
        await SpoilAsync("t/77");

        var inStream = await Assert.ThrowsAsync<LogCorruptException>(() => _log.ReadStreamsAsync([Read("t/3"), Read("t/77")], Cancel));
        Assert.Equal(("t/77", 2, Streams + 1L, "spoilt"), (inStream.Stream, inStream.Version, inStream.Position, inStream.EventType));
        await using var fresh = new PostgresEventLog(_options);
        var inLog = await Assert.ThrowsAsync<LogCorruptException>(() => fresh.ReadLogAsync(LogPosition.Start, 1_000, Cancel));
        Assert.Equal(("t/77", 2, Streams + 1L, "spoilt"), (inLog.Stream, inLog.Version, inLog.Position, inLog.EventType));
    }

    [Fact]
    public async Task a_stream_whose_name_is_none_is_told_by_its_number()
    {
        await ExecuteAsync("""
            insert into es.streams (name, type) overriding system value values ('no name', 'none');
            insert into es.events select s.id, 1, 0, 0, gen_random_uuid(), 'spoilt', 1, '{}', '{}' from es.streams s where s.name = 'no name';
            insert into es.commits select max(position) + max(count), 0, 1, max(recorded_at), '' from es.commits;
            """);

        var e = await Assert.ThrowsAsync<LogCorruptException>(() => _log.ReadLogAsync(LogPosition.Start, 1_000, Cancel));
        Assert.Contains("no name", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task a_row_that_is_no_event_fails_its_stream_alone()
    {
        await SpoilAsync("t/77");
        var e = Assert.IsType<LogCorruptException>(await OnlyFailureAsync("t/77"));
        Assert.Equal("t/77", e.Stream);
    }

    [Fact]
    public async Task a_damaged_block_fails_its_stream_alone()
    {
        // The server's own complaint about a block that it cannot read, raised for the rows of one stream.
        await ExecuteAsync("""
            create function es.damaged() returns json language plpgsql as $$ begin raise exception using errcode = 'XX001', message = 'invalid page in block 7'; end $$;
            grant execute on function es.damaged to public;
            alter table es.events rename to events_below;
            create view es.events as
              select e.stream_id, e.version, e.commit_id, e.ordinal, e.id, e.type, e.schema, case s.name when 't/77' then es.damaged() else e.data end as data, e.metadata
              from es.events_below e join es.streams s on s.id = e.stream_id;
            grant select on es.events to es_writer;
            """);
        Assert.IsType<LogMisconfiguredException>(await OnlyFailureAsync("t/77"));
    }

    private static StreamRead Read(string stream) => new(new StreamId(stream), StreamVersion.None, 100);

    /// <summary>A second event with an id that none may have: the table takes it, an event does not.</summary>
    private Task SpoilAsync(string stream) => ExecuteAsync($"""
        insert into es.events select s.id, 2, 0, 0, '00000000-0000-0000-0000-000000000000', 'spoilt', 1, '{"{}"}', '{"{}"}' from es.streams s where s.name = '{stream}';
        insert into es.commits select max(position) + max(count), 0, 1, max(recorded_at), '' from es.commits;
        """);

    /// <summary>Reads all streams at once through a loader: the one of this name fails, the others are answered.</summary>
    private async Task<Exception> OnlyFailureAsync(string stream)
    {
        var loader = new StreamLoader(_log);
        var reads = Enumerable.Range(0, Streams).Select(i => loader.ReadAsync(new StreamId($"t/{i}"), StreamVersion.None)).ToList();
        var failures = new List<(int Stream, Exception Cause)>();
        for (var i = 0; i < Streams; i++)
        {
            try
            {
                Assert.Single(await reads[i]);
            }
            catch (LogException e)
            {
                failures.Add((i, e));
            }
        }

        var (failed, cause) = Assert.Single(failures);
        Assert.Equal(stream, $"t/{failed}");
        return cause;
    }

    private async Task ExecuteAsync(string sql)
    {
        await using var connection = await PostgresLaws.ConnectAsync(_options.ConnectionString, null);
        await PostgresLaws.ExecuteAsync(connection, sql);
    }
}
