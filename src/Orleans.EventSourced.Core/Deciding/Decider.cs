namespace Orleans.EventSourced.Core.Deciding;

/// <summary>
/// How a state follows from events. Both members are pure: no clock, no random, no I/O, because replay, time travel and what-if run them
/// again and must get the same state.
/// </summary>
/// <typeparam name="TState">An immutable state.</typeparam>
/// <typeparam name="TEvent">The base type of the entity's events.</typeparam>
public interface IFold<TState, in TEvent>
{
    /// <summary>The state before the first event.</summary>
    static abstract TState Initial { get; }

    /// <summary>The state after one more event. It refuses nothing that is in the log: events are facts.</summary>
    static abstract TState Evolve(TState state, TEvent @event);
}

/// <summary>A fold that also decides what a command makes happen; the decider pattern (J. Chassaing, "Functional Event Sourcing Decider", 2021).</summary>
/// <typeparam name="TState">An immutable state.</typeparam>
/// <typeparam name="TCommand">The base type of the entity's commands.</typeparam>
/// <typeparam name="TEvent">The base type of the entity's events.</typeparam>
public interface IDecider<TState, in TCommand, TEvent> : IFold<TState, TEvent>
{
    /// <summary>The events that a command makes happen in a state, or why it is refused. Pure; the time comes in the command.</summary>
    static abstract Decision<TEvent> Decide(TState state, TCommand command);
}
