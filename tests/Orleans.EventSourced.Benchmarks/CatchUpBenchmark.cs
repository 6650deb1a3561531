using System.Diagnostics;
using System.Globalization;
using Fines;
using Fines.Views;
using Orleans.EventSourced.Core.Deciding;
using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Projections;
using Orleans.EventSourced.IntegrationTests.Servers;
using Orleans.EventSourced.Postgres;
using Orleans.EventSourced.Sqlite;
using StreamId = Orleans.EventSourced.Core.Log.StreamId;

namespace Orleans.EventSourced.Benchmarks;

/// <summary>
/// How fast a view that is new catches up with a log of fines, one slice, from the log's pages to committed rows. Each round is the first of a process of its own: a node that starts does not find its
/// code compiled. The events are in the order of an import, which works on many fines at a time, or in the order in which they happened: then those of one fine are far apart, and its row is read and
/// written again and again.
/// </summary>
internal static class CatchUpBenchmark
{
    private const int BatchEvents = 500;
    private const int FinesAtATime = 1_024;

    public static async Task<int> RunAsync(string store, string? file, int fines, int[] pages, string order, bool quick, CancellationToken cancellationToken)
    {
        var folder = Directory.CreateTempSubdirectory("bench-");
        await using var server = store == "postgres" ? await PostgresServer.StartOwnAsync() : null;
        var place = server is null ? Path.Combine(folder.FullName, "eventlog.db") : await server.CreateDatabaseAsync();
        if (server is not null)
        {
            await PostgresSchema.MigrateAsync(new PostgresOptions { ConnectionString = place }, cancellationToken);
        }

        LogPosition head;
        var log = LogOf(store, place);
        await using ((IAsyncDisposable)log)
        {
            await FillAsync(log, file is null ? FineGenerator.Generate(fines) : XesReader.Read(file), order, cancellationToken);
            head = (await log.ReadHeadAsync(cancellationToken)).Position;
        }

        Console.WriteLine($"{store}, {head.Value.ToString("N0", CultureInfo.InvariantCulture)} events in the order of {order}");
        Console.WriteLine("| view | events a step | events/s (median) | of the rounds |");
        Console.WriteLine("|---|---:|---:|---|");
        foreach (var page in pages)
        {
            foreach (var view in (string[])["fine_summary", "article_totals"])
            {
                var rates = new List<double>();
                for (var round = 0; round < (quick ? 1 : 3); round++)
                {
                    rates.Add(await RoundInItsOwnProcessAsync(store, place, view, page, cancellationToken));
                }

                rates.Sort();
                Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| {view} | {page:N0} | {rates[rates.Count / 2]:N0} | {string.Join(", ", rates.Select(r => r.ToString("N0", CultureInfo.InvariantCulture)))} |"));
            }
        }

        folder.Delete(recursive: true);
        return 0;
    }

    /// <summary>One round, for <see cref="RunAsync"/> in another process: prints the rate, and drops the table.</summary>
    public static async Task<int> RoundAsync(string store, string place, string view, int page, CancellationToken cancellationToken)
    {
        var log = LogOf(store, place);
        await using var closesLog = (IAsyncDisposable)log;
        IViewStore views = store == "sqlite" ? new SqliteViewStore(new SqliteOptions { Path = place }, TimeProvider.System) : new PostgresViewStore(new PostgresOptions { ConnectionString = place });
        await using var closesViews = (IAsyncDisposable)views;
        var rate = view == "fine_summary"
            ? await MeasureAsync(Projection.Of<FineSummary, FineEvent>(), views, log, page, cancellationToken)
            : await MeasureAsync(Projection.Of<ArticleTotals, FineEvent, FineAccount>(), views, log, page, cancellationToken);
        Console.WriteLine(rate.ToString(CultureInfo.InvariantCulture));
        return 0;
    }

    private static IEventLog LogOf(string store, string place) => store == "sqlite"
        ? new SqliteEventLog(new SqliteOptions { Path = place }, TimeProvider.System)
        : new PostgresEventLog(new PostgresOptions { ConnectionString = place });

