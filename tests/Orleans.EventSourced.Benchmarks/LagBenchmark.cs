using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using Fines;
using Fines.Views;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Orleans.EventSourced.Grains;
using Orleans.EventSourced.Hosting;
using Orleans.EventSourced.IntegrationTests.Servers;
using Orleans.EventSourced.Postgres;
using Orleans.EventSourced.Queries;
using Orleans.EventSourced.Sqlite;

namespace Orleans.EventSourced.Benchmarks;

/// <summary>
/// How far views lag behind commands at a steady rate: the time from a command's answer to the answer of a read that asks for at least its position. One silo with all views of the example; payments
/// come in for some thousand fines, and some readers pay too and read what they did.
/// </summary>
internal static class LagBenchmark
{
    private const int Fines = 4_000;
    private const int Readers = 8;
    private const int MaxInFlight = 5_000;
    private static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(5);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    public static async Task<int> RunAsync(string store, int[] rates, bool quick, CancellationToken cancellationToken)
    {
        var folder = Directory.CreateTempSubdirectory("bench-");
        await using var server = store == "postgres" ? await PostgresServer.StartOwnAsync() : null;
        var place = server is null ? Path.Combine(folder.FullName, "eventlog.db") : await server.CreateDatabaseAsync();
        if (server is not null)
        {
            await PostgresSchema.MigrateAsync(new PostgresOptions { ConnectionString = place }, cancellationToken);
        }

        using var host = await StartAsync(services => _ = server is null ? services.AddSqliteEventLog(o => o.Path = place) : services.AddPostgresEventLog(o => o.ConnectionString = place));
        var grains = host.Services.GetRequiredService<IGrainFactory>();
        await Parallel.ForAsync(0, Fines, cancellationToken, async (i, _) =>
            await grains.GetGrain<IFineGrain>($"f{i}").ExecuteAsync(new IssueFine(DateTimeOffset.UnixEpoch, 1_000_000m, 157, 0, "A", $"{i % 100}", "NIL")));

        Console.WriteLine($"{store}, {Readers} readers of fine_summary beside the load, all views of the example");
        Console.WriteLine("| events/s asked for | events/s | lag p50 ms | p99 ms | longest ms | reads |");
        Console.WriteLine("|---:|---:|---:|---:|---:|---:|");
        foreach (var rate in rates)
        {
            await MeasureAsync(grains, rate, TimeSpan.FromSeconds(3), cancellationToken);
            var (events, lags) = await MeasureAsync(grains, rate, TimeSpan.FromSeconds(quick ? 5 : 20), cancellationToken);
            lags.Sort();
            Console.WriteLine(string.Create(
                CultureInfo.InvariantCulture, $"| {rate:N0} | {events:N0} | {lags[lags.Count / 2]:0.0} | {lags[lags.Count * 99 / 100]:0.0} | {lags[^1]:0.0} | {lags.Count:N0} |"));
        }

        await host.StopAsync(cancellationToken);
        folder.Delete(recursive: true);
        return 0;
    }

    private static async Task<IHost> StartAsync(Action<IServiceCollection> store)
    {
        var builder = Microsoft.Extensions.Hosting.Host.CreateEmptyApplicationBuilder(null);
        builder.Logging.SetMinimumLevel(LogLevel.None);
        builder.UseOrleans(silo =>
        {
            silo.UseLocalhostClustering();
            store(silo.Services);
            silo.AddEventSourcing(o => o.EventTypes = FineEventTypes.Map);
            silo.AddFineViews();
        });
        var host = builder.Build();
        await host.StartAsync();
        return host;
    }

    private static async Task<(double EventsPerSecond, List<double> Lags)> MeasureAsync(IGrainFactory grains, int rate, TimeSpan time, CancellationToken cancellationToken)
    {
        var (lags, started, events, inFlight, next) = (new ConcurrentBag<double>(), Stopwatch.GetTimestamp(), 0L, 0L, 0);
        var readers = Enumerable.Range(0, Readers).Select(_ => Task.Run(ReadAsync, cancellationToken)).ToArray();
        using var timer = new PeriodicTimer(Tick);
        for (var sent = 0L; Stopwatch.GetElapsedTime(started) < time; await timer.WaitForNextTickAsync(cancellationToken))
        {
            for (var due = (long)(rate * Stopwatch.GetElapsedTime(started).TotalSeconds); sent < due && Interlocked.Read(ref inFlight) < MaxInFlight; sent++)
            {
                Interlocked.Increment(ref inFlight);
                _ = PayAsync();
            }
        }

        var elapsed = Stopwatch.GetElapsedTime(started).TotalSeconds;
        var written = Interlocked.Read(ref events);
        await Task.WhenAll(readers);
        return (written / elapsed, [.. lags]);

        async Task<(string Fine, long Position)> PayAsync()
        {
            var fine = $"f{(Interlocked.Increment(ref next) & int.MaxValue) % Fines}";
            var paid = (Accepted<FineEvent>)await grains.GetGrain<IFineGrain>(fine).ExecuteAsync(new RegisterPayment(DateTimeOffset.UnixEpoch, 0.01m));
            Interlocked.Increment(ref events);
            Interlocked.Decrement(ref inFlight);
            return (fine, paid.Position);
        }

        async Task ReadAsync()
        {
            var view = grains.GetGrain<IViewQueryGrain>("fine_summary");
            while (Stopwatch.GetElapsedTime(started) < time)
            {
                Interlocked.Increment(ref inFlight);
                var (fine, position) = await PayAsync();
                var answered = Stopwatch.GetTimestamp();
                _ = (ViewAnswer<ViewRow?>)await view.GetAsync(fine, new Consistency.AtLeast(position, Patience));
                lags.Add(Stopwatch.GetElapsedTime(answered).TotalMilliseconds);
            }
        }
    }
}
