using Microsoft.Extensions.Logging;
using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.Log;
using Orleans.Streams;

namespace Orleans.EventSourced.Streams;

/// <summary>
/// One subscription's place in the log. It reads the shared tail one delivery ahead of its subscriber and waits at the head; the agent, which may not wait, is told to look again when there is
/// something. It holds no connection. Used by one agent, one call at a time.
/// </summary>
internal sealed partial class LogStreamCursor : IQueueCacheCursor
{
    private const int MaxBytes = 1024 * 1024;
    private readonly LogStream _stream;
    private readonly LogStreamSource _source;
    private readonly Action _lookAgain;
    private readonly CancellationTokenSource _stop = new();
    private Task<LogStreamBatch>? _next;
    private LogStreamBatch? _current;
    private bool _again;
    private bool _isDisposed;

    // Of the read under way alone.
    private LogPosition? _after;
    private TailPage? _page;
    private int _index;
    private bool _isChecked;

    /// <param name="stream">What to read.</param>
    /// <param name="after">The position before the first event wanted; null: the head, as it is at the first read.</param>
    /// <param name="source">The log.</param>
    /// <param name="lookAgain">Told, on any thread, when the next delivery is there.</param>
    public LogStreamCursor(LogStream stream, LogPosition? after, LogStreamSource source, Action lookAgain) => (_stream, _after, _source, _lookAgain) = (stream, after, source, lookAgain);

    public IBatchContainer? GetCurrent(out Exception? exception)
    {
        exception = null;
        return _current;
    }

    public bool MoveNext()
    {
        if (_again)
        {
            _again = false;
            return true;
        }

        if (_isDisposed)
        {
            return false;
        }

        _next ??= Begin();
        if (!_next.IsCompletedSuccessfully)
        {
            return false;
        }

        _current = _next.Result;
        _next = Begin();
        return true;
    }

    public void Refresh(StreamSequenceToken token)
    {
        // What is new it finds in the log by itself.
    }

    /// <summary>The agent gave up on this delivery for now: the next one is the same again, so that nothing is passed over.</summary>
    public void RecordDeliveryFailure() => _again = _current is not null;

    public void Dispose()
    {
        if (!_isDisposed)
        {
            _isDisposed = true;
            _stop.Cancel();
            _stop.Dispose();
        }
    }

    private Task<LogStreamBatch> Begin()
    {
        var stop = _stop.Token;
        var read = Task.Run(() => ReadUntilThereAsync(stop), stop);
        _ = read.ContinueWith(static (_, told) => ((Action)told!)(), _lookAgain, CancellationToken.None, TaskContinuationOptions.OnlyOnRanToCompletion | TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        return read;
    }

    private async Task<LogStreamBatch> ReadUntilThereAsync(CancellationToken stop)
    {
        for (var attempt = 0; ; attempt++)
        {
            try
            {
                return await ReadAsync(stop);
            }
            catch (Exception e) when (!stop.IsCancellationRequested)
            {
                if (double.IsInteger(Math.Log2(attempt + 1)))
                {
                    NotRead(_source.Logger, _stream.ToString(), _after?.Value, attempt + 1, e);
                }

                await Task.Delay(DeliveryBackoff.Instance.Next(attempt), _source.Time, stop);
            }
        }
    }

    private async Task<LogStreamBatch> ReadAsync(CancellationToken stop)
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

    [LoggerMessage(Level = LogLevel.Warning, Message = "A subscription to {Stream} cannot read the log behind position {Position} (try {Try}); it tries again by itself")]
    private static partial void NotRead(ILogger logger, string stream, long? position, int @try, Exception cause);
}

/// <summary>What the cursors of a provider read from.</summary>
/// <param name="Tail">The log, shared with all who follow it in this process.</param>
/// <param name="BatchEvents">The most events of a delivery.</param>
/// <param name="Time">The clock of waits.</param>
/// <param name="Logger">Where failures are told.</param>
internal sealed record LogStreamSource(LogTail Tail, int BatchEvents, TimeProvider Time, ILogger Logger);
