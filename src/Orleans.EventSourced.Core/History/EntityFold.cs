using System.Reflection;
using System.Text.Json;
using Orleans.EventSourced.Core.Deciding;
using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.Log;

namespace Orleans.EventSourced.Core.History;

/// <summary>How the state of one type of entity follows from its events, for those who do not know the classes. Immutable.</summary>
public abstract class EntityFold
{
    private protected EntityFold(string type, Type state, Type events, JsonSerializerOptions json) =>
        (Type, State, Events, Json, FoldVersion) = (type, state, events, json, state.GetCustomAttribute<FoldVersionAttribute>()?.Version);

    /// <summary>The type of the streams: <see cref="StreamId.Type"/>.</summary>
    public string Type { get; }

    /// <summary>The class of states.</summary>
    public Type State { get; }

    /// <summary>The base type of the events.</summary>
    public Type Events { get; }

    /// <summary>How states are written and read.</summary>
    public JsonSerializerOptions Json { get; }

    /// <summary>The declared version of the fold, by which snapshots are kept; null: none are.</summary>
    public int? FoldVersion { get; }

    /// <summary>The state before the first event.</summary>
    public abstract object Initial { get; }

    /// <summary>The fold of a type of streams.</summary>
    /// <param name="type">The type of the streams.</param>
    /// <param name="json">How states are written and read; null: <see cref="JsonSerializerOptions.Web"/>.</param>
    public static EntityFold Of<TState, TEvent>(string type, JsonSerializerOptions? json = null)
        where TState : class, IFold<TState, TEvent>
        where TEvent : class => new Typed<TState, TEvent>(type, json ?? JsonSerializerOptions.Web, static (state, e) => TState.Evolve(state, e));

    /// <summary>Another fold of the same states and events, under other rules.</summary>
    public static EntityFold ByRules<TState, TEvent>(string type, Func<TState, TEvent, TState> evolve, JsonSerializerOptions? json = null)
        where TState : class, IFold<TState, TEvent>
        where TEvent : class => new Typed<TState, TEvent>(type, json ?? JsonSerializerOptions.Web, evolve ?? throw new ArgumentNullException(nameof(evolve)));

    /// <summary>The state as JSON.</summary>
    public JsonElement Show(object state) => JsonSerializer.SerializeToElement(state, State, Json);

    /// <summary>The state as a snapshot holds it.</summary>
    public byte[] ToJson(object state) => JsonSerializer.SerializeToUtf8Bytes(state, State, Json);

    /// <summary>The state that a snapshot holds.</summary>
    /// <exception cref="JsonException">It holds none.</exception>
    public object FromJson(ReadOnlySpan<byte> state) => JsonSerializer.Deserialize(state, State, Json) ?? throw new JsonException("the state is null.");

    /// <summary>The state after one more event of the log.</summary>
    /// <exception cref="HistoryException">The fold, or the codec, refuses the event.</exception>
    public object Evolve(object state, RecordedEvent recorded, JsonEventCodec codec)
    {
        ArgumentNullException.ThrowIfNull(recorded);
        ArgumentNullException.ThrowIfNull(codec);
        try
        {
            return Evolve(state, codec.Decode(recorded));
        }
        catch (Exception e) when (e is not UnknownEventTypeException)
        {
            throw new HistoryException(HistoryFault.FoldRefuses, $"The fold of '{Type}' fails at version {recorded.Version} of '{recorded.Stream}', event type '{recorded.Type}', position {recorded.Position}: {e.Message}", e);
        }
    }

    /// <summary>The state after one more event. It throws what the fold throws.</summary>
    public abstract object Evolve(object state, object @event);

    private sealed class Typed<TState, TEvent>(string type, JsonSerializerOptions json, Func<TState, TEvent, TState> evolve) : EntityFold(type, typeof(TState), typeof(TEvent), json)
        where TState : class, IFold<TState, TEvent>
        where TEvent : class
    {
        public override object Initial => TState.Initial;

        public override object Evolve(object state, object @event) => evolve((TState)state, (TEvent)@event);
    }
}
