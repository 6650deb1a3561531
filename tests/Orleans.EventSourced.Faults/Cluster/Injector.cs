using System.Collections.Concurrent;
using Npgsql;
using Orleans.EventSourced.Faults.Plan;
using Orleans.EventSourced.Testing.Faults;

namespace Orleans.EventSourced.Faults.Cluster;

/// <summary>A fault that was injected.</summary>
/// <param name="Plan">What was planned.</param>
/// <param name="Count">How many times it took effect: connections cut, sessions ended, and so on.</param>
/// <param name="Note">What went otherwise than planned; null: nothing.</param>
internal sealed record InjectedFault(PlannedFault Plan, int Count, string? Note)
{
    /// <summary>When it began, by the clock of all clients.</summary>
    public long BeganAt { get; init; }
}

/// <summary>What silos run.</summary>
/// <param name="Newer">The program that is tested, a .dll.</param>
/// <param name="Older">Another one of the same schema, which takes its place now and then; null: none.</param>
/// <param name="Settings">The settings of all silos.</param>
internal sealed record FaultPrograms(string Newer, string? Older, IReadOnlyDictionary<string, string> Settings);

/// <summary>Carries out a plan against a cluster. Faults that befall the same thing wait for each other, and are left out when they would be much too late; all others overlap.</summary>
internal sealed partial class Injector(FaultCluster cluster, FaultPrograms programs, Action<string> say) : IDisposable
{
    /// <summary>The advisory lock that orders commits, as es.append takes it.</summary>
    private const string CommitLock = "select pg_advisory_xact_lock(7306093021735223393)";

    private static readonly byte[] AppendReply = "CALL\0"u8.ToArray();
    private static readonly byte[] AppendContent = "{\"amount\":\""u8.ToArray();
    private static readonly byte[] Commit = "COMMIT\0"u8.ToArray();
    private static readonly TimeSpan Latest = TimeSpan.FromSeconds(45);
    private static readonly TimeSpan ExitsWithin = TimeSpan.FromSeconds(120);

    private readonly ConcurrentBag<InjectedFault> _injected = [];
    private readonly SemaphoreSlim _server = new(1);
    private readonly SemaphoreSlim[] _processes = [.. cluster.Silos.Select(_ => new SemaphoreSlim(1))];
    private readonly SemaphoreSlim[] _networks = [.. cluster.Silos.Select(_ => new SemaphoreSlim(1))];

    public IReadOnlyCollection<InjectedFault> Injected => _injected;

    /// <summary>Which kinds cannot be done here, and why.</summary>
    public static IReadOnlyDictionary<ClusterFault, string> Impossible(FaultCluster cluster)
    {
        var impossible = new Dictionary<ClusterFault, string>();
        if (cluster.Disk is null)
        {
            impossible[ClusterFault.DiskFull] = "a disk of its own needs the rights of root";
        }

        if (FakeTime is null)
        {
            impossible[ClusterFault.ClockAhead] = "libfaketime is not installed";
        }

        return impossible;
    }

    /// <summary>Does all that is planned; done when the last fault has been undone.</summary>
    public async Task RunAsync(FaultSchedule plan)
    {
        var impossible = Impossible(cluster);
        var began = TimeProvider.System.GetTimestamp();
        var running = new List<Task>();
        foreach (var fault in plan.Faults.Where(f => !impossible.ContainsKey(f.Kind)))
        {
            var wait = fault.At - TimeProvider.System.GetElapsedTime(began);
            await Task.Delay(wait > TimeSpan.Zero ? wait : TimeSpan.Zero);
            running.Add(InjectAsync(fault, began));
        }

        await Task.WhenAll(running);
    }

    /// <summary>Makes everything whole again.</summary>
    public async Task HealAsync()
    {
        foreach (var silo in cluster.Silos)
        {
            silo.Network!.Heal();
        }

        cluster.Disk?.Free();
        await cluster.ReviveServerAsync();
    }

    public void Dispose()
    {
        foreach (var gate in (SemaphoreSlim[])[_server, .. _processes, .. _networks])
        {
            gate.Dispose();
        }
    }

    private async Task InjectAsync(PlannedFault fault, long runBegan)
    {
        var gate = GateOf(fault);
        await gate.WaitAsync();
        try
        {
            if (TimeProvider.System.GetElapsedTime(runBegan) > fault.At + Latest && fault.Kind != ClusterFault.SiloReplaced)
            {
                // A node that starts slowly would draw a run out to several times its length.
                _injected.Add(new InjectedFault(fault, 0, "left out, too late"));
                say($"late:   {fault}");
                return;
            }

            say($"begins: {fault}");
            var began = TimeProvider.System.GetTimestamp();
            var (count, note) = await InjectAsync(fault, cluster.Silos[fault.Silo]);
            _injected.Add(new InjectedFault(fault, count, note) { BeganAt = began });
            say($"over:   {fault.Kind} silo {fault.Silo + 1}: {count}{(note is null ? "" : $" ({note})")}");
        }
        catch (Exception e) when (e is NpgsqlException or TimeoutException or IOException)
        {
            // The server is away, for another fault: this one could not be done.
            _injected.Add(new InjectedFault(fault, 0, e.Message));
            say($"failed: {fault.Kind}: {e.Message}");
        }
        finally
        {
            gate.Release();
        }
    }

