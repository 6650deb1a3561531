using Orleans.EventSourced.Core.Log;
using Orleans.Streams;
using OrleansStreamId = Orleans.Runtime.StreamId;

namespace Orleans.EventSourced.Streams;

/// <summary>
/// What an agent has of the streams of one slice: as a cache, which misses nothing and is never full, because its cursors read the log; and as a receiver, which carries no events but only says
/// which stream to look at. Every stream is looked at once when the agent starts, which makes it known to its subscribers, and every second, because the agent forgets a stream whose last
/// subscriber left.
/// </summary>
internal sealed class LogStreamQueue : IQueueCache, IQueueAdapterReceiver
{
    private static readonly TimeSpan LookInterval = TimeSpan.FromSeconds(1);
    private readonly LogStreamSource _source;
    private readonly Dictionary<OrleansStreamId, LogStream> _streams;
    private readonly Lock _gate = new();
    private HashSet<OrleansStreamId> _due;
    private TaskCompletionSource _isDue = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public LogStreamQueue(IEnumerable<LogStream> streams, LogStreamSource source)
    {
        _source = source;
        _streams = streams.ToDictionary(s => s.Id);
        _due = [.. _streams.Keys];
        _isDue.SetResult();
    }

    public QueueCacheCursorResult<IQueueCacheCursor> TryGetCacheCursor(OrleansStreamId streamId, StreamSequenceToken? token) =>
        Cursor(streamId, token is null ? LogPosition.Start : EventLogStreams.Before(token));

    public QueueCacheCursorResult<IQueueCacheCursor> TryGetCacheCursorAtPosition(OrleansStreamId streamId, StreamSubscriptionStartPosition startPosition) => startPosition switch
    {
        StreamSubscriptionStartPosition.EarliestAvailable => Cursor(streamId, LogPosition.Start),
        StreamSubscriptionStartPosition.Latest => Cursor(streamId, null),
        _ => throw new ArgumentOutOfRangeException(nameof(startPosition), startPosition, "A stream of the log starts at the beginning, at the head or at a token."),
    };

    public IQueueCacheCursor GetCacheCursor(OrleansStreamId streamId, StreamSequenceToken? token) => TryGetCacheCursor(streamId, token).Cursor!;

    public void AddToCache(IList<IBatchContainer> messages)
    {
        // They carry nothing.
    }

    public bool TryPurgeFromCache([System.Diagnostics.CodeAnalysis.MaybeNullWhen(false)] out IList<IBatchContainer> purgedItems)
    {
        purgedItems = null;
        return false;
    }

    public bool IsUnderPressure() => false;

    public int GetMaxAddCount() => QueueAdapterConstants.UNLIMITED_GET_QUEUE_MSG;

    public Task Initialize(TimeSpan timeout) => Task.CompletedTask;

    public Task<IList<IBatchContainer>> GetQueueMessagesAsync(int maxCount) => GetQueueMessagesAsync(maxCount, CancellationToken.None);

    public async Task<IList<IBatchContainer>> GetQueueMessagesAsync(int maxCount, CancellationToken cancellationToken)
    {
        try
        {
            await _isDue.Task.WaitAsync(LookInterval, _source.Time, cancellationToken);
        }
        catch (TimeoutException)
        {
            return Look(_streams.Keys);
        }

        lock (_gate)
        {
            var due = _due;
            _due = [];
            _isDue = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            return Look(due);
        }
    }

    public Task MessagesDeliveredAsync(IList<IBatchContainer> messages) => Task.CompletedTask;

    public Task Shutdown(TimeSpan timeout) => Task.CompletedTask;

    private QueueCacheCursorResult<IQueueCacheCursor> Cursor(OrleansStreamId streamId, LogPosition? after) =>
        QueueCacheCursorResult<IQueueCacheCursor>.FromCursor(new LogStreamCursor(_streams[streamId], after, _source, () => LookAt(streamId)));

    private void LookAt(OrleansStreamId streamId)
    {
        TaskCompletionSource isDue;
        lock (_gate)
        {
            _due.Add(streamId);
            isDue = _isDue;
        }

        isDue.TrySetResult();
    }

    private static List<IBatchContainer> Look(IEnumerable<OrleansStreamId> streams) => [.. streams.Select(s => new LookAgain(s))];
}
