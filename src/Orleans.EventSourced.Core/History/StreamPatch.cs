using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.Log;

namespace Orleans.EventSourced.Core.History;

/// <summary>A function of a branch with its parameters.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Events">The base type of the events that it is given.</param>
/// <param name="Rewrite">The function.</param>
internal sealed record BoundFunction(string Name, Type Events, Func<IReadOnlyList<object>, IReadOnlyList<object>> Rewrite);

/// <summary>An edit with its payload read.</summary>
internal sealed record BoundEdit(BranchEdit Edit, object? Payload);

/// <summary>
/// What a branch changes of one stream, held against the trunk's versions: which events fall away, and which come behind them. Only what changes is kept, so that a branch over a large log takes
/// memory for its differences alone. Immutable.
/// </summary>
internal sealed class StreamPatch
{
    private readonly StreamId _stream;
    private readonly Slot[] _slots;

    private StreamPatch(StreamId stream, Slot[] slots) => (_stream, _slots) = (stream, slots);

    /// <summary>What the edits and functions make of a stream; null: they leave it as it is.</summary>
    /// <param name="stream">The stream.</param>
    /// <param name="trunk">The payloads of its events up to the base, by version; null where one was not read, which then no function sees.</param>
    /// <param name="edits">The edits of this stream, in order.</param>
    /// <param name="functions">The functions, in order.</param>
    /// <exception cref="HistoryException">An edit names what is not there, or a function fails or gives what cannot be.</exception>
    public static StreamPatch? Of(StreamId stream, IReadOnlyList<object?> trunk, IReadOnlyList<BoundEdit> edits, IReadOnlyList<BoundFunction> functions)
    {
        var entries = new List<Entry>(trunk.Count);
        for (var i = 0; i < trunk.Count; i++)
        {
            entries.Add(new Entry(i + 1, trunk[i]));
        }

        foreach (var edit in edits)
        {
            Edit(stream, trunk.Count, entries, edit);
        }

        foreach (var function in functions)
        {
            entries = Rewritten(stream, entries, function);
        }

        var slots = SlotsOf(entries, trunk.Count);
        return slots.Length == 0 ? null : new StreamPatch(stream, slots);
    }

    /// <summary>How many events the branch's stream has, of so many on the trunk.</summary>
    public int CountOf(int trunk) => trunk + (_slots.Length == 0 ? 0 : _slots[^1].ShiftBehind);

    /// <summary>What happens on the branch in the place of an event of the trunk, in order.</summary>
    /// <param name="recorded">The event of the trunk.</param>
    /// <param name="payload">Its payload; null: it is not of the family wanted.</param>
    /// <param name="make">Makes the event of the branch: its payload, its version, and where it stands.</param>
    /// <param name="into">Gets the events.</param>
    public void Emit(RecordedEvent recorded, object? payload, Func<object, int, RecordedEvent, RecordedEvent> make, List<(RecordedEvent Recorded, object? Payload)> into)
    {
        var version = recorded.Version.Value;
        if (version == 1 && Find(0) is { } first)
        {
            Put(first, first.ShiftBehind - first.Puts.Length, recorded, make, into);
        }

        var (slot, shift) = At(version);
        if (slot is not { Drops: true })
        {
            into.Add((shift == 0 ? recorded : recorded with { Version = new StreamVersion(version + shift) }, payload));
        }

        if (slot is { Puts.Length: > 0 })
        {
            Put(slot, version + slot.ShiftBehind - slot.Puts.Length, recorded, make, into);
        }
    }

    /// <summary>What a stream is that only the branch has.</summary>
    public void EmitNew(RecordedEvent place, Func<object, int, RecordedEvent, RecordedEvent> make, List<(RecordedEvent Recorded, object? Payload)> into)
    {
        if (Find(0) is { } slot)
        {
            Put(slot, 0, place, make, into);
        }
    }

    private static void Put(Slot slot, int before, RecordedEvent place, Func<object, int, RecordedEvent, RecordedEvent> make, List<(RecordedEvent Recorded, object? Payload)> into)
    {
        for (var i = 0; i < slot.Puts.Length; i++)
        {
            into.Add((make(slot.Puts[i], before + i + 1, place), slot.Puts[i]));
        }
    }

