using Microsoft.Extensions.Diagnostics.HealthChecks;
using Orleans.EventSourced.Core.Reactions;
using Orleans.EventSourced.Reactions;

namespace Fines.Host;

/// <summary>Unhealthy where a reaction stands still at an event, degraded where one is behind, where a deadline fails, or where they cannot be asked; it says which, and why.</summary>
internal sealed class ReactionsHealthCheck(ReactionControl control) : IHealthCheck
{
    private const int FarBehind = 10_000;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        try
        {
            var reactions = (await control.ListAsync().WaitAsync(Patience, cancellationToken)).Select(r => r.Status).ToList();
            var deadlines = (await control.ListDeadlinesAsync().WaitAsync(Patience, cancellationToken)).Select(d => d.Status).ToList();
            var facts = reactions.ToDictionary(r => $"reaction/{r.Name}", r => (object)new { state = r.State.ToString(), position = r.Position.Value, behind = r.Behind, r.Fault, r.Attempts });
            deadlines.ForEach(d => facts.Add($"deadline/{d.Name}", new { state = d.State.ToString(), d.Handled, d.Resting, d.Fault, d.FaultKey }));
            return reactions.Find(r => r.State == ReactionState.Stopped) is { } stopped
                ? HealthCheckResult.Unhealthy($"Reaction {stopped.Name} stands still at position {stopped.Position} after {stopped.Attempts} tries: {stopped.Fault}", data: facts)
                : reactions.Find(r => r.State is ReactionState.Retrying or ReactionState.WaitingForNewerProgram || r.Behind > FarBehind) is { } late
                    ? HealthCheckResult.Degraded($"Reaction {late.Name} is {late.Behind} events behind ({late.State}){(late.Fault is null ? "" : $": {late.Fault}")}", data: facts)
                    : deadlines.Find(d => d.Fault is not null) is { } faulty
                        ? HealthCheckResult.Degraded($"Deadline {faulty.Name} ({faulty.State}){(faulty.FaultKey is null ? "" : $" fails at row '{faulty.FaultKey}'")}: {faulty.Fault}", data: facts)
                        : HealthCheckResult.Healthy("All reactions follow the log, and all deadlines are kept.", facts);
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            return HealthCheckResult.Degraded($"The reactions could not be asked: {e.Message}");
        }
    }
}
