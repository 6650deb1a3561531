using System.Diagnostics;
using System.Globalization;
using Fines;
using Fines.Views;
using Orleans.EventSourced.Benchmarks.Compare;
using Orleans.EventSourced.Benchmarks.Measures;
using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Projections;

namespace Orleans.EventSourced.Benchmarks.Cases;

/// <summary>A view that is new catches up with a log of fines, one slice, from the log's pages to committed rows, in a process that does nothing else and has just started: no code of it is compiled.</summary>
internal static class CatchUpRound
{
    public const string Verb = "catch-up-round";
    public const string FineSummaryView = "fine_summary";
    public const string ArticleTotalsView = "article_totals";

    /// <summary>Starts the process, and waits for what it prints.</summary>
    public static Task<Round> InItsOwnProcessAsync(Place place, string view, int page, CancellationToken cancellationToken) =>
        ChildProcess.RunAsync([Verb, "--store", place.Store, "--in", place.At, "--view", view, "--page", page.ToString(CultureInfo.InvariantCulture)], cancellationToken);

    /// <summary>What that process does: prints the round, and drops the table.</summary>
    public static async Task<int> RunAsync(Place place, string view, int page, CancellationToken cancellationToken)
    {
        var log = place.OpenLog();
        await using var closesLog = (IAsyncDisposable)log;
        var views = place.OpenViews();
        await using var closesViews = (IAsyncDisposable)views;
        var round = view switch
        {
            FineSummaryView => await MeasureAsync(FineViews.Summary, views, log, page, cancellationToken),
            ArticleTotalsView => await MeasureAsync(FineViews.Articles, views, log, page, cancellationToken),
            FiveHundred.View => await MeasureAsync(Projection.Of<FiveHundred, FineEvent>(), views, log, page, cancellationToken),
            _ => throw new ArgumentException($"There is no view '{view}' to measure.", nameof(view)),
        };
        Console.WriteLine(round.ToJson());
        return 0;
    }

    private static async Task<Round> MeasureAsync<TRow>(Projection<TRow> projection, IViewStore views, IEventLog log, int page, CancellationToken cancellationToken)
        where TRow : class
    {
        var tail = new LogTail(log, new JsonEventCodec(FineEventTypes.Map), new LogTailOptions { PageEvents = page }, TimeProvider.System);
        var runner = new ProjectionRunner<TRow>(projection, Slice.Whole, views.Table<TRow>(), tail);
        var (meter, started, events) = (new ProcessMeter(), Stopwatch.GetTimestamp(), 0L);
        while (await runner.StepAsync(cancellationToken) is var step and not ProjectionStep.AtHead)
        {
            events += step is ProjectionStep.Advanced advanced ? advanced.Events : throw new InvalidOperationException($"{projection.View} stopped: {step}");
        }

        var (elapsed, taken) = (Stopwatch.GetElapsedTime(started), meter.Read());
        await views.DropAsync(projection.View, cancellationToken);
        return Round.Of((Quantity.PerSecond, events / elapsed.TotalSeconds), (Quantity.CpuPerEvent, taken.Cpu.TotalMicroseconds / events)) with { Events = events };
    }
}

/// <summary>500 rows for all fines together.</summary>
/// <param name="Events">How many events there were.</param>
/// <param name="LastOccurredAt">When the last of them happened.</param>
[View(View)]
public sealed record FiveHundred(int Events, DateTimeOffset LastOccurredAt) : IView<FiveHundred, FineEvent>
{
    public const string View = "bench_five_hundred";
    private const uint Count = 500;
    private static readonly string[] Keys = [.. Enumerable.Range(0, (int)Count).Select(n => n.ToString(CultureInfo.InvariantCulture))];

    /// <summary>By a hash that is the same in every process.</summary>
    public static string KeyOf(ViewEvent<FineEvent> e)
    {
        var hash = 2_166_136_261;
        foreach (var c in e.Recorded.Stream.Key)
        {
            hash = unchecked((hash ^ c) * 16_777_619);
        }

        return Keys[hash % Count];
    }

    public static FiveHundred Apply(FiveHundred? row, string key, ViewEvent<FineEvent> e) => new((row?.Events ?? 0) + 1, e.Event.OccurredAt);
}
