using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Faults.Cluster;
using Orleans.EventSourced.Postgres;
using EventId = Orleans.EventSourced.Core.Events.EventId;

namespace Orleans.EventSourced.Faults.Clients;

/// <summary>Follows the log while it grows, as any consumer does: the next position is the last one + 1 (I5), commits come whole (I7). What it saw is compared with the log in the end (I6).</summary>
internal sealed class LogReader(FaultCluster cluster, ClientHistory history)
{
    private readonly Dictionary<long, EventId> _seen = [];
    private long _at;

    /// <summary>The events seen so far, by position.</summary>
    public IReadOnlyDictionary<long, EventId> Seen => _seen;

    public async Task RunAsync(CancellationToken stop)
    {
        await using var log = new PostgresEventLog(new PostgresOptions { ConnectionString = cluster.AdminConnectionString, MaxConnections = 2 });
        while (!stop.IsCancellationRequested)
        {
            IReadOnlyList<RecordedEvent> page;
            try
            {
                page = await log.ReadLogAsync(new LogPosition(_at), 500, CancellationToken.None);
            }
            catch (LogUnavailableException)
            {
                // The server is away; the next page begins where this one would have.
                page = [];
            }

            foreach (var e in page)
            {
                if (e.Position.Value != _at + 1)
                {
                    history.Violation($"I5: a reader that had seen position {_at} was given {e.Position.Value} next");
                }

                _at = e.Position.Value;
                _seen[_at] = e.Id;
            }

            await Task.Delay(TimeSpan.FromMilliseconds(page.Count == 0 ? 50 : 1));
        }
    }
}
