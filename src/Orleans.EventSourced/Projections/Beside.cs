using Orleans.Runtime.Placement;

namespace Orleans.EventSourced.Projections;

/// <summary>
/// A loop that runs on the thread pool beside a grain, from its activation to its end, at the silo where the keepers want it. Nothing of the call that activated the grain flows into what the loop
/// sends.
/// </summary>
internal sealed class Beside : IDisposable
{
    private readonly CancellationTokenSource _stop = new();

    /// <summary>Completes when the loop has ended, by itself or because it was told to.</summary>
    public Task Ended { get; private set; } = Task.CompletedTask;

    /// <summary>Lets a grain move to the silo that should have it, if it is elsewhere.</summary>
    public static Task MoveAsync(IGrainBase grain, ILocalSiloDetails silo, SiloAddress owner)
    {
        if (owner != silo.SiloAddress)
        {
            RequestContext.Set(IPlacementDirector.PlacementHintKey, owner);
            grain.MigrateOnIdle();
        }

        return Task.CompletedTask;
    }

    public void Run(Func<CancellationToken, Task> loop)
    {
        using (ExecutionContext.SuppressFlow())
        {
            Ended = Task.Run(() => loop(_stop.Token), CancellationToken.None);
        }
    }

    public async Task EndAsync()
    {
        await _stop.CancelAsync();
        await Ended;
    }

    public void Dispose() => _stop.Dispose();
}
