using System.Diagnostics;
using System.Globalization;
using Microsoft.Extensions.DependencyInjection;
using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.History;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Projections;
using Orleans.EventSourced.Core.Snapshots;
using Orleans.EventSourced.IntegrationTests.Servers;
using Orleans.EventSourced.Postgres;
using Orleans.EventSourced.Sqlite;
using EventId = Orleans.EventSourced.Core.Events.EventId;
using StreamId = Orleans.EventSourced.Core.Log.StreamId;

namespace Orleans.EventSourced.Benchmarks;

/// <summary>
/// What questions to history take, and what they take from others: states of a stream of 10,000 events with a snapshot every 500; and commands by themselves and beside a branch whose views are folded over
/// and over on the same silo, in alternating rounds of one run.
/// </summary>
internal static class HistoryBenchmark
{
    private const int StreamEvents = 10_000;
    private const int SnapshotEvery = 500;
    private const int LogEvents = 200_000;
    private const int Callers = 128;
    private static readonly JsonEventCodec Codec = new(AppendBenchmark.Types);
    private static readonly EntityFold Fold = EntityFold.Of<KeptTally, TallyEvent>("long");

    public static async Task<int> RunAsync(string store, bool quick, CancellationToken cancellationToken)
    {
        var folder = Directory.CreateTempSubdirectory("bench-");
        await using var server = store == "postgres" ? await PostgresServer.StartOwnAsync() : null;
        var place = server is null ? Path.Combine(folder.FullName, "eventlog.db") : await server.CreateDatabaseAsync();
        if (server is not null)
        {
            await PostgresSchema.MigrateAsync(new PostgresOptions { ConnectionString = place }, cancellationToken);
        }

        using (var host = await AppendBenchmark.StartSiloAsync(services => _ = store == "sqlite" ? services.AddSqliteEventLog(o => o.Path = place) : services.AddPostgresEventLog(o => o.ConnectionString = place)))
        {
            await TravelAsync(host.Services, store, cancellationToken);
            await BesideAsync(host.Services, store, quick, cancellationToken);
            await host.StopAsync(cancellationToken);
        }

        folder.Delete(recursive: true);
        return 0;
    }

    private static async Task TravelAsync(IServiceProvider services, string store, CancellationToken cancellationToken)
    {
        var (log, snapshots, stream) = (services.GetRequiredService<IEventLog>(), services.GetRequiredService<ISnapshotStore>(), new StreamId("long", "one"));
        await FillAsync(log, stream, StreamEvents, cancellationToken);
        var head = await log.ReadHeadAsync(cancellationToken);
        for (var version = SnapshotEvery; version <= StreamEvents; version += SnapshotEvery)
        {
            var last = (await log.ReadStreamsAsync([new StreamRead(stream, new StreamVersion(version - 1), 1)], cancellationToken))[0][0];
            await snapshots.WriteAsync(new Snapshot(head.LogId, stream, last.Version, last.Position, last.Id, 1, Fold.ToJson(new KeptTally(version))), cancellationToken);
        }

        var travel = services.GetRequiredService<TimeTravel>();
        var random = new Random(1);
        Console.WriteLine($"{store}: a stream of {StreamEvents} events, a snapshot every {SnapshotEvery}");
        Console.WriteLine("| asked for by | p50 ms | p99 ms | slowest ms | events folded at most |");
        Console.WriteLine("|---|---:|---:|---:|---:|");
        foreach (var kind in (string[])["version", "position", "time"])
        {
            var (took, folded) = (new List<double>(), 0);
            for (var i = 0; i < 420; i++)
            {
                var version = random.Next(1, StreamEvents + 1);
                PointInTime at = kind switch
                {
                    "version" => new PointInTime.AtVersion(new StreamVersion(version)),
                    "position" => new PointInTime.AtPosition(new LogPosition(version)),
                    _ => new PointInTime.AtRecorded((await log.ReadStreamsAsync([new StreamRead(stream, new StreamVersion(version - 1), 1)], cancellationToken))[0][0].RecordedAt),
                };
                var started = Stopwatch.GetTimestamp();
                var reading = await travel.ReadAsync(Fold, stream, at, cancellationToken);
                if (i >= 20)
                {
                    took.Add(Stopwatch.GetElapsedTime(started).TotalMilliseconds);
                }

                folded = Math.Max(folded, reading.Folded);
            }

            took.Sort();
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| {kind} | {took[200]:0.0} | {took[396]:0.0} | {took[^1]:0.0} | {folded} |"));
        }

        Console.WriteLine();
    }

