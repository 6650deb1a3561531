using System.Collections.Frozen;
using System.Diagnostics.CodeAnalysis;
using System.Reflection;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization.Metadata;
using Orleans.EventSourced.Core.Log;

namespace Orleans.EventSourced.Core.Events;

/// <summary>
/// The registered event types: name and version to class, and the upcasters from older versions. Only what stands here is ever made from the
/// log; a name in the log is never taken for a CLR type. Immutable once built.
/// </summary>
public sealed class EventTypeMap
{
    private readonly FrozenDictionary<string, Entry> _byName;
    private readonly FrozenDictionary<Type, Entry> _byType;

    private EventTypeMap(IReadOnlyCollection<Entry> entries)
    {
        _byName = entries.ToFrozenDictionary(e => e.Name, StringComparer.Ordinal);
        _byType = entries.ToFrozenDictionary(e => e.Type);
    }

    /// <summary>The registered names with the current version of each.</summary>
    public IReadOnlyDictionary<string, short> Names => _byName.ToDictionary(e => e.Key, e => e.Value.Version, StringComparer.Ordinal);

    /// <summary>The registered name of an event's class.</summary>
    /// <exception cref="ArgumentException">The class is not registered.</exception>
    public string NameOf(object @event)
    {
        ArgumentNullException.ThrowIfNull(@event);
        return _byType.TryGetValue(@event.GetType(), out var entry) ? entry.Name : throw new ArgumentException($"'{@event.GetType()}' is not a registered event type.", nameof(@event));
    }

    internal bool TryFind(string name, [NotNullWhen(true)] out Entry? entry) => _byName.TryGetValue(name, out entry);

    internal bool TryFind(Type type, [NotNullWhen(true)] out Entry? entry) => _byType.TryGetValue(type, out entry);

    internal sealed record Entry(string Name, short Version, Type Type, JsonTypeInfo Json, IReadOnlyDictionary<short, Func<JsonObject, JsonObject>> Upcasters);

    /// <summary>Collects event types; not safe for concurrent use.</summary>
    public sealed class Builder
    {
        private readonly Dictionary<Type, JsonSerializerOptions> _types = [];
        private readonly Dictionary<(string Name, short From), Func<JsonObject, JsonObject>> _upcasters = [];

        /// <summary>Registers a class of events that carries <see cref="EventTypeAttribute"/>.</summary>
        /// <param name="type">A concrete class.</param>
        /// <param name="json">How its payload is written and read; a source-generated context's options are the fastest.</param>
        /// <exception cref="ArgumentException">The class carries no <see cref="EventTypeAttribute"/> or is abstract.</exception>
        public Builder Add(Type type, JsonSerializerOptions json)
        {
            ArgumentNullException.ThrowIfNull(type);
            ArgumentNullException.ThrowIfNull(json);
            if (type.IsAbstract || type.GetCustomAttribute<EventTypeAttribute>() is null)
            {
                throw new ArgumentException($"'{type}' is not a concrete class with [EventType(\"name\")].", nameof(type));
            }

            _types[type] = json;
            return this;
        }

        /// <summary>Registers every class with <see cref="EventTypeAttribute"/> that is nested in <typeparamref name="TEvent"/> or derives from it, in its assembly.</summary>
        public Builder AddFamily<TEvent>(JsonSerializerOptions json)
        {
            foreach (var type in typeof(TEvent).Assembly.GetTypes().Where(t => t.IsAssignableTo(typeof(TEvent)) && !t.IsAbstract))
            {
                Add(type, json);
            }

            return this;
        }

        /// <summary>Says how a payload of version <paramref name="from"/> becomes one of version <paramref name="from"/> + 1. It works on the JSON tree, at every read; the log keeps what was written.</summary>
        /// <param name="name">The registered name.</param>
        /// <param name="from">The older version, from 1.</param>
        /// <param name="upcast">A pure function; it may change the object it is given.</param>
        public Builder Upcast(string name, short from, Func<JsonObject, JsonObject> upcast)
        {
            ArgumentException.ThrowIfNullOrEmpty(name);
            ArgumentNullException.ThrowIfNull(upcast);
            _upcasters[(name, from)] = upcast;
            return this;
        }

        /// <summary>Checks that names have 1 to 128 characters and are unique, that versions begin with 1, and that each older one has its upcaster.</summary>
        /// <exception cref="InvalidOperationException">They are not; the message names each fault.</exception>
        public EventTypeMap Build()
        {
            var entries = _types.Select(t => Entry(t.Key, t.Value)).ToList();
            var faults = entries.GroupBy(e => e.Name, StringComparer.Ordinal).Where(g => g.Count() > 1)
                .Select(g => $"the name '{g.Key}' is used by {string.Join(" and ", g.Select(e => e.Type.FullName))}")
                .Concat(entries.Where(e => e.Name is not { Length: >= 1 and <= AppendRequest.MaxTypeLength }).Select(e => $"{e.Type.FullName} has a name of {e.Name?.Length ?? 0} characters; allowed are 1 to {AppendRequest.MaxTypeLength}"))
                .Concat(entries.Where(e => e.Version < 1).Select(e => $"'{e.Name}' has the version {e.Version}; the first is 1"))
                .Concat(entries.SelectMany(e => Enumerable.Range(1, Math.Max(0, e.Version - 1)).Where(v => !e.Upcasters.ContainsKey((short)v)).Select(v => $"'{e.Name}' has no upcaster from version {v} to {v + 1}")))
                .Concat(_upcasters.Keys.Where(u => !entries.Any(e => e.Name == u.Name && u.From < e.Version)).Select(u => $"the upcaster of '{u.Name}' from version {u.From} belongs to no registered type"))
                .ToList();
            return faults.Count == 0 ? new EventTypeMap(entries) : throw new InvalidOperationException("Event types: " + string.Join("; ", faults) + ".");
        }

        private Entry Entry(Type type, JsonSerializerOptions json)
        {
            var attribute = type.GetCustomAttribute<EventTypeAttribute>()!;
            var upcasters = _upcasters.Where(u => u.Key.Name == attribute.Name).ToDictionary(u => u.Key.From, u => u.Value);
            return new Entry(attribute.Name, attribute.Version, type, json.GetTypeInfo(type), upcasters);
        }
    }
}
