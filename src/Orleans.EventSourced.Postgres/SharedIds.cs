using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.Log;

namespace Orleans.EventSourced.Postgres;

/// <summary>
/// Keeps requests out of a batch whose event ids an earlier request of it has too. In one statement neither would see the other, and the unique index would fail both, for ever.
/// </summary>
internal sealed class SharedIds
{
    private readonly int _count;
    private readonly Dictionary<int, int> _heldBack = [];
    private readonly HashSet<int> _sameStream = [];

    public SharedIds(IReadOnlyList<AppendRequest> batch)
    {
        _count = batch.Count;
        var owners = new Dictionary<EventId, int>(batch.Count);
        for (var i = 0; i < batch.Count; i++)
        {
            var events = batch[i].Events;
            for (var n = 0; n < events.Count; n++)
            {
                var id = events[n].Id;
                if (!owners.TryAdd(id, i) && owners[id] != i)
                {
                    _heldBack.TryAdd(i, owners[id]);
                    if (batch[owners[id]].Stream == batch[i].Stream)
                    {
                        _sameStream.Add(i);
                    }
                }
            }
        }

        Distinct = _heldBack.Count == 0 ? batch : [.. batch.Where((_, i) => !_heldBack.ContainsKey(i))];
    }

    /// <summary>The requests to send.</summary>
    public IReadOnlyList<AppendRequest> Distinct { get; }

    /// <summary>The outcomes of all: a request held back reuses ids if the earlier one is in the log now, and was not tried if not. So it is deferred on the same stream too.</summary>
    public IReadOnlyList<AppendOutcome> Complete(IReadOnlyList<AppendOutcome> sent)
    {
        if (_heldBack.Count == 0)
        {
            return sent;
        }

        var outcomes = new AppendOutcome[_count];
        var next = 0;
        for (var i = 0; i < _count; i++)
        {
            outcomes[i] = !_heldBack.TryGetValue(i, out var owner) ? sent[next++]
                : outcomes[owner] is AppendOutcome.Appended or AppendOutcome.Duplicate && !_sameStream.Contains(i) ? new AppendOutcome.IdReused()
                : new AppendOutcome.Deferred();
        }

        return outcomes;
    }
}
