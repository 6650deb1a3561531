using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.Log;
using Orleans.Streams;

namespace Orleans.EventSourced.Streams;

/// <summary>The events of one stream of the log, from the shared tail.</summary>
internal sealed class LogDeliveries : IDeliveries
{
    private const int MaxBytes = 1024 * 1024;
    private readonly LogStream _stream;
    private readonly LogStreamSource _source;
    private LogPosition? _after;
    private TailPage? _page;
    private int _index;
    private bool _isChecked;

    /// <param name="stream">What to read.</param>
    /// <param name="after">The position before the first event wanted; null: the head, as it is at the first read.</param>
    /// <param name="source">The log.</param>
    public LogDeliveries(LogStream stream, LogPosition? after, LogStreamSource source) => (_stream, _after, _source) = (stream, after, source);

    public string Place => _after is { } after ? $"position {after}" : "the head";

    public async Task<IBatchContainer> NextAsync(CancellationToken stop)
    {
        var after = _after ??= (await _source.Tail.ReadHeadAsync(stop)).Position;
        while (true)
        {
            _page ??= await PageAsync(after, stop);
            var events = Take(_page);
            _after = after = _page.After + _index;
            if (_index == _page.Events.Count)
            {
                (_page, _index) = (null, 0);
            }

            if (events.Count > 0)
            {
                return new LogStreamBatch(_stream.Id, [.. events]);
            }
        }
    }

    private async Task<TailPage> PageAsync(LogPosition after, CancellationToken stop)
    {
        while (true)
        {
            var page = await _source.Tail.ReadAsync(after, stop);
            if (page.Events.Count > 0)
            {
                return page;
            }

            if (!_isChecked && (await _source.Tail.ReadHeadAsync(stop)).Position is var head && head < after)
            {
                throw new LogMisconfiguredException($"A subscription to {_stream} stands at position {after}, but the log ends at {head}: the position is of another log, or the log went back, as from a backup.");
            }

            _isChecked = true;
            await _source.Tail.WaitAsync(after, stop);
        }
    }

    private List<StreamedEvent> Take(TailPage page)
    {
        var events = new List<StreamedEvent>();
        object Decode(RecordedEvent recorded) => page.Decode((int)(recorded.Position.Value - page.After.Value - 1));
        for (var bytes = 0; _index < page.Events.Count && events.Count < _source.BatchEvents; _index++)
        {
            var recorded = page.Events[_index];
            if (!_stream.Holds(recorded.Stream))
            {
                continue;
            }

            bytes += recorded.Bytes;
            if (bytes > MaxBytes && events.Count > 0)
            {
                break;
            }

            events.Add(new StreamedEvent(recorded, Decode));
        }

        return events;
    }
}

/// <summary>What the log's streams read from.</summary>
/// <param name="Tail">The log, shared with all who follow it in this process.</param>
/// <param name="BatchEvents">The most events of a delivery.</param>
internal sealed record LogStreamSource(LogTail Tail, int BatchEvents);
