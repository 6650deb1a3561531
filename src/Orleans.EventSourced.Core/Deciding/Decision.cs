namespace Orleans.EventSourced.Core.Deciding;

/// <summary>What a decider made of a command: events (perhaps none), or a refusal.</summary>
/// <typeparam name="TEvent">The base type of the entity's events.</typeparam>
public abstract record Decision<TEvent>
{
    private Decision()
    {
    }

    /// <summary>The command is accepted and makes these events happen, in order; none when it changes nothing.</summary>
    /// <param name="Events">The events.</param>
    public sealed record Accept(IReadOnlyList<TEvent> Events) : Decision<TEvent>;

    /// <summary>The command is refused in this state.</summary>
    /// <param name="Code">A stable name for programs, in kebab case: <c>already-issued</c>.</param>
    /// <param name="Reason">A sentence for people.</param>
    public sealed record Refuse(string Code, string Reason) : Decision<TEvent>;
}

/// <summary>Short ways to write a decision.</summary>
public static class Decide
{
    /// <summary>Accepted, with these events.</summary>
    public static Decision<TEvent> Accept<TEvent>(params IReadOnlyList<TEvent> events) => new Decision<TEvent>.Accept(events);

    /// <summary>Refused.</summary>
    /// <param name="code">A stable name for programs, in kebab case.</param>
    /// <param name="reason">A sentence for people.</param>
    public static Decision<TEvent> Refuse<TEvent>(string code, string reason) => new Decision<TEvent>.Refuse(code, reason);
}
