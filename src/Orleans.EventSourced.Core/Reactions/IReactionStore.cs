using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Projections;

namespace Orleans.EventSourced.Core.Reactions;

/// <summary>
/// How far each reaction has followed the log, and what it passes over. Unlike a view this cannot be made again from the log: it belongs to what is backed up. Safe for concurrent use;
/// one try a call.
/// </summary>
public interface IReactionStore
{
    /// <summary>The reaction's checkpoint: everything up to it is dealt with. One that is not there is made at <paramref name="start"/>, once for all who ask.</summary>
    /// <exception cref="LogUnavailableException">The store could not answer; it may be made.</exception>
    /// <exception cref="LogMisconfiguredException">The checkpoint is of another log.</exception>
    Task<LogPosition> OpenAsync(ReactionName reaction, LogPosition start, CancellationToken cancellationToken);

    /// <summary>Moves the checkpoint, if it is still where it is expected. False: it is not, another runner has the reaction.</summary>
    /// <exception cref="LogUnavailableException">Moved or not: open again and see.</exception>
    Task<bool> MoveAsync(ReactionName reaction, LogPosition expected, LogPosition next, CancellationToken cancellationToken);

    /// <summary>Keeps that the reaction passes over an event. False: it does already, and the first reason stays.</summary>
    /// <exception cref="LogUnavailableException">Kept or not: skip it again.</exception>
    Task<bool> SkipAsync(ReactionName reaction, SkippedEvent skipped, CancellationToken cancellationToken);

    /// <summary>The events that the reaction passes over, by position.</summary>
    /// <exception cref="LogUnavailableException">The store could not answer.</exception>
    Task<IReadOnlyList<SkippedEvent>> ReadSkippedAsync(ReactionName reaction, CancellationToken cancellationToken);
}
