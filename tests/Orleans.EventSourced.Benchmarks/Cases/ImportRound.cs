using System.Diagnostics;
using System.Globalization;
using System.Runtime;
using System.Security.Cryptography;
using System.Text.Json;
using Fines;
using Microsoft.Extensions.DependencyInjection;
using Orleans.EventSourced.Benchmarks.Compare;
using Orleans.EventSourced.Benchmarks.Measures;
using Orleans.EventSourced.Commands;
using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Grains;
using Orleans.EventSourced.Hosting;
using Orleans.EventSourced.Projections;

namespace Orleans.EventSourced.Benchmarks.Cases;

/// <summary>
/// Sends a file's fines as the example's own importer does: many at a time, each fine's steps in order under ids that a second run would have too, the views folded when the last event is there. The clock
/// runs from the first command until every checkpoint is the head; the silo is started before.
/// </summary>
internal static class ImportRound
{
    public const string Verb = "import-round";
    private const int FinesAtATime = 1_024;
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(10);

    /// <summary>Starts the process, and waits for what it prints.</summary>
    public static Task<Round> InItsOwnProcessAsync(Place place, string file, int fines, CancellationToken cancellationToken) =>
        ChildProcess.RunAsync([Verb, "--store", place.Store, "--in", place.At, "--log", file, "--fines", fines.ToString(CultureInfo.InvariantCulture)], cancellationToken);

    /// <summary>What that process does: prints the round.</summary>
    public static async Task<int> RunAsync(Place place, string file, int fines, CancellationToken cancellationToken)
    {
        // As the importer: the whole counts, not the longest wait.
        GCSettings.LatencyMode = GCLatencyMode.Batch;
        await using var silo = await FineSilo.StartAsync(place, withViews: true, s =>
        {
            s.AddTrace();
            s.Configure<EventSourcingOptions>(o => o.DefersViews = true);
        });
        var (meter, started) = (new ProcessMeter(), Stopwatch.GetTimestamp());
        await Parallel.ForEachAsync(XesReader.Read(file).Take(fines), new ParallelOptions { MaxDegreeOfParallelism = FinesAtATime, CancellationToken = cancellationToken }, async (trace, _) => await ImportAsync(silo.Grains, trace));
        silo.Services.GetRequiredService<ProjectionControl>().StartDeferred();
        var head = await silo.CaughtUpAsync(Patience, cancellationToken);
        var (elapsed, taken) = (Stopwatch.GetElapsedTime(started), meter.Read());
        var round = taken.AddTo(Round.Of((Quantity.PerSecond, head.Value / elapsed.TotalSeconds), (Quantity.Seconds, elapsed.TotalSeconds)), head.Value, head.Value) with { Events = head.Value };
        Console.WriteLine(round.ToJson());
        return 0;
    }

    private static async ValueTask ImportAsync(IGrainFactory grains, FineTrace trace)
    {
        var grain = grains.GetGrain<IFineGrain>(trace.FineId);
        var fine = CommandId.FromText($"fines/import/{trace.FineId}");
        for (var i = 0; i < trace.Steps.Count; i++)
        {
            var command = trace.Steps[i].Command;
            var hash = Convert.ToHexStringLower(SHA256.HashData(JsonSerializer.SerializeToUtf8Bytes(command, command.GetType())).AsSpan(0, 16));
            using (CommandContext.Begin(new CommandContext(fine.Nested("step", i).Value) { IsNamed = true, Origin = "import", Correlation = trace.FineId, RequestHash = hash }))
            {
                var result = await (i == trace.Steps.Count - 1 ? grain.ExecuteLastAsync(command) : grain.ExecuteAsync(command));
                if (result is not Accepted<FineEvent>)
                {
                    throw new InvalidOperationException($"Step {i + 1} of fine {trace.FineId} was answered {result}.");
                }
            }
        }
    }
}
