using BenchmarkDotNet.Attributes;
using Fines;
using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.Log;
using EventId = Orleans.EventSourced.Core.Events.EventId;
using StreamId = Orleans.EventSourced.Core.Log.StreamId;

namespace Orleans.EventSourced.Benchmarks.Micro;

/// <summary>An event of the example between object and JSON.</summary>
public class CodecBenchmarks
{
    private static readonly JsonEventCodec Codec = new(FineEventTypes.Map);
    private static readonly StreamId Stream = new("fine", "A1");
    private static readonly CommandId Command = CommandId.New(TimeProvider.System);
    private static readonly FineEvent Event = new PaymentReceived(DateTimeOffset.UnixEpoch, 35.00m);
    private static readonly EventMetadata Metadata = new(Command, Correlation: Command.ToString(), Origin: "benchmark");
    private static readonly NewEvent Encoded = Codec.Encode(EventId.Derive(Command, Stream, 0), Event, Metadata.ToJson());
    private static readonly RecordedEvent Recorded = new(new LogPosition(1), Stream, new StreamVersion(1), Encoded.Id, Encoded.Type, Encoded.Schema, Encoded.Data, Encoded.Metadata, DateTimeOffset.UnixEpoch);

    [Benchmark]
    public object DeriveId() => EventId.Derive(Command, Stream, 0);

    [Benchmark]
    public object WriteMetadata() => Metadata.ToJson();

    [Benchmark]
    public object Encode() => Codec.Encode(Encoded.Id, Event, Encoded.Metadata);

    [Benchmark]
    public object Decode() => Codec.Decode(Recorded);
}
