using System.Diagnostics;
using System.Globalization;
using Orleans.EventSourced.Testing.Faults;
using Xunit;

namespace Orleans.EventSourced.UnitTests.Simulation;

/// <summary>
/// Group commit, tail and projections, the real ones, with silos that crash, stores that lose what they are told and clients that try again, in one thread under a clock of its own. Settings:
/// <c>EVENTSOURCED_SIM_SEEDS</c>, how many seeds; <c>EVENTSOURCED_SIM_SEED</c>, the first one, or the only one where nothing says how many.
/// </summary>
public sealed class SimulationTests(ITestOutputHelper output)
{
    private const int Seeds = 200;

    [Fact]
    public void whatever_the_seed_nothing_happens_that_must_never_happen()
    {
        var only = Setting("EVENTSOURCED_SIM_SEED");
        var (first, seeds) = (only ?? 1, Setting("EVENTSOURCED_SIM_SEEDS") ?? (only is null ? Seeds : 1));
        var started = Stopwatch.GetTimestamp();
        var results = RunAll(first, seeds, SeededBug.None);
        var took = Stopwatch.GetElapsedTime(started);
        output.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"Seeds {first} to {first + seeds - 1}: {seeds / took.TotalMinutes:N0} seeds a minute; {results.Sum(r => r.Events)} events, {results.Sum(r => r.Steps)} steps, {results.Sum(r => r.Virtual.TotalHours):N1} hours of their time."));
        foreach (var failed in results.Where(r => r.Violations.Count > 0).Take(3))
        {
            output.WriteLine($"Seed {failed.Seed}, trace {failed.Trace:x16}:\n  {string.Join("\n  ", failed.Violations.Take(10))}");
            if (seeds == 1)
            {
                output.WriteLine(string.Join('\n', failed.History.Lines.Select(l => $"{l}").Concat(failed.Log.Select(e => $"{e.Position} {e.Stream} v{e.Version} {e.Type} {e.RecordedAt:HH:mm:ss.fff} {e.Id}"))));
            }
        }

        Assert.Equal([], results.Where(r => r.Violations.Count > 0).Select(r => r.Seed));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(77)]
    public void a_seed_goes_the_same_way_again(int seed)
    {
        var (first, again) = (SimulatedRun.Run(seed), SimulatedRun.Run(seed));
        Assert.Equal((first.Trace, first.Steps, first.Events), (again.Trace, again.Steps, again.Events));
        Assert.NotEqual(first.Trace, SimulatedRun.Run(seed + 1).Trace);
    }

    [Theory]
    [InlineData(SeededBug.AckBeforeDurable, "I1")]
    [InlineData(SeededBug.NewIdsOnRetry, "I2")]
    [InlineData(SeededBug.NewCommandOnRetry, "I2")]
    [InlineData(SeededBug.CheckpointOutsideTransaction, "I9")]
    [InlineData(SeededBug.PositionsFromSequence, "I5", "I6")]
    public void a_bug_that_is_put_in_is_found_within_the_seeds_of_every_run(SeededBug bug, params string[] invariants)
    {
        var found = new HashSet<string>();
        for (var seed = 1; seed <= Seeds; seed++)
        {
            found.UnionWith(SimulatedRun.Run(seed, bug).Violations.Select(v => v.Invariant));
            if (found.IsSupersetOf(invariants))
            {
                output.WriteLine($"{bug}: {string.Join(", ", found.Order())} after {seed} seeds.");
                return;
            }
        }

        Assert.Fail($"{bug}: {Seeds} seeds found {string.Join(", ", found.Order())}, not all of {string.Join(", ", invariants)}.");
    }

    private static int? Setting(string name) => Environment.GetEnvironmentVariable(name) is { Length: > 0 } text ? int.Parse(text, CultureInfo.InvariantCulture) : null;

    /// <summary>On as many threads as there are cores; each seed has one to itself.</summary>
    private static List<SimulationResult> RunAll(int first, int seeds, SeededBug bug)
    {
        var results = new SimulationResult[seeds];
        var next = -1;
        var threads = Enumerable.Range(0, Environment.ProcessorCount).Select(_ => new Thread(() =>
        {
            for (var i = Interlocked.Increment(ref next); i < seeds; i = Interlocked.Increment(ref next))
            {
                results[i] = SimulatedRun.RunHere(first + i, bug);
            }
        })).ToList();
        threads.ForEach(t => t.Start());
        threads.ForEach(t => t.Join());
        return [.. results];
    }
}
