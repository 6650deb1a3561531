using Orleans.EventSourced.Core.Deciding;
using Orleans.EventSourcing;

namespace Orleans.EventSourced.IntegrationTests.Grains;

/// <summary>A plain JournaledGrain whose state is changed by its Apply methods alone, and is to be kept as snapshots.</summary>
[GrainType("score")]
public sealed class ScoreGrain : JournaledGrain<ScoreState, CounterEvent>, IScoreGrain
{
    public async Task AddAsync(int amount)
    {
        RaiseEvent(new Added(amount));
        await ConfirmEvents();
    }

    public Task<int> GetAsync() => Task.FromResult(State.Total);

    public Task LeaveAsync()
    {
        DeactivateOnIdle();
        return Task.CompletedTask;
    }
}

/// <summary>Its total is written as JSON but cannot be read back: the setter is private.</summary>
[FoldVersion(1, SnapshotEvery = 2)]
public sealed class ScoreState
{
    public int Total { get; private set; }

    public void Apply(Added e) => Total += e.Amount;
}

[Alias("tests.IScoreGrain")]
public interface IScoreGrain : IGrainWithStringKey
{
    Task AddAsync(int amount);

    Task<int> GetAsync();

    Task LeaveAsync();
}
