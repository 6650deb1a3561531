using System.Reflection;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using Orleans.EventSourced.Core.Events;

namespace Orleans.EventSourced.Testing.Scenarios;

/// <summary>A value as scenarios compare and show it: its name and its JSON. Two are equal when both are; numbers by value, members in whatever order.</summary>
/// <param name="Name">The registered name of an event's class, the name of any other.</param>
/// <param name="Json">What it holds.</param>
internal sealed record ShownEvent(string Name, JsonElement Json)
{
    private const int MaxText = 2_000;
    private static readonly JsonSerializerOptions Web = new(JsonSerializerDefaults.Web)
    {
        Converters = { new JsonStringEnumConverter() },
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        ReferenceHandler = ReferenceHandler.IgnoreCycles,
    };

    public static ShownEvent Of(object value)
    {
        ArgumentNullException.ThrowIfNull(value);
        var type = value.GetType();
        return new ShownEvent(type.GetCustomAttribute<EventTypeAttribute>()?.Name ?? type.Name, JsonOf(value, type));
    }

    /// <summary>An event as the codec of a silo writes it into the log.</summary>
    public static ShownEvent Of(NewEvent written) => new(written.Type, JsonSerializer.Deserialize<JsonElement>(written.Data.Span));

    public bool IsSame(ShownEvent other) => Name == other.Name && JsonElement.DeepEquals(Json, other.Json);

    public override string ToString() => $"{Name} {Shown(Json)}";

    /// <summary>The first place where two differ; null: nowhere.</summary>
    public static string? Difference(string path, JsonElement expected, JsonElement actual)
    {
        if (JsonElement.DeepEquals(expected, actual))
        {
            return null;
        }

        switch (expected.ValueKind, actual.ValueKind)
        {
            case (JsonValueKind.Object, JsonValueKind.Object):
                foreach (var member in expected.EnumerateObject())
                {
                    if (!actual.TryGetProperty(member.Name, out var other))
                    {
                        return $"{path}.{member.Name} is missing; expected is {Shown(member.Value)}";
                    }

                    if (Difference($"{path}.{member.Name}", member.Value, other) is { } difference)
                    {
                        return difference;
                    }
                }

                var more = actual.EnumerateObject().First(m => !expected.TryGetProperty(m.Name, out _));
                return $"{path}.{more.Name} is {Shown(more.Value)}; expected is no such member";
            case (JsonValueKind.Array, JsonValueKind.Array) when expected.GetArrayLength() == actual.GetArrayLength():
                return expected.EnumerateArray().Zip(actual.EnumerateArray()).Select((pair, i) => Difference($"{path}[{i}]", pair.First, pair.Second)).First(d => d is not null);
            case (JsonValueKind.Array, JsonValueKind.Array):
                return $"{path} has {actual.GetArrayLength()} elements; expected are {expected.GetArrayLength()}";
            default:
                return $"{path} is {Shown(actual)}; expected is {Shown(expected)}";
        }
    }

    private static JsonElement JsonOf(object value, Type type)
    {
        try
        {
            return JsonSerializer.SerializeToElement(value, type, Web);
        }
        catch (Exception e) when (e is NotSupportedException or JsonException or InvalidOperationException)
        {
            // What is no JSON is compared by what it says of itself, which for a record is what it holds.
            return JsonSerializer.SerializeToElement(value.ToString(), Web);
        }
    }

    private static string Shown(JsonElement json)
    {
        var text = JsonSerializer.Serialize(json, Web);
        return text.Length <= MaxText ? text : string.Concat(text.AsSpan(0, MaxText), "…");
    }
}
