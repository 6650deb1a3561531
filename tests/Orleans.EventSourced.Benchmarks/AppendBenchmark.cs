using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Globalization;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Hosting;
using Orleans.EventSourced.IntegrationTests.Servers;
using Orleans.EventSourced.Postgres;
using Orleans.EventSourced.Sqlite;

namespace Orleans.EventSourced.Benchmarks;

/// <summary>
/// Durable appends: callers that each send one command after the other to a grain of their own, beside the two references that bound them, in alternating rounds
/// of one run, because the machine's moment counts more than a few percent of code.
/// </summary>
internal static class AppendBenchmark
{
    private const int InsertConnections = 32;

    internal static EventTypeMap Types { get; } = new EventTypeMap.Builder().AddFamily<TallyEvent>(JsonSerializerOptions.Web).Build();

    public static async Task<int> RunAsync(string store, bool quick, int[] callers, CancellationToken cancellationToken)
    {
        var seconds = TimeSpan.FromSeconds(quick ? 2 : 4);
        var rounds = quick ? 1 : 3;
        var folder = Directory.CreateTempSubdirectory("bench-");
        await using var server = await PostgresServer.StartOwnAsync();
        var options = new PostgresOptions { ConnectionString = await server.CreateDatabaseAsync() };
        await PostgresSchema.MigrateAsync(options, cancellationToken);
        await using var reference = new PostgresReference(options.ConnectionString);
        await reference.PrepareAsync(cancellationToken);
        using var host = await StartSiloAsync(services => _ = store == "sqlite"
            ? services.AddSqliteEventLog(o => o.Path = Path.Combine(folder.FullName, "eventlog.db"))
            : services.AddPostgresEventLog(o => o.ConnectionString = options.ConnectionString));
        var grains = host.Services.GetRequiredService<IGrainFactory>();

        var cases = new List<Case>
        {
            new("binary COPY, 1 connection (the limit)", () => reference.CopyAsync(seconds)),
            new("one-row INSERT per transaction, 1 connection", () => reference.InsertAsync(1, seconds)),
            new($"one-row INSERT per transaction, {InsertConnections} connections", () => reference.InsertAsync(InsertConnections, seconds)),
        };
        cases.AddRange(callers.Select(n => new Case($"grains on {store}, {n} callers", () => GrainsAsync(grains, n, seconds))));
        foreach (var c in cases)
        {
            await c.Run();
        }

        for (var round = 1; round <= rounds; round++)
        {
            foreach (var c in cases)
            {
                c.Measured.Add(await c.Run());
                await Console.Error.WriteLineAsync($"round {round}: {c.Name}: {c.Measured[^1]}");
            }
        }

        Print(cases, store);
        await host.StopAsync(cancellationToken);
        folder.Delete(recursive: true);
        return 0;
    }

    internal static async Task<IHost> StartSiloAsync(Action<IServiceCollection> store)
    {
        var builder = Microsoft.Extensions.Hosting.Host.CreateEmptyApplicationBuilder(null);
        builder.Logging.SetMinimumLevel(LogLevel.None);
        builder.UseOrleans(silo =>
        {
            silo.UseLocalhostClustering();
            store(silo.Services);
            silo.AddEventSourcing(o => o.EventTypes = Types);
        });
        var host = builder.Build();
        await host.StartAsync();
        return host;
    }

    internal static async Task<Measurement> GrainsAsync(IGrainFactory grains, int callers, TimeSpan time)
    {
        using var batches = new BatchMeter();
        var (allocated, cpu) = (GC.GetTotalAllocatedBytes(), Environment.CpuUsage.TotalTime);
        var started = Stopwatch.GetTimestamp();
        var latencies = await Task.WhenAll(Enumerable.Range(0, callers).Select(n => Task.Run(() => CallAsync(grains.GetGrain<IBenchGrain>($"{callers}-{n}"), started, time))));
        var elapsed = Stopwatch.GetElapsedTime(started);
        var all = latencies.SelectMany(l => l).Order().ToList();
        return new Measurement(
            all.Count / elapsed.TotalSeconds,
            all[all.Count / 2],
            all[Math.Min(all.Count - 1, all.Count * 99 / 100)],
            (GC.GetTotalAllocatedBytes() - allocated) / (double)all.Count,
            (Environment.CpuUsage.TotalTime - cpu).TotalMicroseconds / all.Count,
            batches.RequestsPerBatch);
    }

    private static async Task<List<double>> CallAsync(IBenchGrain grain, long started, TimeSpan time)
    {
        var latencies = new List<double>();
        while (Stopwatch.GetElapsedTime(started) < time)
        {
            var call = Stopwatch.GetTimestamp();
            await grain.TickAsync("a note that makes the event about as long as a real one is, which is 100 bytes");
            latencies.Add(Stopwatch.GetElapsedTime(call).TotalMilliseconds);
        }

        return latencies;
    }

    private static void Print(List<Case> cases, string store)
    {
        var copy = cases[0].MedianRate;
        Console.WriteLine();
        Console.WriteLine("| case | events/s (median) | spread | of COPY | p50 ms | p99 ms | bytes/event | CPU us/event | commands/batch |");
        Console.WriteLine("|---|---:|---:|---:|---:|---:|---:|---:|---:|");
        foreach (var c in cases)
        {
            var m = c.Median;
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| {c.Name} | {m.Rate:N0} | ±{c.Spread:P0} | {m.Rate / copy:P0} | {m.P50:0.00} | {m.P99:0.00} | {m.AllocatedBytes:N0} | {m.CpuMicroseconds:N1} | {m.RequestsPerBatch:N1} |"));
        }

        Directory.CreateDirectory("artifacts");
        var file = Path.Combine("artifacts", $"benchmark-append-{store}.json");
        File.WriteAllText(file, JsonSerializer.Serialize(cases.ToDictionary(c => c.Name, c => c.Measured)));
        Console.WriteLine($"All rounds: {file}");
    }
}

/// <summary>One round of one case.</summary>
internal sealed record Measurement(double Rate, double P50 = 0, double P99 = 0, double AllocatedBytes = 0, double CpuMicroseconds = 0, double RequestsPerBatch = 0);

/// <summary>One line of the table.</summary>
internal sealed record Case(string Name, Func<Task<Measurement>> Run)
{
    public List<Measurement> Measured { get; } = [];

    public Measurement Median => Measured.OrderBy(m => m.Rate).ElementAt(Measured.Count / 2);

    public double MedianRate => Median.Rate;

    public double Spread => (Measured.Max(m => m.Rate) - Measured.Min(m => m.Rate)) / 2 / MedianRate;
}

/// <summary>How well group commit gathers, read from its published metric.</summary>
internal sealed class BatchMeter : IDisposable
{
    private readonly MeterListener _listener = new();
    private long _batches;
    private long _requests;

    public BatchMeter()
    {
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            if (instrument is { Meter.Name: LogInstruments.MeterName, Name: "orleans.eventsourced.append.batch.requests" })
            {
                listener.EnableMeasurementEvents(instrument);
            }
        };
        _listener.SetMeasurementEventCallback<int>((_, requests, _, _) =>
        {
            Interlocked.Increment(ref _batches);
            Interlocked.Add(ref _requests, requests);
        });
        _listener.Start();
    }

    public double RequestsPerBatch => _requests / (double)Math.Max(1, _batches);

    public void Dispose() => _listener.Dispose();
}
