using System.Text.Json;
using Orleans.EventSourced.Core.Deciding;
using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Grains;

namespace Orleans.EventSourced.Benchmarks.Peers;

[Alias("bench.IBenchGrain")]
public interface IBenchGrain : IEntity;

[Alias("bench.IKeptBenchGrain")]
public interface IKeptBenchGrain : IEntity;

/// <summary>The smallest entity that does the whole work: a command, a decision, events of some 100 bytes.</summary>
public abstract class TickingGrain<TState> : EventSourcedGrain<TState, TallyEvent>, IEntity
    where TState : class, IDecider<TState, Tick, TallyEvent>
{
    public async Task<long> TickAsync(string note, int events) => ((Accepted<TallyEvent>)await ExecuteAsync(new Tick(note, events), TState.Decide)).Position;

    public Task<int> VersionAsync() => Task.FromResult(Version);

    public Task LeaveAsync()
    {
        DeactivateOnIdle();
        return Task.CompletedTask;
    }
}

[GrainType("bench")]
public sealed class BenchGrain : TickingGrain<Tally>, IBenchGrain;

/// <summary>One whose state is kept as snapshots.</summary>
[GrainType("bench-kept")]
public sealed class KeptBenchGrain : TickingGrain<KeptTally>, IKeptBenchGrain;

/// <summary>The command.</summary>
public readonly record struct Tick(string Note, int Events)
{
    public Decision<TallyEvent> After(int count) => Events == 1
        ? Core.Deciding.Decide.Accept<TallyEvent>(new Ticked(count + 1, Note))
        : Core.Deciding.Decide.Accept([.. Each(count)]);

    private IEnumerable<TallyEvent> Each(int count)
    {
        for (var i = 1; i <= Events; i++)
        {
            yield return new Ticked(count + i, Note);
        }
    }
}

public sealed record Tally(int Count) : IDecider<Tally, Tick, TallyEvent>
{
    public static Tally Initial { get; } = new(0);

    public static Decision<TallyEvent> Decide(Tally state, Tick command) => command.After(state.Count);

    public static Tally Evolve(Tally state, TallyEvent @event) => new(((Ticked)@event).Number);
}

[FoldVersion(FoldVersion, SnapshotEvery = SnapshotEvery)]
public sealed record KeptTally(int Count) : IDecider<KeptTally, Tick, TallyEvent>
{
    public const int FoldVersion = 1;
    public const int SnapshotEvery = 500;

    public static KeptTally Initial { get; } = new(0);

    public static Decision<TallyEvent> Decide(KeptTally state, Tick command) => command.After(state.Count);

    public static KeptTally Evolve(KeptTally state, TallyEvent @event) => new(((Ticked)@event).Number);
}

[GenerateSerializer, Alias("bench.TallyEvent")]
public abstract record TallyEvent
{
    /// <summary>The events of the benchmarks' own entities.</summary>
    public static EventTypeMap Types { get; } = new EventTypeMap.Builder().AddFamily<TallyEvent>(JsonSerializerOptions.Web).Build();
}

[EventType("bench-ticked"), GenerateSerializer, Alias("bench.Ticked")]
public sealed record Ticked([property: Id(0)] int Number, [property: Id(1)] string Note) : TallyEvent;
