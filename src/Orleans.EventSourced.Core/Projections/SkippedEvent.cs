using Orleans.EventSourced.Core.Log;

namespace Orleans.EventSourced.Core.Projections;

/// <summary>An event that one version of a view, or a reaction, passes over, because somebody said so. Of a view it is kept beside its table and outlives it: a table folded anew passes over it too.</summary>
public sealed record SkippedEvent
{
    /// <summary>The most characters of a reason or an actor.</summary>
    public const int MaxText = 1_000;

    /// <param name="position">The event's place in the log, 1 or more.</param>
    /// <param name="reason">Why, in the operator's words: 1 to <see cref="MaxText"/> characters.</param>
    /// <param name="actor">Who said so, 1 to <see cref="MaxText"/> characters; null: not known.</param>
    /// <param name="skippedAt">When, in UTC.</param>
    /// <exception cref="ArgumentException">One of them is not so; the message says which.</exception>
    public SkippedEvent(LogPosition position, string reason, string? actor, DateTimeOffset skippedAt)
    {
        if (position.Value < 1)
        {
            throw new ArgumentException($"No event stands at position {position}.", nameof(position));
        }

        CheckText(reason, actor);
        (Position, Reason, Actor, SkippedAt) = (position, reason, actor, skippedAt);
    }

    /// <summary>The event's place in the log.</summary>
    public LogPosition Position { get; }

    /// <summary>Why, in the operator's words.</summary>
    public string Reason { get; }

    /// <summary>Who said so; null: not known.</summary>
    public string? Actor { get; }

    /// <summary>When, in UTC.</summary>
    public DateTimeOffset SkippedAt { get; }

    /// <summary>Refuses what an operator cannot have said, or no store keeps.</summary>
    /// <exception cref="ArgumentException">The reason or the actor; the message says why.</exception>
    internal static void CheckText(string reason, string? actor)
    {
        ArgumentNullException.ThrowIfNull(reason);
        if (string.IsNullOrWhiteSpace(reason) || reason.Length > MaxText || reason.Contains('\0', StringComparison.Ordinal))
        {
            throw new ArgumentException($"A reason is 1 to {MaxText} characters without NUL; got {reason.Length}.", nameof(reason));
        }

        if (actor is { Length: 0 or > MaxText } || actor?.Contains('\0', StringComparison.Ordinal) is true)
        {
            throw new ArgumentException($"An actor is 1 to {MaxText} characters without NUL; got {actor.Length}.", nameof(actor));
        }
    }
}
