using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using Orleans.EventSourced.Core.Events;

namespace Orleans.EventSourced.Core.History;

/// <summary>Which event set a field of a state to its present value.</summary>
/// <param name="Path">The field, as a JSON Pointer (RFC 6901) into the state's JSON.</param>
/// <param name="Value">Its value.</param>
/// <param name="Version">The event's version; 0: no event, it is as at the beginning.</param>
public sealed record BlamedField(string Path, JsonElement Value, int Version)
{
    /// <summary>Where the event is in the log.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public long? Position { get; init; }

    /// <summary>The event's id.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public Guid? Event { get; init; }

    /// <summary>The registered name of its type.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Type { get; init; }

    /// <summary>When it was recorded.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public DateTimeOffset? RecordedAt { get; init; }

    /// <summary>On whose behalf it happened.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Actor { get; init; }

    /// <summary>Why, in the caller's words.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Reason { get; init; }
}

/// <summary>Follows a state from event to event and remembers of each field which one changed it last. Not safe for concurrent use.</summary>
internal sealed class Blame
{
    private readonly Dictionary<string, (JsonElement Value, RecordedEvent? By)> _fields = new(StringComparer.Ordinal);
    private JsonElement _state;

    public Blame(JsonElement initial)
    {
        _state = initial;
        foreach (var (path, value) in Leaves("", initial))
        {
            _fields[path] = (value, null);
        }
    }

    /// <summary>The fields in the order of their paths.</summary>
    public IReadOnlyList<BlamedField> Fields => [.. _fields.OrderBy(f => f.Key, StringComparer.Ordinal).Select(f => Shown(f.Key, f.Value.Value, f.Value.By))];

    public void Follow(RecordedEvent recorded, JsonElement after)
    {
        if (JsonElement.DeepEquals(_state, after))
        {
            return;
        }

        var left = _fields.Keys.ToHashSet(StringComparer.Ordinal);
        foreach (var (path, value) in Leaves("", after))
        {
            left.Remove(path);
            if (!_fields.TryGetValue(path, out var known) || !JsonElement.DeepEquals(known.Value, value))
            {
                // A part keeps the whole in memory, which of a state that grows would be each size that it ever had.
                _fields[path] = (JsonElement.Parse(value.GetRawText()), recorded);
            }
        }

        foreach (var gone in left)
        {
            _fields.Remove(gone);
        }

        _state = after;
    }

    /// <summary>Every value that holds no other; an empty object or list is one.</summary>
    private static IEnumerable<(string Path, JsonElement Value)> Leaves(string path, JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Object when value.EnumerateObject().Any() => value.EnumerateObject().SelectMany(p => Leaves($"{path}/{StateDiff.Escape(p.Name)}", p.Value)),
        JsonValueKind.Array when value.GetArrayLength() > 0 => value.EnumerateArray().SelectMany((item, i) => Leaves(string.Create(CultureInfo.InvariantCulture, $"{path}/{i}"), item)),
        _ => [(path, value)],
    };

    private static BlamedField Shown(string path, JsonElement value, RecordedEvent? by)
    {
        if (by is null)
        {
            return new BlamedField(path, value, 0);
        }

        // The field is blamed on the event whatever its envelope says.
        var metadata = EventMetadata.TryParse(by.Metadata);
        return new BlamedField(path, value, by.Version.Value)
        {
            Position = by.Position.Value,
            Event = by.Id.Value,
            Type = by.Type,
            RecordedAt = by.RecordedAt,
            Actor = metadata?.Actor,
            Reason = metadata?.Reason,
        };
    }
}
