using Microsoft.Extensions.Diagnostics.HealthChecks;
using Orleans.EventSourced.Core.Log;

namespace Fines.Host;

/// <summary>Healthy while the head of the log can be read, and the queue of appends is not close to full.</summary>
internal sealed class LogHealthCheck(IEventLog log, GroupCommit appends, Microsoft.Extensions.Options.IOptions<GroupCommitOptions> options) : IHealthCheck
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        try
        {
            var head = await log.ReadHeadAsync(cancellationToken).WaitAsync(Patience, cancellationToken);
            var facts = new Dictionary<string, object> { ["head"] = head.Position.Value, ["queued"] = appends.Queued };
            return appends.Queued < options.Value.MaxQueuedRequests * 9 / 10 && appends.QueuedBytes < options.Value.MaxQueuedBytes * 9 / 10
                ? HealthCheckResult.Healthy($"The log is at position {head.Position}.", facts)
                : HealthCheckResult.Degraded($"{appends.Queued} appends of {appends.QueuedBytes} bytes wait for the log, close to the most allowed: the database is too slow for the load.", data: facts);
        }
        catch (Exception e) when (e is LogException or TimeoutException)
        {
            return HealthCheckResult.Unhealthy($"The log cannot be read: {e.Message}");
        }
    }
}
