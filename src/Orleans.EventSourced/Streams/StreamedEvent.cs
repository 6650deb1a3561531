using Microsoft.Extensions.DependencyInjection;
using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.Log;

namespace Orleans.EventSourced.Streams;

/// <summary>
/// An event of the log as it comes out of a stream: what was recorded, and the event itself as this program knows it. Immutable; safe for concurrent use.
/// </summary>
/// <remarks>
/// It travels as the JSON of the log and is read where it is used. So a program that does not know the type loses nothing and stands still at nothing: <see cref="Event"/> is null and
/// <see cref="Recorded"/> has the JSON. A consumer that may not pass over such an event calls <see cref="Require"/>, whose exception makes the stream deliver it again until a program that knows it
/// takes it.
/// </remarks>
public sealed class StreamedEvent
{
    private readonly Lazy<(object? Event, LogCorruptException? Fault)> _read;
    private readonly Lazy<EventMetadata> _metadata;

    internal StreamedEvent(RecordedEvent recorded, Func<RecordedEvent, object> decode)
    {
        Recorded = recorded;
        _read = new Lazy<(object?, LogCorruptException?)>(() => Read(recorded, decode), LazyThreadSafetyMode.PublicationOnly);
        _metadata = new Lazy<EventMetadata>(() => EventMetadata.Parse(recorded.Metadata), LazyThreadSafetyMode.PublicationOnly);
    }

    /// <summary>The event as the log holds it: stream, version, position, id, type, schema, time, and payload and metadata as JSON.</summary>
    public RecordedEvent Recorded { get; }

    /// <summary>Its place in the log; grows from item to item of a stream.</summary>
    public LogPosition Position => Recorded.Position;

    /// <summary>The entity it happened to.</summary>
    public StreamId Stream => Recorded.Stream;

    /// <summary>Who, why and because of what.</summary>
    /// <exception cref="System.Text.Json.JsonException">Something else than this project wrote the event.</exception>
    public EventMetadata Metadata => _metadata.Value;

    /// <summary>The event as an object of its registered class, brought up to the current version, and shared with others: do not change it. Null: this program cannot read it, <see cref="Fault"/> says why.</summary>
    public object? Event => _read.Value.Event;

    /// <summary>Why <see cref="Event"/> is null: an <see cref="UnknownEventTypeException"/> where the type or version is not known here. Null: it is not.</summary>
    public LogCorruptException? Fault => _read.Value.Fault;

    /// <summary>The event, for a consumer that would rather wait than pass over one that it cannot read.</summary>
    /// <exception cref="UnknownEventTypeException">This program does not know its type or version.</exception>
    /// <exception cref="LogCorruptException">The payload does not fit its class, or an upcaster failed.</exception>
    public object Require() => _read.Value is { Event: { } known } ? known
        : Fault is UnknownEventTypeException ? throw new UnknownEventTypeException("this program does not know the type or version.", Recorded.Stream, Recorded.Version, Recorded.Position, Recorded.Type)
        : throw new LogCorruptException("the payload cannot be read.", Recorded.Stream, Recorded.Version, Recorded.Position, Recorded.Type, Fault);

    /// <inheritdoc/>
    public override string ToString() => $"{Recorded.Type} at {Position}, {Stream} {Recorded.Version}";

    private static (object? Event, LogCorruptException? Fault) Read(RecordedEvent recorded, Func<RecordedEvent, object> decode)
    {
        try
        {
            return (decode(recorded), null);
        }
        catch (LogCorruptException e)
        {
            return (null, e);
        }
    }
}

/// <summary>An event on its way between processes: its JSON, so that each program reads it by its own classes.</summary>
[GenerateSerializer, Alias("Orleans.EventSourced.StreamedEvent")]
internal struct StreamedEventSurrogate
{
    [Id(0)]
    public long Position;

    [Id(1)]
    public string Stream;

    [Id(2)]
    public int Version;

    [Id(3)]
    public Guid Id;

    [Id(4)]
    public string Type;

    [Id(5)]
    public short Schema;

    [Id(6)]
    public ReadOnlyMemory<byte> Data;

    [Id(7)]
    public ReadOnlyMemory<byte> Metadata;

    [Id(8)]
    public DateTimeOffset RecordedAt;
}

/// <summary>A process without event types, as a plain client may be, reads the JSON alone.</summary>
[RegisterConverter]
internal sealed class StreamedEventConverter(IServiceProvider services) : IConverter<StreamedEvent, StreamedEventSurrogate>
{
    private Func<RecordedEvent, object>? _decode;

    public StreamedEvent ConvertFromSurrogate(in StreamedEventSurrogate surrogate) => new(
        new RecordedEvent(
            new LogPosition(surrogate.Position),
            StreamId.Recorded(surrogate.Stream),
            new StreamVersion(surrogate.Version),
            new EventId(surrogate.Id),
            surrogate.Type,
            surrogate.Schema,
            surrogate.Data,
            surrogate.Metadata,
            surrogate.RecordedAt),
        _decode ??= services.GetService<JsonEventCodec>() is { } codec ? codec.Decode : None);

    public StreamedEventSurrogate ConvertToSurrogate(in StreamedEvent value) => new()
    {
        Position = value.Position.Value,
        Stream = value.Stream.Value,
        Version = value.Recorded.Version.Value,
        Id = value.Recorded.Id.Value,
        Type = value.Recorded.Type,
        Schema = value.Recorded.Schema,
        Data = value.Recorded.Data,
        Metadata = value.Recorded.Metadata,
        RecordedAt = value.Recorded.RecordedAt,
    };

    private static object None(RecordedEvent recorded) =>
        throw new UnknownEventTypeException("this program has no event types.", recorded.Stream, recorded.Version, recorded.Position, recorded.Type);
}
