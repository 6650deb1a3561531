using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using Npgsql;
using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Postgres;
using Xunit;

namespace Orleans.EventSourced.IntegrationTests.Log;

/// <summary>What a page of a stream costs the server.</summary>
public sealed partial class PostgresStreamPages(PostgresFixture postgres)
{
    private const int Events = 200;
    private const int EventBytes = 50_000;
    private const int PageEvents = 4;
    private static readonly StreamId Stream = new("t/large");

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task a_page_expands_no_more_events_than_it_holds_and_one_or_two_behind_it()
    {
        var options = await PostgresConformance.MigratedAsync(postgres);
        await using var log = new PostgresEventLog(options);
        await AppendAsync(log);
        await using var connection = await PostgresLaws.ConnectAsync(options.ConnectionString, null);
        await PostgresLaws.ExecuteAsync(connection, "set jit = off; set enable_seqscan = off");
        foreach (var setting in (string[])["select 1", "set plan_cache_mode = force_generic_plan", "analyze es.events, es.commits"])
        {
            await PostgresLaws.ExecuteAsync(connection, setting);
            Assert.InRange(await RowsReadAsync(connection), PageEvents, PageEvents + 2);
        }

        var page = await log.ReadStreamsAsync([new StreamRead(Stream, StreamVersion.None, StreamLoader.PageSize, PageEvents * EventBytes)], Cancel);
        Assert.Equal(PageEvents, page[0].Count);
    }

    /// <summary>Payloads that the server keeps compressed: their size is known only when they are expanded.</summary>
    private static async Task AppendAsync(PostgresEventLog log)
    {
        var data = Encoding.UTF8.GetBytes($"\"{new string('x', EventBytes)}\"");
        for (var i = 0; i < Events; i += 20)
        {
            var command = CommandId.FromText($"large {i}");
            var metadata = new EventMetadata(command).ToJson();
            await log.AppendAsync([new AppendRequest(Stream, ExpectedVersion.Any, [.. Enumerable.Range(0, 20).Select(n => new NewEvent(EventId.Derive(command, Stream, n), "tested", 1, data, metadata))])], Cancel);
        }
    }

    private static async Task<int> RowsReadAsync(NpgsqlConnection connection)
    {
        var sql = await new StreamReader(typeof(PostgresEventLog).Assembly.GetManifestResourceStream("Orleans.EventSourced.Postgres.Sql.read_streams.sql")!).ReadToEndAsync(Cancel);
        await using var explain = new NpgsqlCommand("explain (analyze, timing off, costs off) " + sql, connection)
        {
            Parameters =
            {
                new NpgsqlParameter<string[]> { TypedValue = [Stream.Value] },
                new NpgsqlParameter<int[]> { TypedValue = [0] },
                new NpgsqlParameter<int[]> { TypedValue = [StreamLoader.PageSize] },
                new NpgsqlParameter<int[]> { TypedValue = [PageEvents * EventBytes] },
            },
        };
        await using var reader = await explain.ExecuteReaderAsync(Cancel);
        var rows = new List<int>();
        while (await reader.ReadAsync(Cancel))
        {
            if (RowsFromEvents().Match(reader.GetString(0)) is { Success: true } match)
            {
                rows.Add(int.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture));
            }
        }

        return Assert.Single(rows);
    }

    [GeneratedRegex(@"on events .*actual rows=(\d+)")]
    private static partial Regex RowsFromEvents();
}
