using Orleans.EventSourced.Core.Projections;
using OrleansStreamId = Orleans.Runtime.StreamId;

namespace Orleans.EventSourced.Streams;

/// <summary>One stream of the provider: which events of the log it holds.</summary>
internal sealed class LogStream(OrleansStreamId id, string? category, Slice slice)
{
    private readonly string? _prefix = category is null ? null : category + "/";

    public OrleansStreamId Id => id;

    public bool Holds(StreamId stream) => (_prefix is null || stream.Value.StartsWith(_prefix, StringComparison.Ordinal)) && slice.Owns(stream.Value);

    public override string ToString() => id.ToString();
}