    private static void Edit(StreamId stream, int last, List<Entry> entries, BoundEdit edit)
    {
        switch (edit.Edit)
        {
            case BranchEdit.Drop(_, var version):
                entries.RemoveAt(IndexOf(version));
                break;
            case BranchEdit.Replace(_, var version, _, _):
                var at = IndexOf(version);
                entries[at] = new Entry(0, edit.Payload, version.Value);
                break;
            case BranchEdit.Insert(_, var after, _, _):
                var behind = after.Value == 0 ? 0 : IndexOf(after) + 1;
                while (behind < entries.Count && entries[behind] is { IsNew: true, InPlaceOf: 0 })
                {
                    behind++;
                }

                entries.Insert(behind, new Entry(0, edit.Payload));
                break;
            default:
                throw new InvalidOperationException($"'{edit.Edit}' is no edit of one stream.");
        }

        int IndexOf(StreamVersion version) => entries.FindIndex(e => e.Trunk == version.Value && !e.IsNew) is >= 0 and var index ? index
            : throw new HistoryException(HistoryFault.BadEdit, version.Value < 1 || version.Value > last
                ? $"Stream '{stream}' has no version {version} at the branch's base; its last is {last}."
                : $"Version {version} of '{stream}' was dropped or replaced by an edit before.");
    }

    /// <summary>Lays a function over the events of its family; all others stay where they are.</summary>
    private static List<Entry> Rewritten(StreamId stream, List<Entry> entries, BoundFunction function)
    {
        var family = new List<object>();
        var places = new Dictionary<object, int>(ReferenceEqualityComparer.Instance);
        for (var i = 0; i < entries.Count; i++)
        {
            if (entries[i].Payload is { } payload && function.Events.IsInstanceOfType(payload))
            {
                places[payload] = family.Count;
                family.Add(payload);
            }
        }

        if (family.Count == 0)
        {
            return entries;
        }

        var rewritten = Call(stream, function, family);
        if (rewritten.Count == family.Count && !rewritten.Where((e, i) => !ReferenceEquals(e, family[i])).Any())
        {
            return entries;
        }

        return Aligned(entries, Paired(stream, function, family.Count, rewritten, places), function);
    }

    /// <summary>For each event of the family, by its place: what comes before it, whether it stays, and, at the end, what comes behind all.</summary>
    private static (List<object>[] Instead, bool[] Stays) Paired(StreamId stream, BoundFunction function, int count, IReadOnlyList<object> rewritten, Dictionary<object, int> places)
    {
        // What is new stands behind the one that stays before it; there it takes the places of those that fell away, one by one, and the rest the last of them.
        var (instead, stays) = (new List<object>[count + 1], new bool[count]);
        var (last, pending) = (-1, new List<object>());
        foreach (var e in rewritten.Append(null))
        {
            if (e is not null && !places.ContainsKey(e))
            {
                pending.Add(function.Events.IsInstanceOfType(e) ? e : throw new HistoryException(HistoryFault.FoldRefuses, $"Function '{function.Name}' gave '{e.GetType()}' for stream '{stream}', which is no '{function.Events}'."));
                continue;
            }

            var next = e is null ? count : places[e];
            if (next <= last)
            {
                throw new HistoryException(HistoryFault.FoldRefuses, $"Function '{function.Name}' gave the events of stream '{stream}' in another order, or one twice; those that stay keep their order.");
            }

            for (var i = 0; i < pending.Count; i++)
            {
                // Place last + 1 + i fell away, if it is before the next that stays; the others share the last such place, or stand behind the one that stays.
                var place = Math.Min(last + 1 + i, next - 1);
                (instead[place + 1] ??= []).Add(pending[i]);
            }

            pending.Clear();
            if (e is not null)
            {
                stays[next] = true;
            }

            last = next;
        }

        return (instead, stays);
    }

    private static List<Entry> Aligned(List<Entry> entries, (List<object>[] Instead, bool[] Stays) paired, BoundFunction function)
    {
        var (aligned, place) = (new List<Entry>(entries.Count), 0);
        aligned.AddRange((paired.Instead[0] ?? []).Select(e => new Entry(0, e)));
        foreach (var entry in entries)
        {
            if (entry.Payload is null || !function.Events.IsInstanceOfType(entry.Payload))
            {
                aligned.Add(entry);
                continue;
            }

            if (paired.Stays[place])
            {
                aligned.Add(entry);
            }

            place++;
            aligned.AddRange((paired.Instead[place] ?? []).Select(e => new Entry(0, e)));
        }

        return aligned;
    }

