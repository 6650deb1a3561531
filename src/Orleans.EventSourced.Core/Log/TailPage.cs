using Orleans.EventSourced.Core.Events;

namespace Orleans.EventSourced.Core.Log;

/// <summary>Some events in log order, ending at the end of a commit; shared by all who follow the log in one process. Safe for concurrent use.</summary>
public sealed class TailPage
{
    private readonly JsonEventCodec _codec;
    private readonly object?[] _decoded;

    internal TailPage(LogPosition after, IReadOnlyList<RecordedEvent> events, JsonEventCodec codec)
    {
        (After, Events, _codec, _decoded) = (after, events, codec, new object?[events.Count]);
        for (var i = 0; i < events.Count; i++)
        {
            if (events[i].Position != after + (i + 1))
            {
                throw new LogCorruptException($"position {after + (i + 1)} was expected here: an event is missing.", events[i].Stream, events[i].Version, events[i].Position, events[i].Type);
            }
        }
    }

    /// <summary>The position before its first event.</summary>
    public LogPosition After { get; }

    /// <summary>The events, without gap; none at the head of the log.</summary>
    public IReadOnlyList<RecordedEvent> Events { get; }

    /// <summary>The position of its last event.</summary>
    public LogPosition Last => After + Events.Count;

    /// <summary>The event as an object of its registered class, brought up to the current version; read once for all who ask.</summary>
    /// <exception cref="UnknownEventTypeException">This program does not know its type or version.</exception>
    /// <exception cref="LogCorruptException">The payload does not fit the class, or an upcaster failed.</exception>
    public object Decode(int index) => _decoded[index] ??= _codec.Decode(Events[index]);

    /// <summary>The same for a reader of a family: who reads recorded events gets them as they are, whether this program knows them or not.</summary>
    internal object Decode(int index, Type family) => IsUndecoded(family) ? Events[index] : Decode(index);

    /// <summary>Whether a family is that of all events, as the log holds them: their payload is not read.</summary>
    internal static bool IsUndecoded(Type family) => family == typeof(RecordedEvent);

    /// <summary>Whether the event is, or may be, one of this family: what this program does not know may be.</summary>
    internal bool MayBe(int index, Type family) => MayBe(_codec, Events[index], family);

    internal static bool MayBe(JsonEventCodec codec, RecordedEvent recorded, Type family) =>
        IsUndecoded(family) || !codec.Types.TryFind(recorded.Type, out var entry) || entry.Type.IsAssignableTo(family);
}
