using Orleans.Streams;
using OrleansStreamId = Orleans.Runtime.StreamId;

namespace Orleans.EventSourced.Streams;

/// <summary>One stream of a provider whose cursors read a store, from any place in it. Safe for concurrent use.</summary>
internal interface IRewindableStream
{
    OrleansStreamId Id { get; }

    /// <summary>Where a subscription without a token begins: nothing is lost on it.</summary>
    StreamSequenceToken Beginning { get; }

    /// <summary>What a subscription gets.</summary>
    /// <param name="token">Where it starts; null: at the end, as it is at the first read.</param>
    IDeliveries From(StreamSequenceToken? token);
}

/// <summary>What one subscription gets, a delivery at a time. Used by one reader, one call at a time.</summary>
internal interface IDeliveries
{
    /// <summary>Where it stands, for people.</summary>
    string Place { get; }

    /// <summary>The next delivery; it waits until there is one. After a failure, the next call goes on at the same place.</summary>
    Task<IBatchContainer> NextAsync(CancellationToken stop);
}