    private static async Task BesideAsync(IServiceProvider services, string store, bool quick, CancellationToken cancellationToken)
    {
        var (log, grains) = (services.GetRequiredService<IEventLog>(), services.GetRequiredService<IGrainFactory>());
        for (var i = 0; i < LogEvents / 1_000; i++)
        {
            await FillAsync(log, new StreamId("filled", $"{i}"), 1_000, cancellationToken);
        }

        var definition = new BranchDefinition("bench", (await log.ReadHeadAsync(cancellationToken)).Position, [new BranchEdit.Apply("half", null)], [], "to see what it takes", null);
        var catalog = new BranchCatalog([WhatIf.Of<TallyEvent, Nothing>("half", "Every other event.", (events, _) => events.Where((_, i) => i % 2 == 0))], []);
        var branch = new Branch(definition, catalog, log, Codec, services.GetRequiredService<HistoryOptions>(), services.GetRequiredService<HistoryThread>());
        var time = TimeSpan.FromSeconds(quick ? 3 : 6);
        var (alone, beside, folded) = (new List<Measurement>(), new List<Measurement>(), 0L);
        await branch.FoldAsync(Projection.Of<TallyRow, TallyEvent>(), [], PoisonPolicy.Stop, null, cancellationToken);
        await AppendBenchmark.GrainsAsync(grains, Callers, time);
        for (var round = 0; round < (quick ? 2 : 6); round++)
        {
            // The log grows from one to the next, so each goes first in every other round.
            var besideFirst = round % 2 == 1;
            var first = besideFirst ? await BesideAsync() : await AppendBenchmark.GrainsAsync(grains, Callers, time);
            var second = besideFirst ? await AppendBenchmark.GrainsAsync(grains, Callers, time) : await BesideAsync();
            alone.Add(besideFirst ? second : first);
            beside.Add(besideFirst ? first : second);
            await Console.Error.WriteLineAsync(string.Create(CultureInfo.InvariantCulture, $"round {round + 1}: {alone[^1].Rate:N0} alone, {beside[^1].Rate:N0} beside"));
        }

        Console.WriteLine($"{store}: {Callers} callers, beside a branch over {definition.Base} events whose view is folded over and over: {folded} of them in {time.TotalSeconds} s at most");
        Console.WriteLine("| | events/s (median) | p50 ms | p99 ms |");
        Console.WriteLine("|---|---:|---:|---:|");
        Print("alone", alone);
        Print("beside", beside);
        var ratios = alone.Zip(beside, (a, b) => b.Rate / a.Rate).Order().ToList();
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"\nbeside / alone, round by round: median {ratios[ratios.Count / 2]:0.00} of {string.Join(", ", ratios.Select(r => r.ToString("0.00", CultureInfo.InvariantCulture)))}"));

        async Task<Measurement> BesideAsync()
        {
            using var enough = new CancellationTokenSource();
            var work = Task.Run(async () =>
            {
                while (!enough.IsCancellationRequested)
                {
                    try
                    {
                        await branch.FoldAsync(Projection.Of<TallyRow, TallyEvent>(), [], PoisonPolicy.Stop, (done, of) => Interlocked.Exchange(ref folded, Math.Max(Interlocked.Read(ref folded), done)), enough.Token);
                    }
                    catch (OperationCanceledException)
                    {
                    }
                }
            });
            var measured = await AppendBenchmark.GrainsAsync(grains, Callers, time);
            await enough.CancelAsync();
            await work;
            return measured;
        }

        static void Print(string name, List<Measurement> measured)
        {
            var middle = measured.OrderBy(m => m.Rate).ElementAt(measured.Count / 2);
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| {name} | {middle.Rate:N0} | {middle.P50:0.0} | {middle.P99:0.0} |"));
        }
    }

    private static async Task FillAsync(IEventLog log, StreamId stream, int events, CancellationToken cancellationToken)
    {
        for (var filled = 0; filled < events; filled += 100)
        {
            var command = CommandId.New(TimeProvider.System);
            var metadata = new EventMetadata(command, Correlation: command.ToString(), Origin: "benchmark").ToJson();
            var from = filled;
            await log.AppendAsync([new AppendRequest(stream, ExpectedVersion.Any, [.. Enumerable.Range(0, 100).Select(i => Codec.Encode(EventId.Derive(command, stream, i), new Ticked(from + i + 1, "a note that makes the event about as long as a real one is, which is 100 bytes"), metadata))])], cancellationToken);
        }
    }

    private sealed record Nothing;
}

/// <summary>The same tally, with snapshots.</summary>
[Core.Deciding.FoldVersion(1)]
public sealed record KeptTally(int Count) : Core.Deciding.IFold<KeptTally, TallyEvent>
{
    public static KeptTally Initial { get; } = new(0);

    public static KeptTally Evolve(KeptTally state, TallyEvent @event) => new(((Ticked)@event).Number);
}

/// <summary>One row for each tally.</summary>
[View("bench_tally")]
public sealed record TallyRow(int Count) : IView<TallyRow, TallyEvent>
{
    public static string? KeyOf(ViewEvent<TallyEvent> e) => e.Recorded.Stream.Key;

    public static TallyRow? Apply(TallyRow? row, string key, ViewEvent<TallyEvent> e) => new((row?.Count ?? 0) + 1);
}
