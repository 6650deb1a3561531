using Orleans.EventSourced.Benchmarks.Measures;

namespace Orleans.EventSourced.Benchmarks.Peers;

/// <summary>
/// Something that keeps events, ours or a peer, on a database of its own. All do the same work: one event a command of about 100 bytes of payload, acknowledged when it is durable. One round at a time.
/// </summary>
internal interface IContender : IAsyncDisposable
{
    /// <summary>Runs a load to its end.</summary>
    Task<Round> AppendAsync(AppendLoad load, CancellationToken cancellationToken);

    /// <summary>How large its database is now, in bytes, with what it left behind of rows that were written again.</summary>
    Task<long> StoredBytesAsync(CancellationToken cancellationToken);
}

/// <summary>A contender with entities that are woken up from what is stored.</summary>
internal interface IColdContender
{
    /// <summary>Makes the streams, and leaves their entities asleep.</summary>
    Task FillAsync(ColdStreams streams, CancellationToken cancellationToken);

    /// <summary>Wakes each entity in turn by a call that only reads, times the calls, and puts all to sleep again.</summary>
    Task<Round> ActivateAsync(ColdStreams streams, CancellationToken cancellationToken);
}
