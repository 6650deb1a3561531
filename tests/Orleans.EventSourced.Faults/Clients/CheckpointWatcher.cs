using Npgsql;
using Orleans.EventSourced.Faults.Cluster;

namespace Orleans.EventSourced.Faults.Clients;

/// <summary>Looks at the checkpoints of views and reactions: none goes back (I11), for nobody rewinds one here.</summary>
internal sealed class CheckpointWatcher(FaultCluster cluster, RunHistory history)
{
    private readonly Dictionary<string, long> _seen = [];

    public async Task RunAsync(CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
        {
            try
            {
                foreach (var (name, position) in await cluster.QueryAsync(
                    "select view || ' v' || version || ' slice ' || slice, position from es_views.checkpoints union all select 'reaction ' || name, position from es.reactions",
                    r => (r.GetString(0), r.GetInt64(1))))
                {
                    if (_seen.TryGetValue(name, out var before) && position < before)
                    {
                        history.Violation($"I11: the checkpoint of {name} went back from {before} to {position}");
                    }

                    _seen[name] = position;
                }
            }
            catch (Exception e) when (e is NpgsqlException or TimeoutException)
            {
                // The server is away; the next look compares with the last one that was answered.
            }

            await Task.Delay(TimeSpan.FromMilliseconds(250));
        }
    }
}
