using Orleans.EventSourced.Core.Projections;
using Orleans.EventSourced.Mutations;

namespace Orleans.EventSourced.Tracing;

/// <summary>Makes the tree of a workflow from its rows. Whatever they name as causes, each command and each event is in it once.</summary>
internal sealed class TraceTree
{
    private readonly Dictionary<string, Draft> _commands = new(StringComparer.Ordinal);
    private readonly HashSet<string> _events;
    private readonly ILookup<string, Draft> _caused;
    private readonly List<object> _roots;
    private readonly Queue<Draft> _inOrder;
    private readonly List<TraceNode> _nodes = [];
    private readonly HashSet<Draft> _shown = [];
    private readonly List<KeyedRow<TraceRow>> _rows;

    private TraceTree(IEnumerable<KeyedRow<TraceRow>> rows)
    {
        _rows = [.. rows.OrderBy(r => r.Position)];
        _events = _rows.Select(r => r.Key).ToHashSet(StringComparer.Ordinal);
        foreach (var row in _rows)
        {
            if (row.Row.Command is { } command)
            {
                Find(command).Events.Add(row);
            }

            if (row.Row.Mutation is { } mutation)
            {
                Find(mutation).Add(row);
            }
        }

        var drafts = _commands.Values.OrderBy(d => d.Order).ThenBy(d => d.Id, StringComparer.Ordinal).ToList();
        (_inOrder, _caused) = (new(drafts), drafts.Where(d => d.Cause is not null).ToLookup(d => d.Cause!, StringComparer.Ordinal));
        _roots =
        [
            .. drafts.Where(d => d.Cause is null).Select(d => (d.Order, Root: (object)d))
                .Concat(_rows.Where(r => r.Row.Command is null).Select(r => (Order: r.Position, Root: (object)r)))
                .Concat(_caused.Where(c => !_events.Contains(c.Key) && !_commands.ContainsKey(c.Key)).Select(c => (c.First().Order, Root: (object)c.Key)))
                .OrderBy(r => r.Order)
                .Select(r => r.Root),
        ];
    }

    /// <param name="correlation">The id of the workflow.</param>
    /// <param name="rows">Its rows, in whatever order.</param>
    /// <param name="maxNodes">The most nodes.</param>
    /// <param name="isCut">Whether the workflow has more rows than these.</param>
    public static Trace Of(string correlation, IEnumerable<KeyedRow<TraceRow>> rows, int maxNodes, bool isCut)
    {
        var tree = new TraceTree(rows);
        var isWhole = tree.ShowAll(maxNodes);
        var hanging = tree._nodes.OfType<TraceNode.Command>().Where(c => c.Parent is not null).ToLookup(c => c.Parent!, c => c.Id, StringComparer.Ordinal);
        return new Trace(correlation, tree._nodes, [.. tree._nodes.OfType<TraceNode.Gap>().Select(g => new TraceGap(g.Id, [.. hanging[g.Id]]))], isCut || !isWhole)
        {
            BeganAt = tree._rows is [var first, ..] ? first.Row.RecordedAt : null,
            EndedAt = tree._rows is [.., var last] ? last.Row.RecordedAt : null,
        };
    }

    private Draft Find(Guid command)
    {
        var id = command.ToString("D");
        if (!_commands.TryGetValue(id, out var draft))
        {
            _commands.Add(id, draft = new Draft(id));
        }

        return draft;
    }

    /// <summary>False: there are more.</summary>
    private bool ShowAll(int maxNodes)
    {
        foreach (var root in _roots)
        {
            if (!Show(root, isCycle: false, maxNodes))
            {
                return false;
            }
        }

        // What is left hangs on itself.
        while (_inOrder.TryDequeue(out var draft))
        {
            if (!_shown.Contains(draft) && !Show(draft, isCycle: true, maxNodes))
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>Shows a root and all below it, without recursion: a workflow may be one long chain.</summary>
    private bool Show(object root, bool isCycle, int maxNodes)
    {
        var open = new Stack<(object Item, TraceNode? Parent)>([(root, null)]);
        while (open.TryPop(out var next))
        {
            if (next.Item is Draft draft && !_shown.Add(draft))
            {
                continue;
            }

            if (_nodes.Count == maxNodes)
            {
                return false;
            }

            var node = NodeOf(next.Item, next.Parent, isCycle && next.Parent is null);
            _nodes.Add(node);
            foreach (var child in ChildrenOf(next.Item).Reverse())
            {
                open.Push((child, node));
            }
        }

        return true;
    }

    private IEnumerable<object> ChildrenOf(object item) => item switch
    {
        Draft draft => draft.Events.Concat<object>(_events.Contains(draft.Id) ? [] : _caused[draft.Id]),
        KeyedRow<TraceRow> e => _caused[e.Key],
        string gap => _caused[gap],
        _ => throw new InvalidOperationException($"'{item}' is no part of a workflow."),
    };

    private static TraceNode NodeOf(object item, TraceNode? parent, bool isCycle)
    {
        var node = item switch
        {
            Draft draft => draft.ToNode(isCycle),
            KeyedRow<TraceRow> { Row: var row } e => new TraceNode.Event(row.Stream, row.Version, row.Type, e.Position) { Id = e.Key, At = row.RecordedAt, Actor = row.Actor, Reason = row.Reason, Origin = row.Origin },
            string gap => new TraceNode.Gap { Id = gap },
            _ => throw new InvalidOperationException($"'{item}' is no part of a workflow."),
        };
        return parent is null ? node : node with { Parent = parent.Id, Depth = parent.Depth + 1, After = node.At - parent.At };
    }

    /// <summary>A command, as far as it is known.</summary>
    private sealed class Draft(string id)
    {
        private KeyedRow<TraceRow>? _requested;
        private KeyedRow<TraceRow>? _fate;

        public string Id { get; } = id;

        /// <summary>What it made, in order.</summary>
        public List<KeyedRow<TraceRow>> Events { get; } = [];

        public string? Cause => Events is [var first, ..] ? first.Row.Causation : _requested?.Key ?? _fate!.Row.Causation;

        public long Order => Events is [var first, ..] ? first.Position : (_requested ?? _fate!).Position;

        /// <summary>What its session says of it. Of two fates the later one counts: that it took effect, which follows on a refusal that a run before a crash had come to.</summary>
        public void Add(KeyedRow<TraceRow> said)
        {
            if (said.Row.Type == SessionEventTypes.Requested)
            {
                _requested = said;
            }
            else
            {
                _fate = said;
            }
        }

        public TraceNode ToNode(bool isCycle)
        {
            var first = Events is [var e, ..] ? e.Row : null;
            var state = first is not null ? TraceState.Accepted : _fate?.Row.Type switch
            {
                null => TraceState.Requested,
                SessionEventTypes.Accepted => TraceState.Accepted,
                SessionEventTypes.Rejected => TraceState.Rejected,
                _ => TraceState.Unknown,
            };
            var refusal = state is TraceState.Rejected or TraceState.Unknown ? _fate!.Row : null;
            return new TraceNode.Command(state, Events.Count)
            {
                Id = Id,
                At = (first ?? _fate?.Row)?.RecordedAt,
                Name = _requested?.Row.Code,
                Target = _requested?.Row.Detail,
                Code = refusal?.Code,
                Detail = refusal?.Detail,
                Actor = (first ?? _requested?.Row)?.Actor,
                Reason = (first ?? _requested?.Row)?.Reason,
                Origin = first is null ? MutationRunner.Origin : first.Origin,
                IsCycle = isCycle,
            };
        }
    }
}
