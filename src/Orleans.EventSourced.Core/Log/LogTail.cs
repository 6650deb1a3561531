using Orleans.EventSourced.Core.Events;

namespace Orleans.EventSourced.Core.Log;

/// <summary>
/// Stage 7 of the data's way: the log as ordered pages, for all who follow it in one process. They share what is read and decoded, and wait for new events without
/// asking the store each by itself. Positions have no gaps, so a page is whatever comes next. Safe for concurrent use.
/// </summary>
public sealed class LogTail
{
    /// <summary>How many pages are kept for those who come a little later.</summary>
    public const int PagesKept = 8;

    // Of events that are wanted one by one the next is often near.
    private const int EventsAhead = 100;

    private readonly IEventLog _log;
    private readonly JsonEventCodec _codec;
    private readonly LogTailOptions _options;
    private readonly TimeProvider _time;
    private readonly Lock _gate = new();
    private readonly Dictionary<LogPosition, Task<TailPage>> _pages = [];
    private readonly Queue<LogPosition> _order = new();
    private TaskCompletionSource _moved;
    private Task<LogHead>? _poll;
    private long _polled;
    private LogPosition _head;

    /// <param name="log">The log to follow.</param>
    /// <param name="codec">What reads the events.</param>
    /// <param name="options">Limits; validated by whoever made them.</param>
    /// <param name="time">The clock of the poll.</param>
    public LogTail(IEventLog log, JsonEventCodec codec, LogTailOptions options, TimeProvider time)
        : this(log, codec, options, time, Dispatch.Pool)
    {
    }

    internal LogTail(IEventLog log, JsonEventCodec codec, LogTailOptions options, TimeProvider time, Dispatch dispatch)
    {
        ArgumentNullException.ThrowIfNull(log);
        ArgumentNullException.ThrowIfNull(codec);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(time);
        (_log, _codec, _options, _time, Dispatch) = (log, codec, options, time, dispatch);
        _moved = new TaskCompletionSource(dispatch.Awaited);
    }

    /// <summary>The last position that this process has heard of; the log may be further.</summary>
    public LogPosition Head
    {
        get
        {
            lock (_gate)
            {
                return _head;
            }
        }
    }

    /// <summary>How those who follow the log go on beside what they wait for.</summary>
    internal Dispatch Dispatch { get; }

    /// <summary>The events of a full page; one with fewer reached the head when it was read.</summary>
    public int PageEvents => _options.PageEvents;

    /// <summary>The events after <paramref name="after"/>: a page of them, fewer near the head, none at it.</summary>
    /// <param name="after">Where the reader stands: 0, or the last position of the page before.</param>
    /// <param name="cancellationToken">Ends the wait, not the read, which others may share.</param>
    /// <exception cref="LogUnavailableException">The log could not answer.</exception>
    /// <exception cref="LogCorruptException">An event is missing.</exception>
    public async Task<TailPage> ReadAsync(LogPosition after, CancellationToken cancellationToken)
    {
        var page = await Dispatch.EachAsync(PageAsync(after)).WaitAsync(cancellationToken).ConfigureAwait(false);
        if (page.Events.Count > 0)
        {
            Signal(page.Last);
        }

        if (page.Events.Count >= _options.PageEvents)
        {
            // Read while this one is folded. Its failure concerns whoever asks for it.
            _ = PageAsync(page.Last);
        }

        return page;
    }

    /// <summary>
    /// Whether this is not the log that a follower has followed: it ends before where the follower stands, or the event there is not the one that the follower saw. The answer says which, for people;
    /// null: nothing speaks against it.
    /// </summary>
    /// <param name="at">Where the follower stands.</param>
    /// <param name="mark">The last event that it saw; null, or at another position: it does not know.</param>
    /// <param name="cancellationToken">Ends the read.</param>
    /// <exception cref="LogUnavailableException">The log could not answer.</exception>
    internal async Task<string?> DiffersAsync(LogPosition at, LogMark? mark, CancellationToken cancellationToken)
    {
        // Pages that were read before may be of the log that was.
        ForgetPages();
        var head = (await ReadHeadAsync(cancellationToken).ConfigureAwait(false)).Position;
        if (at > head)
        {
            return $"the log ends at {head}";
        }

        return mark is null || mark.Position != at || LogMark.Of((await _log.ReadLogAsync(new LogPosition(at.Value - 1), 1, cancellationToken).ConfigureAwait(false))[0]) == mark
            ? null
            : $"the log has another event there than the one that was seen, {mark.Event}, recorded at {mark.RecordedAt:O}";
    }

