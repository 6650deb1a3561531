using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Projections;

namespace Orleans.EventSourced.Core.Reactions;

/// <summary>The checkpoints of reactions in the memory of one process, for tests and models. Safe for concurrent use.</summary>
public sealed class InMemoryReactionStore : IReactionStore
{
    private readonly Lock _gate = new();
    private readonly Dictionary<ReactionName, OpenedReaction> _checkpoints = [];
    private readonly Dictionary<ReactionName, SortedDictionary<LogPosition, SkippedEvent>> _skipped = [];

    /// <inheritdoc/>
    public Task<OpenedReaction> OpenAsync(ReactionName reaction, LogPosition start, CancellationToken cancellationToken)
    {
        lock (_gate)
        {
            _checkpoints.TryAdd(reaction, new OpenedReaction(start, null));
            return Task.FromResult(_checkpoints[reaction]);
        }
    }

    /// <inheritdoc/>
    public Task<bool> MoveAsync(ReactionName reaction, LogPosition expected, LogPosition next, LogMark? mark, CancellationToken cancellationToken)
    {
        lock (_gate)
        {
            if (!_checkpoints.TryGetValue(reaction, out var checkpoint) || checkpoint.Position != expected)
            {
                return Task.FromResult(false);
            }

            _checkpoints[reaction] = new OpenedReaction(next, mark);
            return Task.FromResult(true);
        }
    }

    /// <inheritdoc/>
    public Task<bool> SkipAsync(ReactionName reaction, SkippedEvent skipped, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(skipped);
        lock (_gate)
        {
            if (!_skipped.TryGetValue(reaction, out var known))
            {
                _skipped.Add(reaction, known = []);
            }

            return Task.FromResult(known.TryAdd(skipped.Position, skipped));
        }
    }

    /// <inheritdoc/>
    public Task<IReadOnlyList<SkippedEvent>> ReadSkippedAsync(ReactionName reaction, CancellationToken cancellationToken)
    {
        lock (_gate)
        {
            return Task.FromResult<IReadOnlyList<SkippedEvent>>(_skipped.TryGetValue(reaction, out var known) ? [.. known.Values] : []);
        }
    }
}
