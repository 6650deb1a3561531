using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Faults.Cluster;
using Orleans.EventSourced.Postgres;

namespace Orleans.EventSourced.Faults.Clients;

/// <summary>Follows the log while it grows, and to its end, as any consumer does. What it saw is compared with the log in the end.</summary>
internal sealed class LogReader(FaultCluster cluster, RunHistory history, int pageEvents)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(90);

    public string Name { get; } = $"reader of {pageEvents}";

    /// <summary>The last position it has read.</summary>
    public LogPosition At { get; private set; }

    /// <summary>Done when there is nothing more to read after it was to stop, or when the log has not answered for long.</summary>
    public async Task RunAsync(CancellationToken stop)
    {
        await using var log = new PostgresEventLog(new PostgresOptions { ConnectionString = cluster.AdminConnectionString, MaxConnections = 2 });
        var answered = TimeProvider.System.GetTimestamp();
        for (var isLast = false; !isLast;)
        {
            var (isAtEnd, isAway) = (false, false);
            var toStop = stop.IsCancellationRequested;
            try
            {
                var page = await log.ReadLogAsync(At, pageEvents, CancellationToken.None);
                (isAtEnd, answered) = (page.Count == 0, TimeProvider.System.GetTimestamp());
                if (!isAtEnd)
                {
                    history.Lines.Saw(Name, page);
                    At = page[^1].Position;
                }
            }
            catch (LogUnavailableException)
            {
                // The server is away; the next page begins where this one would have.
                isAway = true;
            }

            isLast = toStop && (isAtEnd || TimeProvider.System.GetElapsedTime(answered) > Patience);
            await Task.Delay(TimeSpan.FromMilliseconds(isAtEnd || isAway ? 50 : 1));
        }
    }
}
