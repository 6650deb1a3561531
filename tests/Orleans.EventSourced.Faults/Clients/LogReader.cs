using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Faults.Cluster;
using Orleans.EventSourced.Postgres;

namespace Orleans.EventSourced.Faults.Clients;

/// <summary>Follows the log while it grows, as any consumer does. What it saw is compared with the log in the end.</summary>
internal sealed class LogReader(FaultCluster cluster, RunHistory history, int pageEvents)
{
    public async Task RunAsync(CancellationToken stop)
    {
        await using var log = new PostgresEventLog(new PostgresOptions { ConnectionString = cluster.AdminConnectionString, MaxConnections = 2 });
        var at = LogPosition.Start;
        while (!stop.IsCancellationRequested)
        {
            IReadOnlyList<RecordedEvent> page;
            try
            {
                page = await log.ReadLogAsync(at, pageEvents, CancellationToken.None);
            }
            catch (LogUnavailableException)
            {
                // The server is away; the next page begins where this one would have.
                page = [];
            }

            if (page.Count > 0)
            {
                history.Lines.Saw($"reader of {pageEvents}", page);
                at = page[^1].Position;
            }

            await Task.Delay(TimeSpan.FromMilliseconds(page.Count == 0 ? 50 : 1));
        }
    }
}
