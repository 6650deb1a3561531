using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Faults.Cluster;
using Orleans.EventSourced.Postgres;

namespace Orleans.EventSourced.Faults.Clients;

/// <summary>Follows the log while it grows, and to its end, as any consumer does. What it saw is compared with the log in the end.</summary>
internal sealed class LogReader(FaultCluster cluster, RunHistory history, int pageEvents)
{
    public string Name { get; } = $"reader of {pageEvents}";

    /// <summary>The last position it has read.</summary>
    public LogPosition At { get; private set; }

    /// <summary>Done when there is nothing more to read after it was to stop.</summary>
    public async Task RunAsync(CancellationToken stop)
    {
        await using var log = new PostgresEventLog(new PostgresOptions { ConnectionString = cluster.AdminConnectionString, MaxConnections = 2 });
        for (var isLast = false; !isLast;)
        {
            var isAtEnd = false;
            var toStop = stop.IsCancellationRequested;
            try
            {
                var page = await log.ReadLogAsync(At, pageEvents, CancellationToken.None);
                isAtEnd = page.Count == 0;
                if (!isAtEnd)
                {
                    history.Lines.Saw(Name, page);
                    At = page[^1].Position;
                }
            }
            catch (LogUnavailableException)
            {
                // The server is away; the next page begins where this one would have.
            }

            isLast = toStop && isAtEnd;
            await Task.Delay(TimeSpan.FromMilliseconds(isAtEnd ? 50 : 1));
        }
    }
}
