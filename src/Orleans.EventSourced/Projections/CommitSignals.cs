using Orleans.EventSourced.Core.Log;

namespace Orleans.EventSourced.Projections;

/// <summary>
/// Tells of this silo's commits, after them: its own tail at once, other silos by one-way messages, of which at most one a silo is sent every few milliseconds. Safe
/// for concurrent use.
/// </summary>
internal sealed class CommitSignals(LogTail tail, IServiceProvider services, TimeProvider time)
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(2);
    private readonly Lazy<(ViewKeeperClient Client, ISiloStatusOracle Silos, ILocalSiloDetails Own)> _cluster = new(() => (
        (ViewKeeperClient)services.GetService(typeof(ViewKeeperClient))!,
        (ISiloStatusOracle)services.GetService(typeof(ISiloStatusOracle))!,
        (ILocalSiloDetails)services.GetService(typeof(ILocalSiloDetails))!));

    private int _sending;
    private long _told;

    public void Committed(LogPosition position)
    {
        tail.Signal(position);
        if (Interlocked.CompareExchange(ref _sending, 1, 0) == 0)
        {
            _ = Task.Run(SendAsync);
        }
    }

    private async Task SendAsync()
    {
        try
        {
            var (client, silos, own) = _cluster.Value;
            for (var head = tail.Head.Value; head > _told; head = tail.Head.Value)
            {
                _told = head;
                foreach (var silo in silos.GetActiveSilos().Where(s => s != own.SiloAddress))
                {
                    client.At(silo).SignalAsync(head).Ignore();
                }

                await Task.Delay(Pause, time);
            }
        }
        finally
        {
            Volatile.Write(ref _sending, 0);
        }

        if (tail.Head.Value > _told)
        {
            Committed(tail.Head);
        }
    }
}
