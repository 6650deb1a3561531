using Orleans.EventSourced.Core.Deciding;
using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Grains;

namespace Orleans.EventSourced.Benchmarks;

/// <summary>The smallest entity that does the whole work: a command, a decision, an event of some 100 bytes.</summary>
[GrainType("bench")]
public sealed class BenchGrain : EventSourcedGrain<Tally, TallyEvent>, IBenchGrain
{
    public async Task<long> TickAsync(string note) => ((Accepted<TallyEvent>)await ExecuteAsync(note, Tally.Decide)).Position;
}

[Alias("bench.IBenchGrain")]
public interface IBenchGrain : IGrainWithStringKey
{
    /// <summary>Writes one event; it is durable when this answers its position.</summary>
    [Alias("Tick")]
    Task<long> TickAsync(string note);
}

public sealed record Tally(int Count) : IDecider<Tally, string, TallyEvent>
{
    public static Tally Initial { get; } = new(0);

    public static Decision<TallyEvent> Decide(Tally state, string command) => Core.Deciding.Decide.Accept<TallyEvent>(new Ticked(state.Count + 1, command));

    public static Tally Evolve(Tally state, TallyEvent @event) => new(((Ticked)@event).Number);
}

[GenerateSerializer, Alias("bench.TallyEvent")]
public abstract record TallyEvent;

[EventType("bench-ticked"), GenerateSerializer, Alias("bench.Ticked")]
public sealed record Ticked([property: Id(0)] int Number, [property: Id(1)] string Note) : TallyEvent;
