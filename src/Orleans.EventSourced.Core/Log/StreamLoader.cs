using Orleans.EventSourced.Core.Events;

namespace Orleans.EventSourced.Core.Log;

/// <summary>
/// Reads streams for grains that activate, many in one round trip: the reads that arrive while one is under way go together in the next, as appends do in <see cref="GroupCommit"/>.
/// Safe for concurrent use.
/// </summary>
/// <param name="log">The log to read.</param>
public sealed class StreamLoader(IEventLog log)
{
    /// <summary>The most events of one page of a stream; a stream is read page by page, so that a long one is never in memory twice.</summary>
    public const int PageSize = 2_000;

    /// <summary>The bytes of payload and metadata with which a page ends: the event that reaches them is its last.</summary>
    public const int PageBytes = 2 * 1024 * 1024;

    /// <summary>The most reads that wait; one more is refused.</summary>
    internal const int MaxWaiting = 10_000;

    private const int MaxInFlight = 2;
    private const int MaxBatch = 64;
    private readonly Lock _gate = new();
    private readonly Queue<Pending> _waiting = new();
    private int _inFlight;

    /// <summary>
    /// The events of a stream after <paramref name="after"/>, at most <paramref name="maxEvents"/> and fewer where they reach <see cref="PageBytes"/>, in version order and without
    /// gap. <see cref="IsFull"/> says whether there may be more.
    /// </summary>
    /// <exception cref="LogOverloadedException"><see cref="MaxWaiting"/> reads wait already.</exception>
    /// <exception cref="LogUnavailableException">The log could not answer.</exception>
    /// <exception cref="LogCorruptException">A version is missing, or its row cannot be read.</exception>
    public async Task<IReadOnlyList<RecordedEvent>> ReadAsync(StreamId stream, StreamVersion after, int maxEvents = PageSize)
    {
        var pending = new Pending(new StreamRead(stream, after, maxEvents, PageBytes));
        lock (_gate)
        {
            if (_waiting.Count >= MaxWaiting)
            {
                throw new LogOverloadedException($"{_waiting.Count} reads of streams are waiting for the log, the most allowed. Slow down and try again.");
            }

            _waiting.Enqueue(pending);
            if (_inFlight < MaxInFlight)
            {
                _inFlight++;

                // Not Task.Run: a read is of many callers, and takes no transaction, trace or other ambient value of the one who happens to start it.
                ThreadPool.UnsafeQueueUserWorkItem(_ => _ = PumpAsync(), null);
            }
        }

        var events = await pending.Answer.Task.ConfigureAwait(false);
        for (var i = 0; i < events.Count; i++)
        {
            if (events[i].Version != after + (i + 1))
            {
                throw new LogCorruptException($"version {after + (i + 1)} was expected here: an event is missing.", stream, events[i].Version, events[i].Position, events[i].Type);
            }
        }

        return events;
    }

    /// <summary>Whether a page ended at a limit, so that there may be more events behind it.</summary>
    /// <param name="page">A page read with this <paramref name="maxEvents"/>.</param>
    /// <param name="maxEvents">The most events that were asked for.</param>
    public static bool IsFull(IReadOnlyList<RecordedEvent> page, int maxEvents = PageSize)
    {
        ArgumentNullException.ThrowIfNull(page);
        return page.Count >= maxEvents || page.Sum(e => (long)e.Bytes) >= PageBytes;
    }

    private async Task PumpAsync()
    {
        var batch = new List<Pending>(MaxBatch);
        while (true)
        {
            batch.Clear();
            lock (_gate)
            {
                while (batch.Count < MaxBatch && _waiting.TryDequeue(out var next))
                {
                    batch.Add(next);
                }

                if (batch.Count == 0)
                {
                    _inFlight--;
                    return;
                }
            }

            await ReadBatchAsync(batch).ConfigureAwait(false);
        }
    }

    private async Task ReadBatchAsync(List<Pending> batch)
    {
        try
        {
            var pages = await log.ReadStreamsAsync(batch.ConvertAll(p => p.Read), CancellationToken.None).ConfigureAwait(false);
            for (var i = 0; i < batch.Count; i++)
            {
                batch[i].Answer.TrySetResult(pages[i]);
            }
        }
        catch (Exception e) when (batch.Count > 1 && e is not (LogUnavailableException or LogOverloadedException))
        {
            // One unreadable row must not keep other grains from activating, whatever it makes the store throw. A store that is away would fail the halves just so.
            await ReadBatchAsync(batch.GetRange(0, batch.Count / 2)).ConfigureAwait(false);
            await ReadBatchAsync(batch.GetRange(batch.Count / 2, batch.Count - (batch.Count / 2))).ConfigureAwait(false);
        }
        catch (Exception e)
        {
            batch.ForEach(p => p.Answer.TrySetException(e));
        }
    }

    private sealed class Pending(StreamRead read)
    {
        public StreamRead Read { get; } = read;

        public TaskCompletionSource<IReadOnlyList<RecordedEvent>> Answer { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
