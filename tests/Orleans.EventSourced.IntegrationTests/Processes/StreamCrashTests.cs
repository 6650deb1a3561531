using System.Diagnostics;
using Npgsql;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Projections;
using Orleans.EventSourced.IntegrationTests.Grains;
using Orleans.EventSourced.Postgres;
using Xunit;

namespace Orleans.EventSourced.IntegrationTests.Processes;

/// <summary>Subscribers of the log's streams in processes of their own, one of which is killed. What came to them they write into a table of the same database.</summary>
[Collection("processes")]
public sealed class StreamCrashTests(PostgresFixture postgres) : IDisposable
{
    private const int Slices = 4;
    private const int Writers = 12;
    private readonly TestFolder _folder = new();
    private int _deposits;

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task while_one_of_two_processes_is_killed_every_slice_comes_whole_and_in_order()
    {
        var eventlog = await postgres.CreateDatabaseAsync();
        await using var sql = NpgsqlDataSource.Create(eventlog);
        await using (var make = sql.CreateCommand("create table deliveries (number bigint generated always as identity, subscriber text not null, slice int not null, position bigint not null, silo text not null)"))
        {
            await make.ExecuteNonQueryAsync();
        }

        await using var one = await StartAsync(eventlog);
        await using var two = await StartAsync(eventlog);
        await DepositUntilAsync(200, one, two);
        await WholeAsync(eventlog, sql);

        var keepers = await KeepersAsync(one);
        var (first, second) = (await one.Http.GetStringAsync("/silo"), await two.Http.GetStringAsync("/silo"));
        var (victim, survivor, lost) = keepers.Count(k => k == first) > Slices / 2 ? (one, second, first) : (two, first, second);
        Assert.Contains(lost, keepers);
        var writing = DepositUntilAsync(1_200, one, two);
        await Eventually.Async("a part is written", () => Task.FromResult(Volatile.Read(ref _deposits) > 500), () => $"{_deposits} deposits");
        await victim.KillAsync();
        await writing;
        await WholeAsync(eventlog, sql);
        Assert.All(await LastBySliceAsync(sql), silo => Assert.Equal(survivor, silo));

        // One that joins takes its share over.
        await using var three = await StartAsync(eventlog);
        await DepositUntilAsync(1_400, victim == one ? two : one, three);
        await WholeAsync(eventlog, sql);
    }

    private Task<HostProcess> StartAsync(string eventlog) => HostProcess.ServeAsync(NodePrograms.Next, _folder, eventlog, $"TestNode__Slices={Slices}");

    /// <summary>Deposits into some accounts at a time. A call that failed is made again at the other node; the log says what became of it.</summary>
    private Task DepositUntilAsync(int total, params HostProcess[] nodes) => Task.WhenAll(Enumerable.Range(0, Writers).Select(async i =>
    {
        var (node, since, seen) = (i, Stopwatch.GetTimestamp(), "nothing");
        while (Volatile.Read(ref _deposits) < total)
        {
            Assert.True(Stopwatch.GetElapsedTime(since) < TimeSpan.FromSeconds(20), $"Expected a deposit by some node within 20 s; seen last: {seen}");
            try
            {
                using var answer = await nodes[node % nodes.Length].PostAsync($"/accounts/a{i}/deposits/1", new { });
                if (answer.IsSuccessStatusCode)
                {
                    Interlocked.Increment(ref _deposits);
                    since = Stopwatch.GetTimestamp();
                    continue;
                }

                seen = await answer.Content.ReadAsStringAsync();
            }
            catch (HttpRequestException e)
            {
                seen = e.Message;
            }

            node++;
            await Task.Delay(TimeSpan.FromMilliseconds(50), TimeProvider.System);
        }
    }));

    /// <summary>Waits until all subscribers have what is in the log, and checks that it came to each, slice by slice, without gap and in order, but for what came again.</summary>
    private static async Task WholeAsync(string eventlog, NpgsqlDataSource sql)
    {
        await using var log = new PostgresEventLog(new PostgresOptions { ConnectionString = eventlog });
        var events = (await log.ReadLogAsync(LogPosition.Start, int.MaxValue, CancellationToken.None)).Where(e => e.Stream.Type == "account").ToLookup(e => Slice.Of(e.Stream.Value, Slices).Index, e => e.Position.Value);
        for (var slice = 0; slice < Slices; slice++)
        {
            var expected = events[slice].ToList();
            Assert.NotEmpty(expected);
            foreach (var subscriber in new[] { "keeper", "trusting" })
            {
                List<long> came = [];
                await Eventually.Async(
                    $"all {expected.Count} events of slice {slice} are with {subscriber}",
                    async () => (came = await PositionsAsync(sql, subscriber, slice)).Distinct().Count() >= expected.Count,
                    () => $"{came.Distinct().Count()}, the last at {came.LastOrDefault()}");
                Assert.Equal(expected, came.Distinct());
            }
        }
    }

    private static async Task<List<string>> KeepersAsync(HostProcess node)
    {
        var silos = new List<string>();
        for (var slice = 0; slice < Slices; slice++)
        {
            silos.Add(await node.Http.GetStringAsync($"/keepers/{slice}"));
        }

        return silos;
    }

    private static async Task<List<long>> PositionsAsync(NpgsqlDataSource sql, string subscriber, int slice)
    {
        await using var command = sql.CreateCommand("select position from deliveries where subscriber = $1 and slice = $2 order by number");
        command.Parameters.AddRange((NpgsqlParameter[])[new() { Value = subscriber }, new() { Value = slice }]);
        await using var reader = await command.ExecuteReaderAsync();
        var positions = new List<long>();
        while (await reader.ReadAsync())
        {
            positions.Add(reader.GetInt64(0));
        }

        return positions;
    }

    /// <summary>Where the last event of each slice was taken by the one that keeps a position.</summary>
    private static async Task<List<string>> LastBySliceAsync(NpgsqlDataSource sql)
    {
        await using var command = sql.CreateCommand("select distinct on (slice) silo from deliveries where subscriber = 'keeper' order by slice, number desc");
        await using var reader = await command.ExecuteReaderAsync();
        var silos = new List<string>();
        while (await reader.ReadAsync())
        {
            silos.Add(reader.GetString(0));
        }

        return silos;
    }
}
