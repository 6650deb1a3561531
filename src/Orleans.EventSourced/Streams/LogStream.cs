using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Projections;
using Orleans.Streams;
using OrleansStreamId = Orleans.Runtime.StreamId;

namespace Orleans.EventSourced.Streams;

/// <summary>One stream of the log's provider: which events of the log it holds.</summary>
internal sealed class LogStream(OrleansStreamId id, string? category, Slice slice, LogStreamSource source) : IRewindableStream
{
    private readonly string? _prefix = category is null ? null : category + "/";

    public OrleansStreamId Id => id;

    public StreamSequenceToken Beginning { get; } = EventLogStreams.TokenAfter(LogPosition.Start);

    public IDeliveries From(StreamSequenceToken? token) => new LogDeliveries(this, token is null ? null : EventLogStreams.Before(token), source);

    public bool Holds(StreamId stream) => (_prefix is null || stream.Value.StartsWith(_prefix, StringComparison.Ordinal)) && slice.Owns(stream.Value);

    public override string ToString() => id.ToString();
}