    private static IReadOnlyList<object> Call(StreamId stream, BoundFunction function, List<object> events)
    {
        try
        {
            var rewritten = function.Rewrite(events);
            return rewritten.All(e => e is not null) ? rewritten : throw new InvalidOperationException("it gave null for an event");
        }
        catch (Exception e) when (e is not HistoryException)
        {
            throw new HistoryException(HistoryFault.FoldRefuses, $"Function '{function.Name}' fails at stream '{stream}': {e.Message}", e);
        }
    }

    /// <summary>What changes, by versions of the trunk. A new event stands in the place of the one that it replaces; or of one that fell away there, one by one; or behind the one before.</summary>
    private static Slot[] SlotsOf(List<Entry> entries, int last)
    {
        var slots = new List<Slot>();
        var (shift, at) = (0, 0);
        var pending = new List<object>();
        foreach (var entry in entries.Append(new Entry(last + 1, null)))
        {
            if (entry is { IsNew: true, InPlaceOf: 0 })
            {
                pending.Add(entry.Payload!);
                continue;
            }

            // Between the version "at" and the next one that stays, or is replaced, all fall away.
            var next = entry.IsNew ? entry.InPlaceOf : entry.Trunk;
            var gone = next - at - 1;
            Add(at, drops: false, gone == 0 ? pending.Count : 0);
            for (var i = 1; i <= gone; i++)
            {
                Add(at + i, drops: true, i < gone ? Math.Min(1, pending.Count) : pending.Count);
            }

            if (entry.IsNew)
            {
                pending.Add(entry.Payload!);
                Add(next, drops: true, 1);
            }

            at = next;
        }

        return [.. slots];

        void Add(int trunk, bool drops, int puts)
        {
            if (!drops && puts == 0)
            {
                return;
            }

            shift += puts - (drops ? 1 : 0);
            object[] events = [.. pending.Take(puts)];
            pending.RemoveRange(0, puts);
            if (slots is [.., { } same] && same.Trunk == trunk)
            {
                // What comes behind an event that was replaced.
                slots[^1] = same with { Puts = [.. same.Puts, .. events], ShiftBehind = shift };
                return;
            }

            slots.Add(new Slot(trunk, drops, events, shift));
        }
    }

    private Slot? Find(int trunk) => Index(trunk) is >= 0 and var index ? _slots[index] : null;

    private (Slot? Slot, int Shift) At(int trunk)
    {
        var index = Index(trunk);
        var before = index >= 0 ? index : ~index;
        return (index >= 0 ? _slots[index] : null, before == 0 ? 0 : _slots[before - 1].ShiftBehind);
    }

    private int Index(int trunk)
    {
        var (low, high) = (0, _slots.Length - 1);
        while (low <= high)
        {
            var middle = (low + high) / 2;
            switch (_slots[middle].Trunk.CompareTo(trunk))
            {
                case 0:
                    return middle;
                case < 0:
                    low = middle + 1;
                    break;
                default:
                    high = middle - 1;
                    break;
            }
        }

        return ~low;
    }

    public override string ToString() => $"{_stream}: {_slots.Length} changes";

    /// <param name="Trunk">The version on the trunk; new events have none.</param>
    /// <param name="Payload">Null: not read.</param>
    /// <param name="InPlaceOf">The version on the trunk that a new event replaces; 0: none in particular.</param>
    private readonly record struct Entry(int Trunk, object? Payload, int InPlaceOf = 0)
    {
        public bool IsNew => Trunk == 0;
    }

    /// <param name="Trunk">The version on the trunk; 0: before the first.</param>
    /// <param name="Drops">Whether the event falls away.</param>
    /// <param name="Puts">The payloads of those that come in its place, or behind it.</param>
    /// <param name="ShiftBehind">By how much the versions behind it differ from the trunk's.</param>
    private sealed record Slot(int Trunk, bool Drops, object[] Puts, int ShiftBehind);
}
