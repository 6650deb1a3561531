namespace Orleans.EventSourced.Projections;

/// <summary>Whether this silo leaves its views' projections to others for now. Safe for concurrent use.</summary>
internal sealed class Deferral(bool deferred)
{
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Whether the silo began so: the others do not count on it for as long as it lives.</summary>
    public bool WasDeferred => deferred;

    /// <summary>Completes when it runs what nobody else does.</summary>
    public Task Ended => deferred ? _ended.Task : Task.CompletedTask;

    public void End() => _ended.TrySetResult();
}
