using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Orleans.EventSourced.Core;
using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.Projections;
using Orleans.EventSourced.Mutations;

namespace Orleans.EventSourced.Tracing;

/// <summary>
/// View <c>es_trace</c>: one row an event, of whatever type, by the event's id: which workflow it belongs to and what caused it. It comes from the envelope; of payloads only those of sessions are looked at,
/// because a mutation that was refused stands nowhere else.
/// </summary>
[View("es_trace"), GenerateSerializer, Immutable, Alias("Orleans.EventSourced.TraceRow")]
public sealed record TraceRow : IView<TraceRow, RecordedEvent>
{
    /// <summary>The workflow, as <see cref="NameOf"/> writes it: that of the envelope; where it names none, the command, and without an envelope the event itself.</summary>
    [Id(0), Indexed]
    public string Correlation { get; init; } = "";

    /// <summary>The event or command that caused the command, as <see cref="NameOf"/> writes it; null: a workflow begins here.</summary>
    [Id(1), Indexed]
    public string? Causation { get; init; }

    /// <summary>The command that made the event; null: the event has no envelope that can be read.</summary>
    [Id(2)]
    public Guid? Command { get; init; }

    /// <summary>The event's stream.</summary>
    [Id(3)]
    public string Stream { get; init; } = "";

    /// <summary>Its place in the stream.</summary>
    [Id(4)]
    public int Version { get; init; }

    /// <summary>The registered name of its type.</summary>
    [Id(5)]
    public string Type { get; init; } = "";

    /// <summary>On whose behalf it happened; a reaction is <c>reaction:NAME</c>, a deadline <c>deadline:NAME</c>.</summary>
    [Id(6)]
    public string? Actor { get; init; }

    /// <summary>Why, in the caller's words.</summary>
    [Id(7)]
    public string? Reason { get; init; }

    /// <summary>The kind of source.</summary>
    [Id(8)]
    public string? Origin { get; init; }

    /// <summary>When it was recorded.</summary>
    [Id(9)]
    public DateTimeOffset RecordedAt { get; init; }

    /// <summary>Of an event of a session: the mutation that it tells of.</summary>
    [Id(10)]
    public Guid? Mutation { get; init; }

    /// <summary>Of a mutation that is asked for, the registered name of the command; of one that was refused, the code.</summary>
    [Id(11)]
    public string? Code { get; init; }

    /// <summary>Of a mutation that is asked for, the key of the entity; of one that was refused, or whose fate is unknown, the reason.</summary>
    [Id(12)]
    public string? Detail { get; init; }

    /// <inheritdoc/>
    public static string? KeyOf(ViewEvent<RecordedEvent> e) => e.Recorded.Id.ToString();

    /// <inheritdoc/>
    public static TraceRow? Apply(TraceRow? row, string key, ViewEvent<RecordedEvent> e) => Of(e.Recorded);

    /// <summary>
    /// The written form of an id of a workflow or a cause, by which rows are found: a UUID in its plain lower-case form, other text as it is, and what no index takes (more than
    /// <see cref="ViewColumn.MaxIndexedTextBytes"/>, or characters that stores do not keep) as its hash.
    /// </summary>
    public static string NameOf(string id)
    {
        ArgumentNullException.ThrowIfNull(id);
        return Guid.TryParseExact(id, "D", out var uuid) ? uuid.ToString("D")
            : Encoding.UTF8.GetByteCount(id) <= ViewColumn.MaxIndexedTextBytes && IsStorable(id) ? id
            : "sha256:" + Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(id)));
    }

    /// <summary>The row of an event.</summary>
    internal static TraceRow Of(RecordedEvent recorded)
    {
        var envelope = EventMetadata.TryParse(recorded.Metadata);
        var (mutation, code, detail) = recorded.Stream.Type == SessionGrain.Type ? MutationOf(recorded) : (null, null, null);
        return new TraceRow
        {
            Correlation = NameOf(Given(envelope?.Correlation) ?? envelope?.Command.ToString() ?? recorded.Id.ToString()),
            Causation = Given(envelope?.Causation) is { } cause ? NameOf(cause) : null,
            Command = envelope?.Command.Value,
            Stream = recorded.Stream.Value,
            Version = recorded.Version.Value,
            Type = recorded.Type,
            Actor = Stored(envelope?.Actor),
            Reason = Stored(envelope?.Reason),
            Origin = Stored(envelope?.Origin),
            RecordedAt = recorded.RecordedAt,
            Mutation = mutation,
            Code = Stored(code),
            Detail = Stored(detail),
        };
    }

    /// <summary>What an event of a session says; it is read as it is, because a program that keeps the view may be older than the one that wrote it.</summary>
    private static (Guid? Mutation, string? Code, string? Detail) MutationOf(RecordedEvent recorded)
    {
        try
        {
            using var document = JsonDocument.Parse(recorded.Data);
            var root = document.RootElement;
            var (code, detail) = recorded.Type == SessionEventTypes.Requested ? ("command", "target") : ("code", "reason");
            return root.ValueKind == JsonValueKind.Object && Guid.TryParse(Text(root, "mutation"), out var mutation) ? (mutation, Text(root, code), Text(root, detail)) : (null, null, null);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            return (null, null, null);
        }
    }

    private static string? Text(JsonElement root, string name) => root.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    private static string? Given(string? text) => text is { Length: > 0 } ? text : null;

    private static string? Stored(string? text) => text is null || IsStorable(text) ? text : StorableText.Of(text, text.Length);

    private static bool IsStorable(string text) =>
        (!text.Contains('\0', StringComparison.Ordinal) && text.AsSpan().IndexOfAnyInRange('\uD800', '\uDFFF') < 0) || StorableText.Of(text, text.Length) == text;
}
