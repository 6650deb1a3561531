using System.Globalization;
using Fines;
using Orleans.EventSourced.Benchmarks.Cases;
using Orleans.EventSourced.Benchmarks.Compare;
using Orleans.EventSourced.Benchmarks.Measures;

namespace Orleans.EventSourced.Benchmarks;

/// <summary>How fast new views catch up by the events of a step and by the order of the log, each round in a process of its own.</summary>
internal static class CatchUpBenchmark
{
    public static async Task<int> RunAsync(string store, string? file, int fines, int[] pages, string order, bool quick, CancellationToken cancellationToken)
    {
        var scale = quick ? Scale.Quick : Scale.Full;
        await using var ground = await Ground.StartAsync(store, scale, cancellationToken);
        var place = await ground.PlaceAsync(cancellationToken);
        var head = await FineLog.FillAsync(place, file is null ? FineGenerator.Generate(fines) : XesReader.Read(file), order, cancellationToken);
        Console.WriteLine($"{store}, {head.Value.ToString("N0", CultureInfo.InvariantCulture)} events in the order of {order}");
        Console.WriteLine("| view | events a step | events/s (median) | of the rounds |");
        Console.WriteLine("|---|---:|---:|---|");
        foreach (var page in pages)
        {
            foreach (var view in (string[])[CatchUpRound.FineSummaryView, CatchUpRound.ArticleTotalsView])
            {
                var rates = new List<double>();
                while (rates.Count < scale.Rounds)
                {
                    rates.Add((await CatchUpRound.InItsOwnProcessAsync(place, view, page, cancellationToken))[Quantity.PerSecond]);
                }

                Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| {view} | {page:N0} | {Spread.Of(rates).Median:N0} | {string.Join(", ", rates.Order().Select(r => r.ToString("N0", CultureInfo.InvariantCulture)))} |"));
            }
        }

        return 0;
    }
}
