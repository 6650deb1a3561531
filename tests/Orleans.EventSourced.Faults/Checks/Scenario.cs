using Orleans.EventSourced.Faults.Clients;
using Orleans.EventSourced.Faults.Cluster;
using Orleans.EventSourced.Faults.Plan;

namespace Orleans.EventSourced.Faults.Checks;

/// <summary>What must be seen in a scenario, beside that no fact is lost.</summary>
internal static class Scenario
{
    /// <summary>128 and SIGABRT: Environment.FailFast, which Orleans calls when it reads that the others have declared it dead.</summary>
    private const int Aborted = 134;
    private static readonly TimeSpan LearnsWithin = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan Afterwards = TimeSpan.FromSeconds(10);

    public static IEnumerable<string> Check(string? scenario, FaultCluster cluster, IReadOnlyCollection<InjectedFault> faults, IReadOnlyCollection<Operation> operations)
    {
        var restarts = cluster.Silos.Sum(s => s.Restarts);
        if (scenario is "server-stopped" or "disk-full" or "small-pool" && restarts > 0)
        {
            yield return $"{scenario}: silos were started again {restarts} times";
        }

        if (scenario is "silo-stopped" && restarts != 1)
        {
            yield return $"{scenario}: the silo ended and was started again {restarts} times, where it should once";
        }

        foreach (var fault in faults.Where(f => scenario is not null && f.Count == 0))
        {
            yield return $"{scenario}: {fault.Plan} had no effect: {fault.Note}";
        }

        if (scenario is not null && operations.Count(o => o.Outcome == Outcome.Unknown) is > 0 and var unknown)
        {
            yield return $"{scenario}: {unknown} commands are unknown to clients that do not give up";
        }
    }

    /// <summary>Silos that were up and ended though nobody told them to: only who was stopped for a while, and declared dead meanwhile, may, once for each stop, and by the way that Orleans has for it.</summary>
    public static IEnumerable<string> CheckEnds(FaultCluster cluster, IReadOnlyCollection<InjectedFault> faults)
    {
        for (var silo = 0; silo < cluster.Silos.Count; silo++)
        {
            var stops = faults.Where(f => f.Plan.Kind == ClusterFault.SiloStopped && f.Plan.Silo == silo).ToList();
            foreach (var end in cluster.Silos[silo].Ends.Where(e => e.WasUp))
            {
                var cause = stops.Find(s => TimeProvider.System.GetElapsedTime(s.BeganAt, end.At) is var after && after > TimeSpan.Zero && after < s.Plan.For + LearnsWithin);
                if (cause is not null && end.Code == Aborted)
                {
                    stops.Remove(cause);
                    continue;
                }

                yield return $"I19: {cluster.Silos[silo].Name} ended by itself with code {end.Code}, and had not been stopped before";
            }
        }
    }

    /// <summary>For each kill -9 that nothing else overlapped: the slowest command that was under way or began soon after it, and how long after the kill the last of those under way was through.</summary>
    public static IEnumerable<(InjectedFault Kill, double Slowest, double Late)> Failovers(IReadOnlyCollection<InjectedFault> faults, IReadOnlyCollection<Operation> operations)
    {
        if (faults.Any(f => f.Plan.Kind != ClusterFault.SiloKilled))
        {
            yield break;
        }

        foreach (var kill in faults.OrderBy(f => f.BeganAt))
        {
            var until = kill.BeganAt + (long)(Afterwards.TotalSeconds * TimeProvider.System.TimestampFrequency);
            var touched = operations.Where(o => o.Ended > kill.BeganAt && o.Began < until).ToList();
            yield return (
                kill,
                touched.Select(o => TimeProvider.System.GetElapsedTime(o.Began, o.Ended).TotalSeconds).DefaultIfEmpty().Max(),
                touched.Where(o => o.Began <= kill.BeganAt).Select(o => TimeProvider.System.GetElapsedTime(kill.BeganAt, o.Ended).TotalSeconds).DefaultIfEmpty().Max());
        }
    }
}
