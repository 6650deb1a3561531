using System.Collections.Concurrent;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;
using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.IntegrationTests.Servers;
using Orleans.EventSourced.Postgres;
using Orleans.EventSourced.Testing.Faults;
using Xunit;

namespace Orleans.EventSourced.IntegrationTests.Log;

/// <summary>
/// Several group commits as silos over one server: hot streams, twins of the same command on two silos, stale versions, backends killed all the time, half of the silos on a network
/// that resets their connections at random moments, while readers follow the log and assert. Afterwards every answer is checked against the log.
/// </summary>
public sealed class PostgresStress(PostgresFixture postgres)
{
    private const int Silos = 4;
    private const int CallersPerSilo = 24;
    private const int Streams = 60;
    private const int EnoughKills = 50;
    private const int EnoughResets = 60;
    private const int EnoughAnswers = 250;
    private static readonly TimeSpan AtLeast = TimeSpan.FromSeconds(12);
    private static readonly TimeSpan AtMost = TimeSpan.FromSeconds(120);

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task no_fact_is_lost_doubled_or_out_of_order_under_kills_resets_twins_and_stale_versions()
    {
        var options = await PostgresConformance.MigratedAsync(postgres);
        var seed = Random.Shared.Next();
        TestContext.Current.SendDiagnosticMessage($"seed {seed}");
        var answers = new ConcurrentBag<(AppendRequest Request, AppendOutcome? Outcome, bool Unknown)>();
        using var stop = new CancellationTokenSource(AtMost);
        await using var proxy = ProxiedServer.Before(options.ConnectionString);
        var behindProxy = new PostgresOptions { ConnectionString = proxy.Through(options.ConnectionString) };
        var silos = Enumerable.Range(0, Silos).Select(n => new PostgresEventLog(n % 2 == 0 ? options : behindProxy)).ToList();
        // Two of the silos give a doubt up soon, so that callers and twins meet answers that leave it open.
        var groups = silos.Select((log, n) => new GroupCommit(log, Options(n < 2), TimeProvider.System, NullLogger<GroupCommit>.Instance)).ToList();

        var readers = new[] { FollowAsync(silos[0], 500, stop.Token), FollowAsync(silos[1], 2_000, stop.Token) };
        var killer = KillAsync(options.ConnectionString, stop.Token);
        var resetter = ResetAsync(proxy, new Random(seed - 1), stop.Token);
        var enough = StopWhenEnoughAsync(answers, proxy, stop);
        await Task.WhenAll(Enumerable.Range(0, Silos * CallersPerSilo).Select(n => Task.Run(() => CallAsync(groups, new Random(seed + n), answers, stop.Token))));
        await enough;
        var kills = await killer;
        await resetter;
        foreach (var group in groups)
        {
            await group.DisposeAsync();
        }

        await Task.WhenAll(readers);
        var log = new PostgresEventLog(options);
        var all = await ReadAllAsync(log);
        Check(all, answers);
        var counted = $"{kills} kills, {proxy.Resets} resets, {all.Count} events, {answers.Count(a => a.Unknown)} answers unknown";
        TestContext.Current.SendDiagnosticMessage(counted);
        Assert.True(kills >= EnoughKills && proxy.Resets >= EnoughResets && all.Count >= EnoughAnswers && answers.Any(a => a.Unknown), $"{counted}: too few to mean anything");
        await log.DisposeAsync();
        foreach (var silo in silos)
        {
            await silo.DisposeAsync();
        }
    }

    private static GroupCommitOptions Options(bool impatient) => new()
    {
        RetryDelay = TimeSpan.FromMilliseconds(10),
        ResolveUnknownFor = impatient ? TimeSpan.FromMilliseconds(300) : TimeSpan.FromSeconds(10),
    };

    /// <summary>Ends the run when it means something: a slow disk lets fewer commands through between two kills, and then the run goes on for longer.</summary>
    private static async Task StopWhenEnoughAsync(ConcurrentBag<(AppendRequest Request, AppendOutcome? Outcome, bool Unknown)> answers, FaultProxy proxy, CancellationTokenSource stop)
    {
        await Task.Delay(AtLeast, TimeProvider.System, Cancel);
        while (!stop.IsCancellationRequested && (proxy.Resets < EnoughResets || answers.Count(a => a.Outcome is AppendOutcome.Appended) < EnoughAnswers))
        {
            await Task.Delay(TimeSpan.FromMilliseconds(200), TimeProvider.System, Cancel);
        }

        await stop.CancelAsync();
    }

    private static async Task CallAsync(List<GroupCommit> silos, Random random, ConcurrentBag<(AppendRequest, AppendOutcome?, bool)> answers, CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
        {
            // Every fifth call is for one of three hot streams; every fourth insists on a version that is often stale.
            var stream = $"s/{(random.Next(5) == 0 ? random.Next(3) : random.Next(Streams))}";
            var expected = random.Next(4) == 0 ? Requests.At(random.Next(40)) : ExpectedVersion.Any;
            var request = Requests.Of(stream, 1 + random.Next(3), expected);
            var twice = random.Next(5) == 0;
            var first = SendAsync(silos[random.Next(Silos)], request, answers);
            await Task.WhenAll(first, twice ? SendAsync(silos[random.Next(Silos)], request, answers) : Task.CompletedTask);
        }
    }

