using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.Log;

namespace Orleans.EventSourced.UnitTests.Log;

/// <summary>A log beneath which another one can be put, as a failover or a restored backup does, and that can be away meanwhile.</summary>
internal sealed class ReplaceableLog(IEventLog first) : IEventLog
{
    private volatile IEventLog? _now = first;

    /// <summary>What is there; null: nothing answers.</summary>
    public IEventLog? Now
    {
        get => _now;
        set => _now = value;
    }

    private IEventLog Answering => _now ?? throw new LogUnavailableException("nothing answers");

    public Task<IReadOnlyList<AppendOutcome>> AppendAsync(IReadOnlyList<AppendRequest> batch, CancellationToken cancellationToken) => Answering.AppendAsync(batch, cancellationToken);

    public Task<IReadOnlyList<IReadOnlyList<RecordedEvent>>> ReadStreamsAsync(IReadOnlyList<StreamRead> reads, CancellationToken cancellationToken) => Answering.ReadStreamsAsync(reads, cancellationToken);

    public Task<IReadOnlyList<RecordedEvent>> ReadLogAsync(LogPosition after, int maxEvents, CancellationToken cancellationToken) => Answering.ReadLogAsync(after, maxEvents, cancellationToken);

    public Task<LogHead> ReadHeadAsync(CancellationToken cancellationToken) => Answering.ReadHeadAsync(cancellationToken);

    public Task<RecordedEvent?> FindCommandAsync(CommandId command, CancellationToken cancellationToken) => Answering.FindCommandAsync(command, cancellationToken);

    public Task<RecordedEvent?> FindEventAsync(EventId id, CancellationToken cancellationToken) => Answering.FindEventAsync(id, cancellationToken);
}