    private static async Task<double> RoundInItsOwnProcessAsync(string store, string place, string view, int page, CancellationToken cancellationToken)
    {
        var start = new ProcessStartInfo(Path.Combine(AppContext.BaseDirectory, "Orleans.EventSourced.Benchmarks"), ["catch-up-round", "--store", store, "--in", place, "--view", view, "--page", page.ToString(CultureInfo.InvariantCulture)])
        {
            RedirectStandardOutput = true,
        };
        using var round = Process.Start(start)!;
        var printed = await round.StandardOutput.ReadToEndAsync(cancellationToken);
        await round.WaitForExitAsync(cancellationToken);
        return round.ExitCode == 0 ? double.Parse(printed, CultureInfo.InvariantCulture) : throw new InvalidOperationException($"A round of {view} ended with {round.ExitCode}: {printed}");
    }

    private static async Task<double> MeasureAsync<TRow>(Projection<TRow> projection, IViewStore views, IEventLog log, int page, CancellationToken cancellationToken)
        where TRow : class
    {
        var tail = new LogTail(log, new JsonEventCodec(FineEventTypes.Map), new LogTailOptions { PageEvents = page }, TimeProvider.System);
        var runner = new ProjectionRunner<TRow>(projection, Slice.Whole, views.Table<TRow>(), tail);
        var (started, events) = (Stopwatch.GetTimestamp(), 0L);
        while (await runner.StepAsync(cancellationToken) is var step and not ProjectionStep.AtHead)
        {
            events += step is ProjectionStep.Advanced advanced ? advanced.Events : throw new InvalidOperationException($"{projection.View} stopped: {step}");
        }

        var rate = events / Stopwatch.GetElapsedTime(started).TotalSeconds;
        await views.DropAsync(projection.View, cancellationToken);
        return rate;
    }

    private static async Task FillAsync(IEventLog log, IEnumerable<FineTrace> traces, string order, CancellationToken cancellationToken)
    {
        var codec = new JsonEventCodec(FineEventTypes.Map);
        var batch = new Dictionary<StreamId, AppendRequest>();
        foreach (var (stream, e) in order == "time" ? traces.SelectMany(Live).OrderBy(e => e.Event.OccurredAt) : Interleaved(traces))
        {
            if (batch.Count == BatchEvents || batch.ContainsKey(stream))
            {
                await log.AppendAsync([.. batch.Values], cancellationToken);
                batch.Clear();
            }

            var command = CommandId.New(TimeProvider.System);
            batch.Add(stream, new AppendRequest(stream, ExpectedVersion.Any, [codec.Encode(EventId.Derive(command, stream, 0), e, new EventMetadata(command).ToJson())]));
        }

        await log.AppendAsync([.. batch.Values], cancellationToken);
    }

    /// <summary>One event of each of the fines at hand in turn; where one has no more, the next takes its place.</summary>
    private static IEnumerable<(StreamId Stream, FineEvent Event)> Interleaved(IEnumerable<FineTrace> traces)
    {
        using var waiting = traces.GetEnumerator();
        var atHand = new Queue<IEnumerator<(StreamId Stream, FineEvent Event)>>();
        while (true)
        {
            while (atHand.Count < FinesAtATime && waiting.MoveNext())
            {
                atHand.Enqueue(Live(waiting.Current).GetEnumerator());
            }

            if (!atHand.TryDequeue(out var fine))
            {
                yield break;
            }

            if (fine.MoveNext())
            {
                yield return fine.Current;
                atHand.Enqueue(fine);
            }
        }
    }

    private static IEnumerable<(StreamId Stream, FineEvent Event)> Live(FineTrace trace)
    {
        var stream = new StreamId("fine", trace.FineId);
        var fine = Fine.Initial;
        foreach (var step in trace.Steps)
        {
            foreach (var e in Fine.Decide(fine, step.Command) is Decision<FineEvent>.Accept accepted ? accepted.Events : [])
            {
                fine = Fine.Evolve(fine, e);
                yield return (stream, e);
            }
        }
    }
}
