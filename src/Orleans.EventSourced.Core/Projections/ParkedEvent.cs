using Orleans.EventSourced.Core.Log;

namespace Orleans.EventSourced.Core.Projections;

/// <summary>What a slice of a view does at an event that its fold refuses at every try.</summary>
public enum PoisonPolicy
{
    /// <summary>The slice stands still there until an operator resumes it: no row runs ahead of another.</summary>
    Stop,

    /// <summary>
    /// The row alone stands still: the event and the later ones of that row wait in order, all other rows go on. Where the fold fails before the row is known, or too much is parked already, the
    /// slice stops.
    /// </summary>
    Park,
}

/// <summary>An event that is not folded into its row yet, because the row stands still at it or at an earlier one.</summary>
public sealed record ParkedEvent
{
    /// <summary>The most rows of a slice that may be parked.</summary>
    public const int MaxRows = 100;

    /// <summary>The most events that may wait for one row, the refused one among them.</summary>
    public const int MaxWaiting = 1_000;

    /// <summary>The most characters of a fault that are kept.</summary>
    public const int MaxFault = 2_000;

    /// <param name="key">The row.</param>
    /// <param name="position">The event's place in the log, 1 or more.</param>
    /// <param name="fault">Why the fold refuses the event, of which <see cref="StorableText"/> is kept. Null: it only waits behind one that is refused.</param>
    public ParkedEvent(string key, LogPosition position, string? fault)
    {
        ArgumentNullException.ThrowIfNull(key);
        ArgumentOutOfRangeException.ThrowIfLessThan(position.Value, 1, nameof(position));
        (Key, Position, Fault) = (key, position, fault is null ? null : StorableText.Of(fault, MaxFault));
    }

    /// <summary>The row.</summary>
    public string Key { get; }

    /// <summary>The event's place in the log.</summary>
    public LogPosition Position { get; }

    /// <summary>Why the fold refuses the event; null: it only waits behind one that is refused.</summary>
    public string? Fault { get; }
}
