using System.Collections.Concurrent;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;
using Microsoft.Extensions.Logging;

namespace Orleans.EventSourced.LogConsistency;

/// <summary>
/// Whether JSON holds a state whole. What its serializer passes over without a word (a setter that is private, a field, a member it ignores, what a derived class adds) would be missing
/// in a state that begins with a snapshot, so a type with such a member is never kept. Decided once for each type, from its fields. Safe for concurrent use.
/// </summary>
/// <param name="json">How states are written and read.</param>
/// <param name="logger">Where a type that is not kept is told, once.</param>
internal sealed partial class SnapshotForm(JsonSerializerOptions json, ILogger logger)
{
    private readonly ConcurrentDictionary<Type, bool> _known = new();

    /// <summary>Whether a snapshot of a state of this type gives that state back.</summary>
    public bool Holds(Type state) => _known.GetOrAdd(state, type =>
    {
        var lost = Lost(type, json);
        if (lost is not null)
        {
            NotKept(logger, type.ToString(), lost);
        }

        return lost is null;
    });

    /// <summary>What JSON would not give back of a state; null: nothing.</summary>
    public static string? Lost(Type state, JsonSerializerOptions json)
    {
        json.MakeReadOnly(populateMissingResolver: true);
        var seen = new HashSet<Type>();
        var open = new Queue<Type>([state]);
        while (open.TryDequeue(out var next))
        {
            var type = Nullable.GetUnderlyingType(next) ?? next;
            if (!seen.Add(type))
            {
                continue;
            }

            try
            {
                if (LostOf(json.GetTypeInfo(type), open) is { } lost)
                {
                    return lost;
                }
            }
            catch (Exception e) when (e is NotSupportedException or InvalidOperationException)
            {
                return $"'{type}', which JSON cannot hold: {e.Message}";
            }
        }

        return null;
    }

    private static string? LostOf(JsonTypeInfo info, Queue<Type> open)
    {
        foreach (var part in (Type?[])[info.ElementType, info.KeyType])
        {
            if (part is not null)
            {
                open.Enqueue(part);
            }
        }

        if (info.PolymorphismOptions is { } options)
        {
            foreach (var derived in options.DerivedTypes)
            {
                open.Enqueue(derived.DerivedType);
            }
        }
        else if (info.Type == typeof(object) || (info.Kind is JsonTypeInfoKind.Object && HasOthers(info.Type)))
        {
            return $"what is derived from '{info.Type}', without [JsonDerivedType]";
        }

        var held = new HashSet<(Type?, string)>();
        foreach (var property in info.Properties.Where(IsReadBack))
        {
            open.Enqueue(property.PropertyType);
            if (property.AttributeProvider is MemberInfo member)
            {
                held.Add((member.DeclaringType, member is FieldInfo ? member.Name : $"<{member.Name}>k__BackingField"));
            }
        }

        // A converter of its own knows what it writes; a property that is only computed has no field.
        return info.Kind is JsonTypeInfoKind.None ? null
            : Fields(info.Type).FirstOrDefault(f => !f.IsDefined(typeof(JsonIgnoreAttribute)) && !held.Contains((f.DeclaringType, f.Name))) is { } field ? $"'{NameOf(field)}' of '{field.DeclaringType}'" : null;
    }

    private static bool IsReadBack(JsonPropertyInfo property) => property.Get is not null && (property.Set is not null || property.AssociatedParameter is not null
        || (property.ObjectCreationHandling ?? property.Options.PreferredObjectCreationHandling) is JsonObjectCreationHandling.Populate);

    /// <summary>Whether an instance may be of another class than JSON makes of it.</summary>
    private static bool HasOthers(Type type) => type.IsInterface || type.IsAbstract
        || (!type.IsSealed && !IsOfTheFramework(type) && type.Assembly.GetTypes().Any(t => t.IsSubclassOf(type)));

    private static IEnumerable<FieldInfo> Fields(Type type)
    {
        for (var declaring = type; declaring is not null && !IsOfTheFramework(declaring); declaring = declaring.BaseType)
        {
            foreach (var field in declaring.GetFields(BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly))
            {
                yield return field;
            }
        }
    }

    /// <summary>The framework's own types are read back as they were, or not at all.</summary>
    private static bool IsOfTheFramework(Type type) => type.Namespace is "System" || type.Namespace?.StartsWith("System.", StringComparison.Ordinal) is true;

    private static string NameOf(FieldInfo field) => field.IsDefined(typeof(CompilerGeneratedAttribute)) ? field.Name.Split('<', '>')[1] : field.Name;

    [LoggerMessage(Level = LogLevel.Warning, Message = "States of {State} are not kept as snapshots: JSON would not give back {Lost}. Make it a public property with a setter or a constructor's parameter, or mark a field that holds nothing of its own [JsonIgnore]; until then each activation folds its stream from the beginning")]
    private static partial void NotKept(ILogger logger, string state, string lost);
}
