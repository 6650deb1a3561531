using Microsoft.Extensions.Logging;
using Orleans.Streams;
using OrleansStreamId = Orleans.Runtime.StreamId;

namespace Orleans.EventSourced.Streams;

/// <summary>
/// What an agent has of the streams of one queue: as a cache, which misses nothing and is never full, because its cursors read the store; and as a receiver, which carries no items but only says
/// which stream to look at. Every stream is looked at once when the agent starts, which makes it known to its subscribers, and every second, because the agent forgets a stream whose last
/// subscriber left.
/// </summary>
internal sealed class RewindableQueue : IQueueCache, IQueueAdapterReceiver
{
    private static readonly TimeSpan LookInterval = TimeSpan.FromSeconds(1);
    private readonly Dictionary<OrleansStreamId, IRewindableStream> _streams;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly Lock _gate = new();
    private HashSet<OrleansStreamId> _due;
    private TaskCompletionSource _isDue = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public RewindableQueue(IEnumerable<IRewindableStream> streams, TimeProvider time, ILogger logger)
    {
        (_time, _logger) = (time, logger);
        _streams = streams.ToDictionary(s => s.Id);
        _due = [.. _streams.Keys];
        _isDue.SetResult();
    }

    public QueueCacheCursorResult<IQueueCacheCursor> TryGetCacheCursor(OrleansStreamId streamId, StreamSequenceToken? token) =>
        Cursor(_streams[streamId], token ?? _streams[streamId].Beginning);

    public QueueCacheCursorResult<IQueueCacheCursor> TryGetCacheCursorAtPosition(OrleansStreamId streamId, StreamSubscriptionStartPosition startPosition) => startPosition switch
    {
        StreamSubscriptionStartPosition.EarliestAvailable => Cursor(_streams[streamId], _streams[streamId].Beginning),
        StreamSubscriptionStartPosition.Latest => Cursor(_streams[streamId], null),
        _ => throw new ArgumentOutOfRangeException(nameof(startPosition), startPosition, "A stream starts at the beginning, at the end or at a token."),
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
            await _isDue.Task.WaitAsync(LookInterval, _time, cancellationToken);
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

    private QueueCacheCursorResult<IQueueCacheCursor> Cursor(IRewindableStream stream, StreamSequenceToken? token) =>
        QueueCacheCursorResult<IQueueCacheCursor>.FromCursor(new RewindableCursor(stream.Id.ToString(), stream.From(token), () => LookAt(stream.Id), _time, _logger));

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

    private List<IBatchContainer> Look(IEnumerable<OrleansStreamId> streams) => [.. streams.Select(s => new LookAgain(_streams[s]))];

    /// <summary>Tells the agent to look at a stream. It is never delivered; its token is where subscribers without a token of their own begin.</summary>
    private sealed class LookAgain(IRewindableStream stream) : IBatchContainer
    {
        public OrleansStreamId StreamId => stream.Id;

        public StreamSequenceToken SequenceToken => stream.Beginning;

        public IEnumerable<Tuple<T, StreamSequenceToken>> GetEvents<T>() => [];

        public bool ImportRequestContext() => false;
    }
}
