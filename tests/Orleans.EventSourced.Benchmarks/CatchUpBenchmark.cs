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
/// How fast a view that is new catches up with a log of fines, one slice, from the log's pages to committed rows. The events are in the order in which they happened, so that those of one
/// fine are far apart and its row is read and written again and again.
/// </summary>
internal static class CatchUpBenchmark
{
    private const int BatchEvents = 500;

    public static async Task<int> RunAsync(string store, string? file, int fines, int[] pages, bool quick, CancellationToken cancellationToken)
    {
        var folder = Directory.CreateTempSubdirectory("bench-");
        await using var server = store == "postgres" ? await PostgresServer.StartOwnAsync() : null;
        var postgres = new PostgresOptions { ConnectionString = server is null ? "" : await server.CreateDatabaseAsync() };
        var sqlite = new SqliteOptions { Path = Path.Combine(folder.FullName, "eventlog.db") };
        if (server is not null)
        {
            await PostgresSchema.MigrateAsync(postgres, cancellationToken);
        }

        IEventLog log = server is null ? new SqliteEventLog(sqlite, TimeProvider.System) : new PostgresEventLog(postgres);
        await using var closesLog = (IAsyncDisposable)log;
        IViewStore views = server is null ? new SqliteViewStore(sqlite, TimeProvider.System) : new PostgresViewStore(postgres);
        await using var closesViews = (IAsyncDisposable)views;
        await FillAsync(log, file is null ? FineGenerator.Generate(fines) : XesReader.Read(file), cancellationToken);
        var head = (await log.ReadHeadAsync(cancellationToken)).Position;

        Console.WriteLine($"{store}, {head.Value.ToString("N0", CultureInfo.InvariantCulture)} events");
        Console.WriteLine("| view | events a step | events/s (median) | of the rounds |");
        Console.WriteLine("|---|---:|---:|---|");
        foreach (var page in pages)
        {
            await MeasureAsync(Projection.Of<FineSummary, FineEvent>(), views, log, page, quick ? 1 : 3, cancellationToken);
            await MeasureAsync(Projection.Of<ArticleTotals, FineEvent, FineAccount>(), views, log, page, quick ? 1 : 3, cancellationToken);
        }

        folder.Delete(recursive: true);
        return 0;
    }

    private static async Task MeasureAsync<TRow>(Projection<TRow> projection, IViewStore views, IEventLog log, int page, int rounds, CancellationToken cancellationToken)
        where TRow : class
    {
        var rates = new List<double>();
        for (var round = 0; round < rounds; round++)
        {
            var tail = new LogTail(log, new JsonEventCodec(FineEventTypes.Map), new LogTailOptions { PageEvents = page }, TimeProvider.System);
            var runner = new ProjectionRunner<TRow>(projection, Slice.Whole, views.Table<TRow>(), tail);
            var (started, events) = (Stopwatch.GetTimestamp(), 0L);
            while (await runner.StepAsync(cancellationToken) is var step and not ProjectionStep.AtHead)
            {
                events += step is ProjectionStep.Advanced advanced ? advanced.Events : throw new InvalidOperationException($"{projection.View} stopped: {step}");
            }

            rates.Add(events / Stopwatch.GetElapsedTime(started).TotalSeconds);
            await views.DropAsync(projection.View, cancellationToken);
        }

        rates.Sort();
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| {projection.View} | {page:N0} | {rates[rates.Count / 2]:N0} | {string.Join(", ", rates.Select(r => r.ToString("N0", CultureInfo.InvariantCulture)))} |"));
    }

    private static async Task FillAsync(IEventLog log, IEnumerable<FineTrace> traces, CancellationToken cancellationToken)
    {
        var codec = new JsonEventCodec(FineEventTypes.Map);
        var batch = new Dictionary<StreamId, AppendRequest>();
        foreach (var (stream, e) in traces.SelectMany(Live).OrderBy(e => e.Event.OccurredAt))
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
