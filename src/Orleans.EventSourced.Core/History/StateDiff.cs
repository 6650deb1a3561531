using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Orleans.EventSourced.Core.History;

/// <summary>One operation of a JSON Patch (RFC 6902): <c>add</c>, <c>remove</c> or <c>replace</c>.</summary>
/// <param name="Op">What is done.</param>
/// <param name="Path">Where, as a JSON Pointer (RFC 6901).</param>
/// <param name="Value">The new value; left out of <c>remove</c>.</param>
public sealed record PatchOperation(
    [property: JsonPropertyName("op")] string Op,
    [property: JsonPropertyName("path")] string Path,
    [property: JsonPropertyName("value"), JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] JsonElement? Value);

/// <summary>The difference between two JSON values as a JSON Patch (RFC 6902): applied to the first it gives the second. Members are taken in the order of their names, so that it is always the same.</summary>
public static class StateDiff
{
    /// <summary>What makes <paramref name="before"/> into <paramref name="after"/>; empty where they are the same.</summary>
    public static IReadOnlyList<PatchOperation> Between(JsonElement before, JsonElement after)
    {
        var operations = new List<PatchOperation>();
        Compare("", before, after, operations);
        return operations;
    }

    /// <summary>The name of a member as a part of a JSON Pointer.</summary>
    internal static string Escape(string name) => name.Replace("~", "~0", StringComparison.Ordinal).Replace("/", "~1", StringComparison.Ordinal);

    private static void Compare(string path, JsonElement before, JsonElement after, List<PatchOperation> operations)
    {
        if (JsonElement.DeepEquals(before, after))
        {
            return;
        }

        switch (before.ValueKind, after.ValueKind)
        {
            case (JsonValueKind.Object, JsonValueKind.Object):
                CompareObjects(path, before, after, operations);
                break;
            case (JsonValueKind.Array, JsonValueKind.Array):
                CompareArrays(path, before, after, operations);
                break;
            default:
                operations.Add(new PatchOperation("replace", path, after));
                break;
        }
    }

    private static void CompareObjects(string path, JsonElement before, JsonElement after, List<PatchOperation> operations)
    {
        foreach (var name in before.EnumerateObject().Concat(after.EnumerateObject()).Select(p => p.Name).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal))
        {
            var at = $"{path}/{Escape(name)}";
            switch (before.TryGetProperty(name, out var was), after.TryGetProperty(name, out var now))
            {
                case (true, true):
                    Compare(at, was, now, operations);
                    break;
                case (true, false):
                    operations.Add(new PatchOperation("remove", at, null));
                    break;
                default:
                    operations.Add(new PatchOperation("add", at, now));
                    break;
            }
        }
    }

    /// <summary>What is the same at the beginning and at the end stays; between, items are replaced one by one, and the rest is added or removed.</summary>
    private static void CompareArrays(string path, JsonElement before, JsonElement after, List<PatchOperation> operations)
    {
        var (was, now) = (before.EnumerateArray().ToArray(), after.EnumerateArray().ToArray());
        var shorter = Math.Min(was.Length, now.Length);
        var start = 0;
        while (start < shorter && JsonElement.DeepEquals(was[start], now[start]))
        {
            start++;
        }

        var end = 0;
        while (end < shorter - start && JsonElement.DeepEquals(was[^(end + 1)], now[^(end + 1)]))
        {
            end++;
        }

        var both = shorter - end;
        for (var i = start; i < both; i++)
        {
            Compare(At(i), was[i], now[i], operations);
        }

        for (var i = both; i < now.Length - end; i++)
        {
            operations.Add(new PatchOperation("add", At(i), now[i]));
        }

        for (var i = was.Length - end - 1; i >= both; i--)
        {
            operations.Add(new PatchOperation("remove", At(i), null));
        }

        string At(int index) => string.Create(CultureInfo.InvariantCulture, $"{path}/{index}");
    }
}
