using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Projections;

namespace Orleans.EventSourced.Core.Reactions;

/// <summary>
/// How far each reaction has followed the log, and what it passes over. Unlike a view this cannot be made again from the log: it belongs to what is backed up. Safe for concurrent use;
/// one try a call.
/// </summary>
public interface IReactionStore
{
    /// <summary>The reaction's checkpoint: everything up to its position is dealt with. One that is not there is made at <paramref name="start"/>, once for all who ask.</summary>
    /// <exception cref="LogUnavailableException">The store could not answer; it may be made.</exception>
    /// <exception cref="LogMisconfiguredException">The checkpoint is of another log.</exception>
    Task<OpenedReaction> OpenAsync(ReactionName reaction, LogPosition start, CancellationToken cancellationToken);

    /// <summary>Moves the checkpoint, if it is still where it is expected. False: it is not, another runner has the reaction.</summary>
    /// <param name="reaction">Whose.</param>
    /// <param name="expected">Where the checkpoint must be.</param>
    /// <param name="next">Where it will be.</param>
    /// <param name="mark">The event at <paramref name="next"/>; null: not known.</param>
    /// <param name="cancellationToken">Ends the wait; it may be moved.</param>
    /// <exception cref="LogUnavailableException">Moved or not: open again and see.</exception>
    Task<bool> MoveAsync(ReactionName reaction, LogPosition expected, LogPosition next, LogMark? mark, CancellationToken cancellationToken);

    /// <summary>Keeps that the reaction passes over an event. False: it does already, and the first reason stays.</summary>
    /// <exception cref="LogUnavailableException">Kept or not: skip it again.</exception>
    Task<bool> SkipAsync(ReactionName reaction, SkippedEvent skipped, CancellationToken cancellationToken);

    /// <summary>The events that the reaction passes over, by position.</summary>
    /// <exception cref="LogUnavailableException">The store could not answer.</exception>
    Task<IReadOnlyList<SkippedEvent>> ReadSkippedAsync(ReactionName reaction, CancellationToken cancellationToken);
}

/// <summary>A reaction's checkpoint.</summary>
/// <param name="Position">Everything up to it is dealt with.</param>
/// <param name="Mark">The last event that its movers saw; null, or at another position: they said none.</param>
public sealed record OpenedReaction(LogPosition Position, LogMark? Mark);
