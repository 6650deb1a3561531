using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.Log;

namespace Orleans.EventSourced.Testing.Faults;

/// <summary><see cref="SeededBug.PositionsFromSequence"/>: an append takes its positions when it begins, and readers see what has ended, by position.</summary>
internal sealed class PositionsFromSequence(IEventLog inner) : IEventLog
{
    private readonly Lock _gate = new();
    private readonly Dictionary<EventId, LogPosition> _taken = [];
    private LogPosition _last;

    public async Task<IReadOnlyList<AppendOutcome>> AppendAsync(IReadOnlyList<AppendRequest> batch, CancellationToken cancellationToken)
    {
        lock (_gate)
        {
            foreach (var e in batch.SelectMany(r => r.Events))
            {
                _taken.TryAdd(e.Id, _last += 1);
            }
        }

        var outcomes = await inner.AppendAsync(batch, cancellationToken).ConfigureAwait(false);
        return [.. outcomes.Select((o, i) => Taken(o, batch[i].Events[^1].Id))];
    }

    public async Task<IReadOnlyList<IReadOnlyList<RecordedEvent>>> ReadStreamsAsync(IReadOnlyList<StreamRead> reads, CancellationToken cancellationToken) =>
        [.. (await inner.ReadStreamsAsync(reads, cancellationToken).ConfigureAwait(false)).Select(page => page.Select(Taken).ToList())];

    public async Task<IReadOnlyList<RecordedEvent>> ReadLogAsync(LogPosition after, int maxEvents, CancellationToken cancellationToken) =>
        [.. (await AllAsync(cancellationToken).ConfigureAwait(false)).Where(e => e.Position > after).OrderBy(e => e.Position).Take(maxEvents)];

    public async Task<LogHead> ReadHeadAsync(CancellationToken cancellationToken)
    {
        var head = await inner.ReadHeadAsync(cancellationToken).ConfigureAwait(false);
        return head with { Position = (await AllAsync(cancellationToken).ConfigureAwait(false)).Select(e => e.Position).DefaultIfEmpty().Max() };
    }

    public async Task<RecordedEvent?> FindCommandAsync(CommandId command, CancellationToken cancellationToken) =>
        await inner.FindCommandAsync(command, cancellationToken).ConfigureAwait(false) is { } found ? Taken(found) : null;

    public async Task<RecordedEvent?> FindEventAsync(EventId id, CancellationToken cancellationToken) =>
        await inner.FindEventAsync(id, cancellationToken).ConfigureAwait(false) is { } found ? Taken(found) : null;

    private async Task<List<RecordedEvent>> AllAsync(CancellationToken cancellationToken) => [.. (await inner.ReadLogAsync(LogPosition.Start, int.MaxValue, cancellationToken).ConfigureAwait(false)).Select(Taken)];

    private RecordedEvent Taken(RecordedEvent e) => e with { Position = Taken(e.Id, e.Position) };

    private AppendOutcome Taken(AppendOutcome outcome, EventId last) => outcome switch
    {
        AppendOutcome.Appended appended => appended with { Position = Taken(last, appended.Position) },
        AppendOutcome.Duplicate duplicate => duplicate with { Position = Taken(last, duplicate.Position) },
        _ => outcome,
    };

    private LogPosition Taken(EventId id, LogPosition otherwise)
    {
        lock (_gate)
        {
            return _taken.GetValueOrDefault(id, otherwise);
        }
    }
}
