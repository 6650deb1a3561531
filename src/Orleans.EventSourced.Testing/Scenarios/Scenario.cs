using Orleans.EventSourced.Core.Deciding;

namespace Orleans.EventSourced.Testing.Scenarios;

/// <summary>Scenarios of pure deciders: given what happened, when a command comes, then that happens. Neither a silo nor a store has part in it.</summary>
public static class Scenario
{
    /// <summary>Scenarios of a decider, with nothing given yet.</summary>
    /// <typeparam name="TState">The state, with its fold and its decisions.</typeparam>
    /// <typeparam name="TCommand">The base type of the entity's commands.</typeparam>
    /// <typeparam name="TEvent">The base type of the entity's events.</typeparam>
    public static Scenario<TState, TCommand, TEvent> Of<TState, TCommand, TEvent>()
        where TState : class, IDecider<TState, TCommand, TEvent>
        where TCommand : notnull
        where TEvent : class => new(TState.Initial, []);
}

/// <summary>What has happened to an entity. Immutable: one can be the beginning of many.</summary>
/// <typeparam name="TState">The state, with its fold and its decisions.</typeparam>
/// <typeparam name="TCommand">The base type of the entity's commands.</typeparam>
/// <typeparam name="TEvent">The base type of the entity's events.</typeparam>
public sealed class Scenario<TState, TCommand, TEvent>
    where TState : class, IDecider<TState, TCommand, TEvent>
    where TCommand : notnull
    where TEvent : class
{
    private readonly IReadOnlyList<TEvent> _events;

    internal Scenario(TState state, IReadOnlyList<TEvent> events) => (State, _events) = (state, events);

    /// <summary>The fold of what has happened.</summary>
    public TState State { get; }

    /// <summary>The same, with these events behind it.</summary>
    /// <param name="events">What happened, in order.</param>
    public Scenario<TState, TCommand, TEvent> Given(params IReadOnlyList<TEvent> events)
    {
        ArgumentNullException.ThrowIfNull(events);
        return new Scenario<TState, TCommand, TEvent>(events.Aggregate(State, TState.Evolve), [.. _events, .. events]);
    }

    /// <summary>Decides a command.</summary>
    /// <param name="command">The command.</param>
    /// <exception cref="ExpectationException">The decision is not pure: asked again about the same state and command, it is another one.</exception>
    public ScenarioOutcome<TState, TCommand, TEvent> When(TCommand command)
    {
        ArgumentNullException.ThrowIfNull(command);
        var given = Shown(_events);
        var what = ShownEvent.Of(command).ToString();
        var (first, second) = (TState.Decide(State, command), TState.Decide(State, command));
        if (!IsSame(first, second))
        {
            throw new ExpectationException($"{what} was decided twice in the same state, and differently: {Text(first)}, then {Text(second)}. A decision is pure: what differs, time or ids, comes with the command.");
        }

        return new ScenarioOutcome<TState, TCommand, TEvent>(this, given, what, first);
    }

    internal static IReadOnlyList<ShownEvent> Shown(IEnumerable<TEvent> events) => [.. events.Select(e => ShownEvent.Of(e))];

    private static bool IsSame(Decision<TEvent> one, Decision<TEvent> other) => (one, other) switch
    {
        (Decision<TEvent>.Accept a, Decision<TEvent>.Accept b) => a.Events.Count == b.Events.Count && Shown(a.Events).Zip(Shown(b.Events)).All(pair => pair.First.IsSame(pair.Second)),
        _ => one.Equals(other),
    };

    private static string Text(Decision<TEvent> decision) => decision is Decision<TEvent>.Accept accept ? $"[{string.Join(", ", Shown(accept.Events))}]" : decision.ToString();
}

/// <summary>What a command came to. Each expectation that holds answers it again, so that they can be written one behind the other.</summary>
/// <typeparam name="TState">The state, with its fold and its decisions.</typeparam>
/// <typeparam name="TCommand">The base type of the entity's commands.</typeparam>
/// <typeparam name="TEvent">The base type of the entity's events.</typeparam>
public sealed class ScenarioOutcome<TState, TCommand, TEvent>
    where TState : class, IDecider<TState, TCommand, TEvent>
    where TCommand : notnull
    where TEvent : class
{
    private readonly IReadOnlyList<ShownEvent> _given;
    private readonly IReadOnlyList<ShownEvent> _happened;
    private readonly string _what;

    internal ScenarioOutcome(Scenario<TState, TCommand, TEvent> before, IReadOnlyList<ShownEvent> given, string what, Decision<TEvent> decision)
    {
        var events = decision is Decision<TEvent>.Accept accept ? accept.Events : [];
        (_given, _what, Decision, After, _happened) = (given, what, decision, before.Given(events), Scenario<TState, TCommand, TEvent>.Shown(events));
    }

    /// <summary>The decision itself.</summary>
    public Decision<TEvent> Decision { get; }

    /// <summary>What has happened now, to go on from: <c>outcome.After.When(...)</c>.</summary>
    public Scenario<TState, TCommand, TEvent> After { get; }

    /// <summary>Exactly these events happened, in order. Events are the same when their names and their JSON are, which is what a log keeps of them.</summary>
    /// <exception cref="ExpectationException">Others did; the message has both, and the first difference.</exception>
    public ScenarioOutcome<TState, TCommand, TEvent> Then(params IReadOnlyList<TEvent> events)
    {
        ArgumentNullException.ThrowIfNull(events);
        RefuseRejection("and should make events happen");
        Expected.Same(_what, _given, Scenario<TState, TCommand, TEvent>.Shown(events), _happened);
        return this;
    }

    /// <summary>The command was accepted and changed nothing.</summary>
    /// <exception cref="ExpectationException">It was not so.</exception>
    public ScenarioOutcome<TState, TCommand, TEvent> ThenNothing()
    {
        RefuseRejection("and should be accepted");
        Expected.Nothing(_what, _given, _happened);
        return this;
    }

    /// <summary>The command was refused with this code.</summary>
    /// <exception cref="ExpectationException">It was accepted, or refused with another one.</exception>
    public ScenarioOutcome<TState, TCommand, TEvent> ThenRejected(string code)
    {
        ArgumentException.ThrowIfNullOrEmpty(code);
        var refused = Decision as Decision<TEvent>.Refuse;
        Expected.Rejected(_what, _given, code, refused?.Code, refused?.Reason, _happened);
        return this;
    }

    /// <summary>The state is this one now.</summary>
    /// <exception cref="ExpectationException">It is another; the message has both, and the first difference.</exception>
    public ScenarioOutcome<TState, TCommand, TEvent> ThenState(TState expected)
    {
        ArgumentNullException.ThrowIfNull(expected);
        Expected.SameState(_what, _given, expected, After.State);
        return this;
    }

    /// <summary>The state is looked at by the assertions of whatever framework.</summary>
    public ScenarioOutcome<TState, TCommand, TEvent> ThenState(Action<TState> check)
    {
        ArgumentNullException.ThrowIfNull(check);
        check(After.State);
        return this;
    }

    private void RefuseRejection(string expected)
    {
        if (Decision is Decision<TEvent>.Refuse refused)
        {
            throw new ExpectationException($"{_what} was rejected as '{refused.Code}' ({refused.Reason}), {expected}.{(_given.Count == 0 ? "" : $"\nGiven:\n    {string.Join("\n    ", _given)}")}");
        }
    }
}