    private SemaphoreSlim GateOf(PlannedFault fault) => fault.Kind switch
    {
        ClusterFault.SiloKilled or ClusterFault.SiloTerminated or ClusterFault.SiloStopped or ClusterFault.ClockAhead or ClusterFault.SmallPool => _processes[fault.Silo],
        ClusterFault.RollingRestart or ClusterFault.SiloReplaced => _processes[0],
        ClusterFault.CutBeforeAppend or ClusterFault.CutAfterAppend or ClusterFault.BlackHoleAfterAppend or ClusterFault.CutBeforeCommit or ClusterFault.CutAfterCommit or ClusterFault.BlackHoleAfterCommit
            or ClusterFault.ConnectionsReset or ClusterFault.ConnectionsHalfClosed or ClusterFault.NetworkStalled or ClusterFault.ConnectionsRefused or ClusterFault.Latency or ClusterFault.Narrow => _networks[fault.Silo],
        _ => _server,
    };

    private Task<(int Count, string? Note)> InjectAsync(PlannedFault fault, SupervisedSilo silo) => fault.Kind switch
    {
        ClusterFault.SiloKilled => EndAsync(silo, "KILL", fault.For),
        ClusterFault.SiloTerminated => EndAsync(silo, "TERM", fault.For),
        ClusterFault.SiloStopped => StopAsync(silo, fault.For),
        ClusterFault.RollingRestart => RollAsync(),
        ClusterFault.SiloReplaced => ReplaceAsync(silo, fault.Amount % 2 == 0 ? programs.Older ?? programs.Newer : programs.Newer),
        ClusterFault.ClockAhead => ChangeAsync(silo, fault.For, new() { ["LD_PRELOAD"] = FakeTime!, ["FAKETIME"] = "+3600s", ["FAKETIME_DONT_FAKE_MONOTONIC"] = "1" }),
        ClusterFault.SmallPool => ChangeAsync(silo, fault.For, new() { ["Postgres__MaxConnections"] = "2" }),
        ClusterFault.TwinCluster => TwinAsync(fault.For),
        ClusterFault.BackendKilled => KillBackendAsync(),
        ClusterFault.BackendsTerminated => SessionsAsync("pg_terminate_backend", fault.Amount),
        ClusterFault.StatementsCancelled => SessionsAsync("pg_cancel_backend", fault.Amount),
        ClusterFault.ServerKilled => KillServerAsync(fault.For),
        ClusterFault.ServerStopped => StopServerAsync(fault.For),
        ClusterFault.DiskFull => FillDiskAsync(fault.For),
        ClusterFault.StreamsLocked => HoldAsync($"select count(*) from (select 1 from es.streams order by id limit {fault.Amount} for update) s", fault.For),
        ClusterFault.CommitLockHeld => HoldAsync(CommitLock, fault.For),
        ClusterFault.SnapshotHeld => HoldAsync("set transaction isolation level repeatable read; select count(*) from es.streams", fault.For),
        ClusterFault.Deadlock => DeadlockAsync(fault.For),
        ClusterFault.CutBeforeAppend => CutAsync(silo.Network!, fault, new ProxyCut(ProxyDirection.ToServer, ProxyEnd.Reset, AppendContent)),
        ClusterFault.CutAfterAppend => CutAsync(silo.Network!, fault, new ProxyCut(ProxyDirection.ToClient, ProxyEnd.Reset, AppendReply)),
        ClusterFault.BlackHoleAfterAppend => CutAsync(silo.Network!, fault, new ProxyCut(ProxyDirection.ToClient, ProxyEnd.BlackHole, AppendReply)),
        ClusterFault.CutBeforeCommit => CutAsync(silo.Network!, fault, new ProxyCut(ProxyDirection.ToServer, ProxyEnd.Reset, Commit)),
        ClusterFault.CutAfterCommit => CutAsync(silo.Network!, fault, new ProxyCut(ProxyDirection.ToClient, ProxyEnd.Reset, Commit)),
        ClusterFault.BlackHoleAfterCommit => CutAsync(silo.Network!, fault, new ProxyCut(ProxyDirection.ToClient, ProxyEnd.BlackHole, Commit)),
        ClusterFault.ConnectionsReset => Task.FromResult((silo.Network!.CutAll(ProxyEnd.Reset), (string?)null)),
        ClusterFault.ConnectionsHalfClosed => HalfCloseAsync(silo.Network!),
        ClusterFault.NetworkStalled => SpoilAsync(silo.Network!, fault.For, n => n.IsStalled = true),
        ClusterFault.ConnectionsRefused => SpoilAsync(silo.Network!, fault.For, n =>
        {
            n.RefusesConnections = true;
            n.CutAll(ProxyEnd.Reset);
        }),
        ClusterFault.Latency => SpoilAsync(silo.Network!, fault.For, n => n.Latency = TimeSpan.FromMilliseconds(fault.Amount)),
        ClusterFault.Narrow => SpoilAsync(silo.Network!, fault.For, n => n.BytesPerSecond = fault.Amount),
        _ => throw new InvalidOperationException($"There is no fault '{fault.Kind}'."),
    };
}