    private static async Task SendAsync(GroupCommit silo, AppendRequest request, ConcurrentBag<(AppendRequest, AppendOutcome?, bool)> answers)
    {
        try
        {
            answers.Add((request, await silo.AppendAsync(request), false));
        }
        catch (LogOutcomeUnknownException)
        {
            answers.Add((request, null, true));
        }
        catch (LogUnavailableException)
        {
            answers.Add((request, null, false));
        }
    }

    private static async Task<int> KillAsync(string connectionString, CancellationToken stop)
    {
        await using var connection = await PostgresLaws.ConnectAsync(connectionString, null);
        var kills = 0;
        while (!stop.IsCancellationRequested)
        {
            await using var kill = new NpgsqlCommand(
                "select count(pg_terminate_backend(pid)) from (select pid from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() order by random() limit 1) x", connection);
            kills += (int)(long)(await kill.ExecuteScalarAsync(Cancel))!;
            await Task.Delay(TimeSpan.FromMilliseconds(100), TimeProvider.System, Cancel);
        }

        return kills;
    }

    /// <summary>Resets every connection of the proxy, or one between a request and its reply, every 40 to 300 ms.</summary>
    private static async Task ResetAsync(FaultProxy proxy, Random random, CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
        {
            switch (random.Next(4))
            {
                case 0:
                    proxy.CutAll(ProxyEnd.Reset);
                    break;
                case 1:
                    _ = proxy.CutOnce(ProxiedServer.AfterRequest, stop);
                    break;
                default:
                    _ = proxy.CutOnce(ProxiedServer.BeforeReply, stop);
                    break;
            }

            await Task.Delay(TimeSpan.FromMilliseconds(random.Next(40, 300)), TimeProvider.System, Cancel);
        }
    }

    /// <summary>Reads on and asserts: the next position is the last one + 1, versions have no gap, time does not run backward.</summary>
    private static async Task FollowAsync(PostgresEventLog log, int page, CancellationToken stop)
    {
        var (at, time) = (LogPosition.Start, DateTimeOffset.MinValue);
        var versions = new Dictionary<StreamId, int>();
        while (!stop.IsCancellationRequested)
        {
            IReadOnlyList<RecordedEvent> events;
            try
            {
                events = await log.ReadLogAsync(at, page, Cancel);
            }
            catch (LogUnavailableException)
            {
                continue;
            }

            foreach (var e in events)
            {
                Assert.Equal(at + 1, e.Position);
                Assert.Equal(versions.GetValueOrDefault(e.Stream) + 1, e.Version.Value);
                Assert.True(e.RecordedAt >= time, $"time ran backward at {e.Position}");
                (at, time, versions[e.Stream]) = (e.Position, e.RecordedAt, e.Version.Value);
            }
        }
    }

    private static async Task<IReadOnlyList<RecordedEvent>> ReadAllAsync(PostgresEventLog log)
    {
        var all = new List<RecordedEvent>();
        while (await log.ReadLogAsync(new LogPosition(all.Count), 5_000, Cancel) is { Count: > 0 } page)
        {
            all.AddRange(page);
        }

        return all;
    }

    private static void Check(IReadOnlyList<RecordedEvent> all, IReadOnlyCollection<(AppendRequest Request, AppendOutcome? Outcome, bool Unknown)> answers)
    {
        Assert.Equal(Enumerable.Range(1, all.Count).Select(n => (long)n), all.Select(e => e.Position.Value));
        var byId = all.ToDictionary(e => e.Id);
        foreach (var (request, outcome, unknown) in answers)
        {
            var there = request.Events.Count(e => byId.ContainsKey(e.Id));
            switch (outcome)
            {
                case AppendOutcome.Appended a:
                    AssertIsAt(request, byId, a.Version, a.Position);
                    break;
                case AppendOutcome.Duplicate d:
                    AssertIsAt(request, byId, d.Version, d.Position);
                    break;
                case AppendOutcome.Conflict conflict:
                    // A twin on another silo may have been tried later, when the stream had grown up to the version expected; never when it was past it.
                    Assert.True(
                        there == 0 || (conflict.Actual < request.Expected.Version && answers.Any(o => o.Request == request && o.Outcome is not AppendOutcome.Conflict)),
                        $"{conflict} was answered to a request that is in the log");
                    break;
                case null when unknown:
                    Assert.True(there == 0 || there == request.Events.Count, "part of a request is in the log");
                    break;
                case null:
                    // Its twin on another silo may have written it, and may have lost the reply for good.
                    Assert.True(
                        there == 0 || answers.Any(o => o.Request == request && (o.Unknown || o.Outcome is AppendOutcome.Appended or AppendOutcome.Duplicate)),
                        "a request is in the log, and whoever sent it was told that it surely is not");
                    break;
                default:
                    Assert.Fail($"{outcome} was not expected");
                    break;
            }
        }

        Assert.All(answers.GroupBy(a => a.Request), g => Assert.True(g.Count(a => a.Outcome is AppendOutcome.Appended) <= 1, "one request was appended twice"));
        Assert.Equal(all.Count, answers.Where(a => a.Request.Events.All(e => byId.ContainsKey(e.Id))).DistinctBy(a => a.Request).Sum(a => a.Request.Events.Count));
    }

    private static void AssertIsAt(AppendRequest request, Dictionary<EventId, RecordedEvent> byId, StreamVersion last, LogPosition position)
    {
        for (var i = 0; i < request.Events.Count; i++)
        {
            var e = byId[request.Events[i].Id];
            Assert.Equal((request.Stream, last.Value - request.Events.Count + 1 + i, position.Value - request.Events.Count + 1 + i), (e.Stream, e.Version.Value, e.Position.Value));
        }
    }
}
