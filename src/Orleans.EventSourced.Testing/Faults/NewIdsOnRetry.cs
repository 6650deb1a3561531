using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.Log;

namespace Orleans.EventSourced.Testing.Faults;

/// <summary><see cref="SeededBug.NewIdsOnRetry"/> and <see cref="SeededBug.NewCommandOnRetry"/>: ids that were sent before are replaced.</summary>
internal sealed class NewIdsOnRetry(IEventLog inner, bool newCommand) : IEventLog
{
    private readonly Lock _gate = new();
    private readonly Dictionary<EventId, int> _sent = [];

    public Task<IReadOnlyList<AppendOutcome>> AppendAsync(IReadOnlyList<AppendRequest> batch, CancellationToken cancellationToken)
    {
        lock (_gate)
        {
            return inner.AppendAsync([.. batch.Select(Renewed)], cancellationToken);
        }
    }

    public Task<IReadOnlyList<IReadOnlyList<RecordedEvent>>> ReadStreamsAsync(IReadOnlyList<StreamRead> reads, CancellationToken cancellationToken) => inner.ReadStreamsAsync(reads, cancellationToken);

    public Task<IReadOnlyList<RecordedEvent>> ReadLogAsync(LogPosition after, int maxEvents, CancellationToken cancellationToken) => inner.ReadLogAsync(after, maxEvents, cancellationToken);

    public Task<LogHead> ReadHeadAsync(CancellationToken cancellationToken) => inner.ReadHeadAsync(cancellationToken);

    public Task<RecordedEvent?> FindCommandAsync(CommandId command, CancellationToken cancellationToken) => inner.FindCommandAsync(command, cancellationToken);

    public Task<RecordedEvent?> FindEventAsync(EventId id, CancellationToken cancellationToken) => inner.FindEventAsync(id, cancellationToken);

    private AppendRequest Renewed(AppendRequest request)
    {
        var tries = _sent.GetValueOrDefault(request.Events[0].Id);
        _sent[request.Events[0].Id] = tries + 1;
        return tries == 0 ? request : new AppendRequest(request.Stream, request.Expected, [.. request.Events.Select((e, i) => Renewed(e, request, (tries * AppendRequest.MaxEvents) + i))], request.RequestHash);
    }

    private NewEvent Renewed(NewEvent e, AppendRequest request, int ordinal)
    {
        var other = new CommandId(request.Events[0].Id.Value);
        return e with
        {
            Id = EventId.Derive(other, request.Stream, ordinal),
            Metadata = newCommand ? (EventMetadata.Parse(e.Metadata) with { Command = other }).ToJson() : e.Metadata,
        };
    }
}
