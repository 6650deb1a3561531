using System.Text.Json;
using System.Text.Json.Nodes;
using Orleans.EventSourced.Core.Log;

namespace Orleans.EventSourced.Core.Events;

/// <summary>Turns events into JSON and back, by the registered types alone. Safe for concurrent use.</summary>
/// <param name="types">The registered types.</param>
public sealed class JsonEventCodec(EventTypeMap types)
{
    /// <summary>The registered types.</summary>
    public EventTypeMap Types { get; } = types;

    /// <summary>The event as it will be stored.</summary>
    /// <param name="id">Its identity.</param>
    /// <param name="event">The event.</param>
    /// <param name="metadata">The envelope, as JSON; the events of one command share it.</param>
    /// <exception cref="ArgumentException">The class of the event is not registered.</exception>
    public NewEvent Encode(EventId id, object @event, ReadOnlyMemory<byte> metadata)
    {
        ArgumentNullException.ThrowIfNull(@event);
        if (!Types.TryFind(@event.GetType(), out var entry))
        {
            throw new ArgumentException($"'{@event.GetType()}' is not a registered event type; add it where event sourcing is configured.", nameof(@event));
        }

        return new NewEvent(id, entry.Name, entry.Version, JsonSerializer.SerializeToUtf8Bytes(@event, entry.Json), metadata);
    }

    /// <summary>The event as an object of its registered class, brought up to the current version.</summary>
    /// <exception cref="UnknownEventTypeException">The name is not registered, or its version is newer than this code's.</exception>
    /// <exception cref="LogCorruptException">The JSON does not fit the class, or an upcaster failed.</exception>
    public object Decode(RecordedEvent recorded)
    {
        ArgumentNullException.ThrowIfNull(recorded);
        if (!Types.TryFind(recorded.Type, out var entry))
        {
            throw new UnknownEventTypeException("the type is not registered in this program.", recorded.Stream, recorded.Version, recorded.Position, recorded.Type);
        }

        if (recorded.Schema > entry.Version)
        {
            throw new UnknownEventTypeException($"it was written with schema version {recorded.Schema}; this program knows it up to {entry.Version}.", recorded.Stream, recorded.Version, recorded.Position, recorded.Type);
        }

        try
        {
            var decoded = recorded.Schema == entry.Version
                ? JsonSerializer.Deserialize(recorded.Data.Span, entry.Json)
                : Upcast(recorded, entry).Deserialize(entry.Json);
            return decoded ?? throw new JsonException("the payload is null.");
        }
        catch (Exception e) when (e is not LogException)
        {
            throw new LogCorruptException($"the payload cannot be read: {e.Message}", recorded.Stream, recorded.Version, recorded.Position, recorded.Type, e);
        }
    }

    private static JsonObject Upcast(RecordedEvent recorded, EventTypeMap.Entry entry)
    {
        var read = entry.Json.Options;
        var options = new JsonDocumentOptions { MaxDepth = read.MaxDepth, AllowTrailingCommas = read.AllowTrailingCommas, CommentHandling = read.ReadCommentHandling };
        var json = JsonNode.Parse(recorded.Data.Span, documentOptions: options) as JsonObject ?? throw new JsonException("an upcaster needs a JSON object.");
        for (var version = recorded.Schema; version < entry.Version; version++)
        {
            json = entry.Upcasters[version](json);
        }

        return json;
    }
}
