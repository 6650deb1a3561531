using System.Buffers;
using System.Text.Json;

namespace Orleans.EventSourced.Core.Events;

/// <summary>
/// Who, why and because of what: the envelope of an event, stored as a JSON object beside the payload. The subject is the stream's
/// name and the time is the commit's, so neither stands here.
/// </summary>
/// <param name="Command">The command that made the event.</param>
/// <param name="Correlation">The id of the whole workflow; every event that follows from its first command carries it.</param>
/// <param name="Causation">The event or command that caused the command; null where a person or an outside system began.</param>
/// <param name="Actor">The authenticated principal on whose behalf it happened; null when there was none. Never taken from a header.</param>
/// <param name="Reason">Why, in the caller's words.</param>
/// <param name="Origin">The kind of source, for example <c>import</c>.</param>
/// <param name="TraceParent">The W3C trace context of the call.</param>
/// <param name="RequestHash">A digest of the command's content; the same command id with another content is refused.</param>
public sealed record EventMetadata(
    CommandId Command,
    string? Correlation = null,
    string? Causation = null,
    string? Actor = null,
    string? Reason = null,
    string? Origin = null,
    string? TraceParent = null,
    string? RequestHash = null)
{
    /// <summary>The most bytes of JSON that an envelope may have.</summary>
    public const int MaxBytes = 16 * 1024;

    /// <summary>The name of the member that holds <see cref="RequestHash"/>; the stores' append reads it.</summary>
    public const string RequestHashName = "request";

    private static readonly JsonWriterOptions Compact = new() { SkipValidation = true };

    [ThreadStatic]
    private static ArrayBufferWriter<byte>? _buffer;

    [ThreadStatic]
    private static Utf8JsonWriter? _writer;

    /// <summary>The envelope as JSON in UTF-8; members without a value are left out.</summary>
    public byte[] ToJson()
    {
        // One of each a thread: a writer and a buffer for each event would be more than the envelope itself.
        var buffer = _buffer ??= new ArrayBufferWriter<byte>(256);
        var writer = _writer ??= new Utf8JsonWriter(buffer, Compact);
        buffer.ResetWrittenCount();
        writer.Reset(buffer);
        writer.WriteStartObject();
        writer.WriteString("command", Command.Value);
        Write(writer, "correlation", Correlation);
        Write(writer, "causation", Causation);
        Write(writer, "actor", Actor);
        Write(writer, "reason", Reason);
        Write(writer, "origin", Origin);
        Write(writer, "traceparent", TraceParent);
        Write(writer, RequestHashName, RequestHash);
        writer.WriteEndObject();
        writer.Flush();
        var json = buffer.WrittenSpan.ToArray();
        if (buffer.Capacity > MaxBytes)
        {
            // What a rare long text needed is not kept.
            (_buffer, _writer) = (null, null);
        }

        return json;
    }

    /// <summary>Reads what <see cref="ToJson"/> wrote; unknown members are passed over, so that older code reads newer envelopes.</summary>
    /// <exception cref="JsonException">Not a JSON object, without a valid <c>command</c>, or with a text that is no Unicode.</exception>
    public static EventMetadata Parse(ReadOnlyMemory<byte> json)
    {
        using var document = JsonDocument.Parse(json);
        try
        {
            return Read(document.RootElement);
        }
        catch (InvalidOperationException e)
        {
            throw new JsonException("Event metadata holds a text with half a character.", e);
        }
    }

    /// <summary>The same; null: it is no envelope, because something else than this project wrote the event.</summary>
    public static EventMetadata? TryParse(ReadOnlyMemory<byte> json)
    {
        try
        {
            return Parse(json);
        }
        catch (JsonException)
        {
            return null;
        }
    }

    /// <summary>Only the request's digest, for stores that compare it.</summary>
    /// <exception cref="JsonException">Not a JSON object.</exception>
    public static string? RequestHashOf(ReadOnlyMemory<byte> json)
    {
        using var document = JsonDocument.Parse(json);
        return Text(document.RootElement, RequestHashName);
    }

    private static EventMetadata Read(JsonElement root) =>
        root.ValueKind == JsonValueKind.Object && root.TryGetProperty("command", out var command) && command.ValueKind == JsonValueKind.String && command.TryGetGuid(out var id) && id != Guid.Empty
            ? new EventMetadata(
                new CommandId(id),
                Text(root, "correlation"),
                Text(root, "causation"),
                Text(root, "actor"),
                Text(root, "reason"),
                Text(root, "origin"),
                Text(root, "traceparent"),
                Text(root, RequestHashName))
            : throw new JsonException("Event metadata is a JSON object with the member 'command', a UUID.");

    private static string? Text(JsonElement root, string name) =>
        root.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    private static void Write(Utf8JsonWriter writer, string name, string? value)
    {
        if (value is not null)
        {
            writer.WriteString(name, value);
        }
    }
}
