namespace Orleans.EventSourced.Faults.Cluster;

/// <summary>What befalls silos.</summary>
internal sealed partial class Injector
{
    private static readonly string? FakeTime = Directory.Exists("/usr/lib") ? Directory.EnumerateDirectories("/usr/lib", "*-linux-gnu").Select(d => Path.Combine(d, "faketime/libfaketime.so.1")).FirstOrDefault(File.Exists) : null;

    private static readonly TimeSpan FindsOutWithin = TimeSpan.FromSeconds(4);

    private async Task<(int Count, string? Note)> EndAsync(SupervisedSilo silo, string signal, TimeSpan rest)
    {
        await silo.EndAsync(signal, isFinal: false);
        await Task.Delay(rest);
        await cluster.UntilHealthyAsync([silo], ExitsWithin);
        return (1, null);
    }

    /// <summary>What wakes after it was declared dead has to find that out and end, so that its supervisor starts it again.</summary>
    private async Task<(int Count, string? Note)> StopAsync(SupervisedSilo silo, TimeSpan lasts)
    {
        if (silo.ProcessId is not { } process)
        {
            return (0, "it does not run");
        }

        var restarts = silo.Restarts;
        await Signals.SendAsync("STOP", process);
        await Task.Delay(lasts);
        await Signals.SendAsync("CONT", process);

        // It may say that it is well before it has learnt that the others took it for dead.
        await Task.Delay(FindsOutWithin);
        await cluster.UntilHealthyAsync([silo], ExitsWithin);
        return (1, silo.Restarts > restarts ? "it ended and was started again" : "it went on");
    }

    private async Task<(int Count, string? Note)> RollAsync()
    {
        foreach (var silo in cluster.Silos)
        {
            await silo.EndAsync("TERM", isFinal: false);
            await cluster.UntilHealthyAsync([silo], ExitsWithin);
        }

        return (cluster.Silos.Count, null);
    }

    private async Task<(int Count, string? Note)> ReplaceAsync(SupervisedSilo silo, string by)
    {
        silo.Program = by;
        await silo.EndAsync("TERM", isFinal: false);
        await cluster.UntilHealthyAsync([silo], ExitsWithin);
        return (1, by == programs.Older ? "by the older program" : null);
    }

    private async Task<(int Count, string? Note)> ChangeAsync(SupervisedSilo silo, TimeSpan lasts, Dictionary<string, string> extra)
    {
        await silo.EndAsync("TERM", isFinal: false, extra);
        await cluster.UntilHealthyAsync([silo], ExitsWithin);
        await Task.Delay(lasts);
        await silo.EndAsync("TERM", isFinal: false);
        await cluster.UntilHealthyAsync([silo], ExitsWithin);
        return (1, null);
    }

    private async Task<(int Count, string? Note)> TwinAsync(TimeSpan lasts)
    {
        await using var twin = cluster.MakeTwin(programs);
        twin.Start();
        await cluster.UntilHealthyAsync([twin], ExitsWithin);
        cluster.SetReachable(twin, true);
        await Task.Delay(lasts);
        cluster.SetReachable(twin, false);
        await twin.EndAsync("TERM", isFinal: true);
        return (1, null);
    }
}
