using Microsoft.Extensions.Diagnostics.HealthChecks;
using Orleans.EventSourced.Core.Projections;
using Orleans.EventSourced.Projections;

namespace Fines.Host;

/// <summary>Unhealthy where a projection or a row of it stands still at an event, degraded where one is behind or cannot be asked; it says which, and why.</summary>
internal sealed class ViewsHealthCheck(ProjectionControl projections) : IHealthCheck
{
    private const int FarBehind = 10_000;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        try
        {
            var slices = (await projections.ListAsync().WaitAsync(Patience, cancellationToken)).Select(s => s.Status).ToList();
            var facts = slices.ToDictionary(s => $"{s.View.Name}/{s.Slice.Index}", s => (object)new { state = s.State.ToString(), position = s.Position.Value, behind = s.Behind, parked = s.Parked, s.Fault });
            if (slices.Find(s => s.State == ProjectionState.Stopped) is { } stopped)
            {
                return HealthCheckResult.Unhealthy($"View {stopped.View.Name} stands still at position {stopped.Position}: {stopped.Fault}", data: facts);
            }

            if (slices.Find(s => s.Parked > 0) is { } parked)
            {
                return HealthCheckResult.Unhealthy($"View {parked.View.Name} has {parked.Parked} parked rows: {parked.Fault}", data: facts);
            }

            return slices.Find(s => s.State is ProjectionState.Retrying or ProjectionState.WaitingForNewerProgram || s.Behind > FarBehind) is { } late
                ? HealthCheckResult.Degraded($"View {late.View.Name} is {late.Behind} events behind ({late.State}){(late.Fault is null ? "" : $": {late.Fault}")}", data: facts)
                : HealthCheckResult.Healthy("All views follow the log.", facts);
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            return HealthCheckResult.Degraded($"The projections could not be asked: {e.Message}");
        }
    }
}
