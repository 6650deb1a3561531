using Orleans.EventSourced.Faults.Plan;
using Orleans.EventSourced.Testing.Faults;

namespace Orleans.EventSourced.Faults.Cluster;

/// <summary>What befalls the network between a silo and the database.</summary>
internal sealed partial class Injector
{
    /// <summary>Cuts as many connections as planned, one after the other, as long as the fault lasts.</summary>
    private static async Task<(int Count, string? Note)> CutAsync(FaultProxy network, PlannedFault fault, ProxyCut cut)
    {
        using var over = new CancellationTokenSource(fault.For);
        var count = 0;
        try
        {
            for (; count < fault.Amount; count++)
            {
                await network.CutOnce(cut, over.Token);
            }

            // A connection in a black hole stays there until the fault is over.
            await Task.Delay(cut.End == ProxyEnd.BlackHole ? Timeout.InfiniteTimeSpan : TimeSpan.Zero, over.Token);
        }
        catch (OperationCanceledException)
        {
            // The time is up.
        }

        network.Heal();
        return (count, null);
    }

    private static async Task<(int Count, string? Note)> HalfCloseAsync(FaultProxy network)
    {
        var count = network.CutAll(ProxyEnd.HalfClose);
        await Task.Delay(TimeSpan.FromSeconds(1));
        network.Heal();
        return (count, null);
    }

    private static async Task<(int Count, string? Note)> SpoilAsync(FaultProxy network, TimeSpan lasts, Action<FaultProxy> spoil)
    {
        spoil(network);
        await Task.Delay(lasts);
        network.Heal();
        return (1, null);
    }
}
