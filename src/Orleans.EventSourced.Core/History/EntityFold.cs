using System.Reflection;
using System.Text.Json;
using Orleans.EventSourced.Core.Deciding;

namespace Orleans.EventSourced.Core.History;

/// <summary>
/// How the state of the entities of one type follows from their events, for whoever has a stream's name and no grain: the type is that of the stream, which is the grain's. Pure; safe for concurrent use.
/// </summary>
public abstract class EntityFold
{
    private protected EntityFold(string type, int? foldVersion) => (Type, FoldVersion) = (type, foldVersion);

    /// <summary>The type of the streams, the part of their names before the slash.</summary>
    public string Type { get; }

    /// <summary>The version that the state declares with <see cref="FoldVersionAttribute"/>; null: none, and no snapshots are kept of it.</summary>
    public int? FoldVersion { get; }

    /// <summary>The state before the first event.</summary>
    public abstract object Initial { get; }

    /// <summary>The fold of an immutable state.</summary>
    /// <param name="type">The type of the streams: the grain's <c>[GrainType]</c>.</param>
    /// <param name="json">How states are written into snapshots: the silo's <c>EventSourcingOptions.StateJson</c>.</param>
    /// <typeparam name="TState">The state.</typeparam>
    /// <typeparam name="TEvent">The base type of its events.</typeparam>
    public static EntityFold Of<TState, TEvent>(string type, JsonSerializerOptions json)
        where TState : class, IFold<TState, TEvent>
        where TEvent : class => new OfState<TState, TEvent>(type, json);

    /// <summary>The state after one more event.</summary>
    /// <exception cref="InvalidCastException">The event is none of the entity's.</exception>
    public abstract object Apply(object state, object @event);

    /// <summary>The state as a snapshot would hold it.</summary>
    public abstract byte[] ToJson(object state);

    /// <summary>The state that a snapshot holds.</summary>
    /// <exception cref="JsonException">It holds none.</exception>
    public abstract object FromJson(ReadOnlySpan<byte> state);

    private sealed class OfState<TState, TEvent>(string type, JsonSerializerOptions json) : EntityFold(type, typeof(TState).GetCustomAttribute<FoldVersionAttribute>()?.Version)
        where TState : class, IFold<TState, TEvent>
        where TEvent : class
    {
        public override object Initial => TState.Initial;

        public override object Apply(object state, object @event) => TState.Evolve((TState)state, (TEvent)@event);

        public override byte[] ToJson(object state) => JsonSerializer.SerializeToUtf8Bytes((TState)state, json);

        public override object FromJson(ReadOnlySpan<byte> state) => JsonSerializer.Deserialize<TState>(state, json) ?? throw new JsonException("the state is null.");
    }
}
