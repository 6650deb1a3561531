using System.Globalization;
using Orleans.EventSourced.Faults.Checks;
using Orleans.EventSourced.Faults.Clients;
using Orleans.EventSourced.Faults.Cluster;
using Orleans.EventSourced.Faults.Plan;
using Orleans.EventSourced.Testing.Faults;

namespace Orleans.EventSourced.Faults;

/// <summary>What a run is to be.</summary>
internal sealed record FaultRunOptions(int Seed, TimeSpan Length, int Silos, int Clients, IReadOnlyCollection<ClusterFault> Only, string? Scenario, string? Older, string Output);

/// <summary>One run: a cluster, clients, faults; then healing, and the count of every fact.</summary>
internal sealed class FaultRun(FaultRunOptions options)
{
    private const int Violated = 3;

    private static readonly TimeSpan Long = TimeSpan.FromMinutes(5);

    /// <summary>So long after the last fault, too, nothing may have come into the log that was refused: in a long run, and in a short one.</summary>
    private static readonly (TimeSpan Long, TimeSpan Short) Later = (TimeSpan.FromSeconds(60), TimeSpan.FromSeconds(20));

    private static readonly string Configuration = new DirectoryInfo(AppContext.BaseDirectory).Parent!.Name;
    private static readonly string Program = Path.GetFullPath(Path.Combine(AppContext.BaseDirectory, "../../../../../src/Fines.Host/bin", Configuration, "net10.0/Fines.Host.dll"));

    private readonly long _began = TimeProvider.System.GetTimestamp();

    public async Task<int> RunAsync()
    {
        var folder = Path.GetFullPath(Path.Combine(options.Output, $"{options.Scenario ?? "seed"}-{options.Seed.ToString(CultureInfo.InvariantCulture)}"));
        if (Directory.Exists(folder))
        {
            Directory.Delete(folder, recursive: true);
        }

        Directory.CreateDirectory(folder);
        var schedule = options.Scenario is { } scenario ? FaultSchedule.Of(scenario, options.Seed, options.Silos) : FaultSchedule.Draw(options.Seed, options.Length, options.Silos, options.Only);
        var programs = new FaultPrograms(Program, options.Older, options.Scenario == "small-pool" ? new Dictionary<string, string> { ["Postgres__MaxConnections"] = "2" } : []);
        Say($"{options.Scenario} seed {options.Seed}, {schedule.Length.TotalMinutes:0.##} minutes, {options.Silos} silos, {options.Clients} clients, {schedule.Faults.Count} faults planned; all is kept in {folder}");
        foreach (var fault in schedule.Faults)
        {
            Console.WriteLine(fault);
        }

        await using var cluster = await FaultCluster.StartAsync(options.Silos, folder, programs);
        foreach (var (kind, why) in Injector.Impossible(cluster))
        {
            Say($"left out: {kind}, because {why}");
        }

        await using var history = new RunHistory(Path.Combine(folder, "history.jsonl"));
        using var injector = new Injector(cluster, programs, Say);
        using var stopReaders = new CancellationTokenSource();
        LogReader[] readers = [new LogReader(cluster, history, pageEvents: 20), new LogReader(cluster, history, pageEvents: 1_000)];
        var reading = Task.WhenAll([.. readers.Select(r => r.RunAsync(stopReaders.Token)), new CheckpointWatcher(cluster, history).RunAsync(stopReaders.Token)]);
        var clients = await WorkAsync(cluster, history, injector, schedule);
        Say("all faults are over; the facts are counted");
        var ended = TimeProvider.System.GetTimestamp();
        var checks = new EndChecks(cluster, history, clients, new Random(options.Seed), Program, folder, Say);
        List<string> violations = [.. await checks.RunAsync()];
        violations.AddRange(Scenario.Check(options.Scenario, cluster, injector.Injected, history.Operations));
        violations.AddRange(Scenario.CheckEnds(cluster, injector.Injected));
        var wait = (schedule.Length < Long ? Later.Short : Later.Long) - TimeProvider.System.GetElapsedTime(ended);
        await Task.Delay(wait > TimeSpan.Zero ? wait : TimeSpan.Zero);
        var last = await cluster.ReadHeadAsync();
        await stopReaders.CancelAsync();
        await reading;
        violations.AddRange(history.Violations);
        violations.AddRange(readers.Where(r => r.At < last).Select(r => $"I6: {r.Name} came to the end of the log at {r.At}, and {last} was in it"));
        var log = await cluster.ReadLogAsync();
        violations.AddRange(new HistoryChecker(history.Lines, log) { Describe = RunHistory.Describe }.Check().Select(v => v.ToString()));
        violations.AddRange(checks.CheckLog(log));
        var report = new Report(options, schedule, history, injector.Injected, checks, log, violations, cluster);
        await report.WriteAsync(Path.Combine(folder, "report.md"));
        Console.WriteLine(report.Text);
        violations.ForEach(v => Console.WriteLine($"VIOLATION {v}"));
        Console.WriteLine(report.LastLine);
        return violations.Count == 0 ? 0 : Violated;
    }

    private async Task<IReadOnlyList<FineClient>> WorkAsync(FaultCluster cluster, RunHistory history, Injector injector, FaultSchedule schedule)
    {
        using var stopClients = new CancellationTokenSource();
        var clients = Enumerable.Range(0, options.Clients).Select(n => new FineClient(n, unchecked((options.Seed * 1_000) + n), cluster, history, givesUp: options.Scenario is null, stopClients.Token)).ToList();
        var working = Task.WhenAll([.. clients.Select(c => Task.Run(c.RunAsync)), Task.Run(() => new BatchClient(cluster, history).RunAsync(stopClients.Token))]);
        var injecting = injector.RunAsync(schedule);
        var ended = await Task.WhenAny(Task.WhenAll(Task.Delay(schedule.Length), injecting), working);
        await stopClients.CancelAsync();
        await ended;
        await injecting;
        await injector.HealAsync();
        await working;
        return clients;
    }

    private void Say(string what) => Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{TimeProvider.System.GetElapsedTime(_began).TotalSeconds,7:0.0} {what}"));
}
