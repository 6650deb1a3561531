using System.Diagnostics;
using System.Globalization;
using Microsoft.Extensions.DependencyInjection;
using Orleans.EventSourced.Benchmarks.Compare;
using Orleans.EventSourced.Benchmarks.Measures;
using Orleans.EventSourced.Benchmarks.Peers;
using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.History;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Projections;
using Orleans.EventSourced.Core.Snapshots;
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
    private static readonly JsonEventCodec Codec = new(TallyEvent.Types);
    private static readonly EntityFold Fold = EntityFold.Of<KeptTally, TallyEvent>("long");

    public static async Task<int> RunAsync(string store, bool quick, CancellationToken cancellationToken)
    {
        await using var ground = await Ground.StartAsync(store, quick ? Scale.Quick : Scale.Full, cancellationToken);
        var ours = (Ours)await ground.ContenderAsync(Contenders.Ours, cancellationToken);
        await TravelAsync(ours.Services, store, cancellationToken);
        await BesideAsync(ours, store, quick, cancellationToken);
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
            await snapshots.WriteAsync(new Snapshot(head.LogId, stream, last.Version, last.Position, last.Id, KeptTally.FoldVersion, Fold.ToJson(new KeptTally(version))), cancellationToken);
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

    private static async Task BesideAsync(Ours ours, string store, bool quick, CancellationToken cancellationToken)
    {
        var (services, rounds) = (ours.Services, 0);
        var log = services.GetRequiredService<IEventLog>();
        for (var i = 0; i < LogEvents / 1_000; i++)
        {
            await FillAsync(log, new StreamId("filled", $"{i}"), 1_000, cancellationToken);
        }

        var definition = new BranchDefinition("bench", (await log.ReadHeadAsync(cancellationToken)).Position, [new BranchEdit.Apply("half", null)], [], "to see what it takes", null);
        var catalog = new BranchCatalog([WhatIf.Of<TallyEvent, Nothing>("half", "Every other event.", (events, _) => events.Where((_, i) => i % 2 == 0))], []);
        var branch = new Branch(definition, catalog, log, Codec, services.GetRequiredService<HistoryOptions>(), services.GetRequiredService<HistoryThread>());
        var time = TimeSpan.FromSeconds(quick ? 3 : 6);
        var (alone, beside, folded) = (new List<Round>(), new List<Round>(), 0L);
        await branch.FoldAsync(Projection.Of<TallyRow, TallyEvent>(), [], PoisonPolicy.Stop, null, cancellationToken);
        await AppendAsync();
        for (var round = 0; round < (quick ? 2 : 6); round++)
        {
            // The log grows from one to the next, so each goes first in every other round.
            var besideFirst = round % 2 == 1;
            var first = besideFirst ? await BesideAsync() : await AppendAsync();
            var second = besideFirst ? await AppendAsync() : await BesideAsync();
            alone.Add(besideFirst ? second : first);
            beside.Add(besideFirst ? first : second);
            await Console.Error.WriteLineAsync(string.Create(CultureInfo.InvariantCulture, $"round {round + 1}: {alone[^1][Quantity.PerSecond]:N0} alone, {beside[^1][Quantity.PerSecond]:N0} beside"));
        }

        Console.WriteLine($"{store}: {Callers} callers, beside a branch over {definition.Base} events whose view is folded over and over: {folded} of them in {time.TotalSeconds} s at most");
        Console.WriteLine("| | events/s (median) | p50 ms | p99 ms |");
        Console.WriteLine("|---|---:|---:|---:|");
        Print("alone", alone);
        Print("beside", beside);
        var ratios = alone.Zip(beside, (a, b) => b[Quantity.PerSecond] / a[Quantity.PerSecond]).Order().ToList();
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"\nbeside / alone, round by round: median {ratios[ratios.Count / 2]:0.00} of {string.Join(", ", ratios.Select(r => r.ToString("0.00", CultureInfo.InvariantCulture)))}"));

        Task<Round> AppendAsync() => ours.AppendAsync(new AppendLoad($"beside-{rounds++}", Callers, 1, OneEntity: false, time), cancellationToken);

        async Task<Round> BesideAsync()
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
            var measured = await AppendAsync();
            await enough.CancelAsync();
            await work;
            return measured;
        }

        static void Print(string name, List<Round> measured)
        {
            var middle = measured.OrderBy(m => m[Quantity.PerSecond]).ElementAt(measured.Count / 2);
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| {name} | {middle[Quantity.PerSecond]:N0} | {middle[Quantity.P50]:0.0} | {middle[Quantity.P99]:0.0} |"));
        }
    }

    private static async Task FillAsync(IEventLog log, StreamId stream, int events, CancellationToken cancellationToken)
    {
        for (var filled = 0; filled < events; filled += 100)
        {
            var command = CommandId.New(TimeProvider.System);
            var metadata = new EventMetadata(command, Correlation: command.ToString(), Origin: "benchmark").ToJson();
            var from = filled;
            await log.AppendAsync([new AppendRequest(stream, ExpectedVersion.Any, [.. Enumerable.Range(0, 100).Select(i => Codec.Encode(EventId.Derive(command, stream, i), new Ticked(from + i + 1, AppendLoad.Note), metadata))])], cancellationToken);
        }
    }

    private sealed record Nothing;
}

/// <summary>One row for each tally.</summary>
[View("bench_tally")]
public sealed record TallyRow(int Count) : IView<TallyRow, TallyEvent>
{
    public static string? KeyOf(ViewEvent<TallyEvent> e) => e.Recorded.Stream.Key;

    public static TallyRow? Apply(TallyRow? row, string key, ViewEvent<TallyEvent> e) => new((row?.Count ?? 0) + 1);
}