    /// <summary>Single events, in log order. It is for what was left behind once: nothing is shared with those who follow the log.</summary>
    /// <exception cref="LogUnavailableException">The log could not answer.</exception>
    internal async Task<IReadOnlyList<RecordedEvent>> ReadEventsAsync(IReadOnlySet<LogPosition> positions, CancellationToken cancellationToken)
    {
        var found = new SortedDictionary<LogPosition, RecordedEvent>();
        foreach (var position in positions.Order())
        {
            if (!found.ContainsKey(position))
            {
                foreach (var e in await _log.ReadLogAsync(new LogPosition(position.Value - 1), EventsAhead, cancellationToken).ConfigureAwait(false))
                {
                    if (positions.Contains(e.Position))
                    {
                        found[e.Position] = e;
                    }
                }
            }
        }

        return [.. found.Values];
    }

    /// <summary>The events of one stream behind a version: a page of them, none at its end. Nothing is shared here either.</summary>
    /// <exception cref="LogUnavailableException">The log could not answer.</exception>
    internal async Task<IReadOnlyList<RecordedEvent>> ReadStreamAsync(StreamId stream, StreamVersion after, CancellationToken cancellationToken) =>
        (await _log.ReadStreamsAsync([new StreamRead(stream, after, _options.PageEvents)], cancellationToken).ConfigureAwait(false))[0];

    /// <summary>The event as an object of its registered class, or as it is where the family is that of recorded events; null: it is none of this family.</summary>
    /// <exception cref="UnknownEventTypeException">This program does not know its type or version.</exception>
    /// <exception cref="LogCorruptException">The payload does not fit the class, or an upcaster failed.</exception>
    internal object? Decode(RecordedEvent recorded, Type family) => TailPage.IsUndecoded(family) ? recorded : TailPage.MayBe(_codec, recorded, family) ? _codec.Decode(recorded) : null;

    /// <summary>Completes when the log has events after <paramref name="after"/>, as a signal or the poll says.</summary>
    /// <exception cref="LogUnavailableException">The poll got no answer.</exception>
    public async Task WaitAsync(LogPosition after, CancellationToken cancellationToken)
    {
        while (true)
        {
            Task moved;
            lock (_gate)
            {
                if (_head > after)
                {
                    return;
                }

                moved = _moved.Task;
            }

            try
            {
                await Dispatch.EachAsync(moved).WaitAsync(_options.PollInterval, _time, cancellationToken).ConfigureAwait(false);
            }
            catch (TimeoutException)
            {
                await Dispatch.EachAsync(PollAsync()).WaitAsync(cancellationToken).ConfigureAwait(false);
            }
        }
    }

    /// <summary>The log's head, as the store says now.</summary>
    /// <exception cref="LogUnavailableException">The log could not answer.</exception>
    public async Task<LogHead> ReadHeadAsync(CancellationToken cancellationToken)
    {
        // Whatever was heard of before the read is durable, and the read sees it: a lower head is that of a log that went back.
        var heard = Head;
        var head = await _log.ReadHeadAsync(cancellationToken).ConfigureAwait(false);
        if (head.Position < heard)
        {
            ForgetPages();
            lock (_gate)
            {
                _head = head.Position;
            }
        }

        Signal(head.Position);
        return head;
    }

    /// <summary>Tells that the log reaches to <paramref name="position"/>, by whoever knows: group commit, or another process.</summary>
    public void Signal(LogPosition position)
    {
        TaskCompletionSource moved;
        lock (_gate)
        {
            if (position <= _head)
            {
                return;
            }

            _head = position;
            moved = _moved;
            _moved = new TaskCompletionSource(Dispatch.Awaited);
        }

        moved.SetResult();
    }

    private void ForgetPages()
    {
        lock (_gate)
        {
            _pages.Clear();
            _order.Clear();
        }
    }

    /// <summary>One question to the store for all who wait.</summary>
    private Task<LogHead> PollAsync()
    {
        lock (_gate)
        {
            if (_poll is null || (_poll.IsCompleted && _time.GetElapsedTime(_polled) > _options.PollInterval / 2))
            {
                _polled = _time.GetTimestamp();
                _poll = ReadHeadAsync(CancellationToken.None);
            }

            return _poll;
        }
    }

    private Task<TailPage> PageAsync(LogPosition after)
    {
        lock (_gate)
        {
            // An empty page says only that there was nothing then; a failed one, that it must be asked for again.
            if (_pages.TryGetValue(after, out var known) && (!known.IsCompleted || (known.IsCompletedSuccessfully && known.Result.Events.Count > 0)))
            {
                return known;
            }

            if (known is null)
            {
                _order.Enqueue(after);
                if (_order.Count > PagesKept)
                {
                    _pages.Remove(_order.Dequeue());
                }
            }

            var page = LoadAsync(after);
            _pages[after] = page;
            _ = page.ContinueWith(static t => t.Exception, CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted | TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
            return page;
        }
    }

    private async Task<TailPage> LoadAsync(LogPosition after)
    {
        // Started under the lock: the store must not be called there.
        await Dispatch.YieldAsync().ConfigureAwait(false);
        return new TailPage(after, await _log.ReadLogAsync(after, _options.PageEvents, CancellationToken.None).ConfigureAwait(false), _codec);
    }
}
