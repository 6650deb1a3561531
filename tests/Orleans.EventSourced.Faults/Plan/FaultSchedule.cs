using System.Globalization;

namespace Orleans.EventSourced.Faults.Plan;

/// <summary>One fault of a plan.</summary>
/// <param name="At">When it begins, since the run's start.</param>
/// <param name="Kind">What it is.</param>
/// <param name="Silo">The silo it befalls, from 0; without meaning where the server is befallen.</param>
/// <param name="For">How long it lasts.</param>
/// <param name="Amount">How much of it: sessions, milliseconds or bytes per second, by the kind.</param>
internal sealed record PlannedFault(TimeSpan At, ClusterFault Kind, int Silo, TimeSpan For, int Amount)
{
    public override string ToString() =>
        string.Create(CultureInfo.InvariantCulture, $"{At.TotalSeconds,7:0.0} s  {Kind,-22} silo {Silo + 1}  {For.TotalSeconds,5:0.0} s  {Amount}");
}

/// <summary>What will befall a cluster, and when: all of it follows from a seed, so that a seed replays it.</summary>
/// <param name="Seed">The seed.</param>
/// <param name="Length">How long clients work.</param>
/// <param name="Faults">In the order of time.</param>
internal sealed record FaultSchedule(int Seed, TimeSpan Length, IReadOnlyList<PlannedFault> Faults)
{
    private const double FirstAfter = 5;
    private const double QuietAtEnd = 5;

    // How often a kind is drawn, how long it lasts (s), and how much of it there is.
    private static readonly Dictionary<ClusterFault, (int Weight, double Least, double Most, int Little, int Much)> Kinds = new()
    {
        [ClusterFault.SiloKilled] = (6, 0.5, 3, 0, 0),
        [ClusterFault.SiloTerminated] = (4, 0.5, 3, 0, 0),
        [ClusterFault.SiloStopped] = (5, 2, 30, 0, 0),
        [ClusterFault.RollingRestart] = (1, 0, 0, 0, 0),
        [ClusterFault.BackendKilled] = (2, 0, 0, 0, 0),
        [ClusterFault.BackendsTerminated] = (5, 0, 0, 1, 8),
        [ClusterFault.StatementsCancelled] = (5, 0, 0, 1, 8),
        [ClusterFault.ServerKilled] = (2, 0.5, 3, 0, 0),
        [ClusterFault.ServerStopped] = (2, 2, 20, 0, 0),
        [ClusterFault.DiskFull] = (2, 2, 8, 0, 0),
        [ClusterFault.StreamsLocked] = (3, 1, 9, 2, 20),
        [ClusterFault.CommitLockHeld] = (2, 1, 9, 0, 0),
        [ClusterFault.Deadlock] = (2, 2, 4, 0, 0),
        [ClusterFault.SnapshotHeld] = (1, 5, 20, 0, 0),
        [ClusterFault.CutBeforeAppend] = (4, 5, 5, 1, 5),
        [ClusterFault.CutAfterAppend] = (6, 5, 5, 1, 5),
        [ClusterFault.BlackHoleAfterAppend] = (3, 10, 25, 1, 2),
        [ClusterFault.CutBeforeCommit] = (4, 5, 5, 1, 5),
        [ClusterFault.CutAfterCommit] = (4, 5, 5, 1, 5),
        [ClusterFault.BlackHoleAfterCommit] = (2, 10, 25, 1, 1),
        [ClusterFault.ConnectionsReset] = (3, 0, 0, 0, 0),
        [ClusterFault.ConnectionsHalfClosed] = (2, 0, 0, 0, 0),
        [ClusterFault.NetworkStalled] = (3, 1, 12, 0, 0),
        [ClusterFault.ConnectionsRefused] = (2, 1, 5, 0, 0),
        [ClusterFault.Latency] = (2, 3, 10, 5, 200),
        [ClusterFault.Narrow] = (2, 3, 10, 20_000, 200_000),
        [ClusterFault.TwinCluster] = (2, 12, 25, 0, 0),
        [ClusterFault.ClockAhead] = (1, 15, 30, 0, 0),
        [ClusterFault.SmallPool] = (1, 15, 30, 0, 0),
    };

    /// <summary>Plans of one kind of fault each, whose outcome is known.</summary>
    public static readonly IReadOnlyDictionary<string, string> Scenarios = new Dictionary<string, string>
    {
        ["failover"] = "kill -9 of a silo, four times; tells how long commands took then",
        ["silo-stopped"] = "a silo is stopped for 30 s and woken: it must end and be started again by its supervisor",
        ["server-stopped"] = "the server is stopped for 20 s; no silo may have to be started again",
        ["disk-full"] = "the server's disk is full for 10 s; no silo may have to be started again",
        ["small-pool"] = "each silo has two connections to the log; no silo may have to be started again",
        ["rolling"] = "ten restarts in good order; with --older, half of them change to another program",
    };

    /// <summary>One of the <see cref="Scenarios"/>.</summary>
    public static FaultSchedule Of(string scenario, int seed, int silos)
    {
        PlannedFault[] faults = scenario switch
        {
            "failover" => [.. Enumerable.Range(0, 4).Select(n => At(8 + (20 * n), ClusterFault.SiloKilled, 0))],
            "silo-stopped" => [At(8, ClusterFault.SiloStopped, 30)],
            "server-stopped" => [At(8, ClusterFault.ServerStopped, 20)],
            "disk-full" => [At(8, ClusterFault.DiskFull, 10)],
            "small-pool" => [],
            "rolling" => [.. Enumerable.Range(0, 10).Select(n => At(8, ClusterFault.SiloReplaced, 0) with { Silo = n % silos, Amount = n })],
            _ => throw new ArgumentOutOfRangeException(nameof(scenario), scenario, null),
        };
        faults = [.. faults.Select((f, n) => f.Kind == ClusterFault.SiloReplaced ? f : f with { Silo = n % silos })];
        var length = faults.Select(f => f.At + f.For).DefaultIfEmpty(TimeSpan.FromSeconds(20)).Max() + TimeSpan.FromSeconds(20);
        return new FaultSchedule(seed, length, faults);

        static PlannedFault At(double at, ClusterFault kind, double lasts) => new(TimeSpan.FromSeconds(at), kind, 0, TimeSpan.FromSeconds(lasts), 0);
    }

    /// <summary>Draws a plan.</summary>
    /// <param name="seed">The seed.</param>
    /// <param name="length">How long clients work.</param>
    /// <param name="silos">How many silos there are.</param>
    /// <param name="kinds">Which kinds may be drawn; empty: all.</param>
    public static FaultSchedule Draw(int seed, TimeSpan length, int silos, IReadOnlyCollection<ClusterFault> kinds)
    {
        var random = new Random(seed);
        var drawn = Kinds.Where(k => kinds.Count == 0 || kinds.Contains(k.Key)).SelectMany(k => Enumerable.Repeat(k.Key, k.Value.Weight)).ToList();
        var faults = new List<PlannedFault>();
        for (var at = FirstAfter; at < length.TotalSeconds - QuietAtEnd; at += 2 + (random.NextDouble() * 6))
        {
            var kind = drawn[random.Next(drawn.Count)];
            var (_, least, most, little, much) = Kinds[kind];
            var lasts = Math.Round(least + (random.NextDouble() * (most - least)), 1);
            faults.Add(new PlannedFault(TimeSpan.FromSeconds(Math.Round(at, 1)), kind, random.Next(silos), TimeSpan.FromSeconds(lasts), random.Next(little, much + 1)));
        }

        return new FaultSchedule(seed, length, faults);
    }
}
