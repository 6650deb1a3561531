using System.Diagnostics;
using Microsoft.Extensions.Logging;

namespace Orleans.EventSourced.Core.Log;

/// <summary>
/// Gathers the appends of all grains of a silo into batches: what arrives while a batch is in flight forms the next one, so that one durable
/// commit serves many commands. Retries what surely was not written, and resolves lost replies by sending the same event ids again.
/// Safe for concurrent use.
/// </summary>
/// <remarks>One request a stream is in flight at a time; the others of that stream wait in arrival order. A command's events are never split.</remarks>
public sealed partial class GroupCommit : IAsyncDisposable
{
    /// <summary>So many lanes of streams that wait for nothing any more are used again for others; those of hot streams are not, whose queues have grown.</summary>
    private const int MaxSpareLanes = 1_024;

    private const int UsualWaiting = 16;

    private static readonly TimeSpan ShortestGathering = TimeSpan.FromMilliseconds(5);
    private static readonly TimeSpan LongestGathering = TimeSpan.FromMilliseconds(250);
    private readonly IEventLog _log;
    private readonly GroupCommitOptions _options;
    private readonly TimeProvider _time;
    private readonly ILogger<GroupCommit> _logger;
    private readonly Action<LogPosition>? _committed;
    private readonly Dispatch _dispatch;
    private readonly Random _jitter;
    private readonly LargeEvents _large;
    private readonly Lock _gate = new();
    private readonly Dictionary<StreamId, Lane> _lanes = [];
    private readonly Queue<Lane> _ready = new();
    private readonly Stack<Lane> _spare = new();
    private readonly ITimer _gatherTimer;
    private readonly CancellationTokenSource _stopping = new();
    private readonly TaskCompletionSource _drained = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _queued;
    private long _queuedBytes;
    private int _inFlight;
    private TimeSpan _usual;
    private bool _gathering;
    private bool _closed;

    /// <param name="log">The log to write to.</param>
    /// <param name="options">Limits; validated by whoever made them.</param>
    /// <param name="time">The clock of back-off and of the bound on doubt.</param>
    /// <param name="logger">Where retries and doubts are told.</param>
    /// <param name="committed">Told of each commit's last position, after the commit, perhaps not in order: it must be quick and not throw. Null: nobody is.</param>
    public GroupCommit(IEventLog log, GroupCommitOptions options, TimeProvider time, ILogger<GroupCommit> logger, Action<LogPosition>? committed = null)
        : this(log, options, time, logger, committed, Dispatch.Pool, Random.Shared)
    {
    }

    internal GroupCommit(IEventLog log, GroupCommitOptions options, TimeProvider time, ILogger<GroupCommit> logger, Action<LogPosition>? committed, Dispatch dispatch, Random jitter)
    {
        ArgumentNullException.ThrowIfNull(log);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(time);
        ArgumentNullException.ThrowIfNull(logger);
        _log = log;
        _options = options;
        _time = time;
        _logger = logger;
        _large = new LargeEvents(time, logger);
        (_committed, _dispatch, _jitter) = (committed, dispatch, jitter);
        _gatherTimer = time.CreateTimer(_ => StopGathering(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>The requests that wait or are in flight now.</summary>
    public int Queued
    {
        get
        {
            lock (_gate)
            {
                return _queued;
            }
        }
    }

    /// <summary>The bytes of payload and metadata of the requests that wait or are in flight now.</summary>
    public long QueuedBytes
    {
        get
        {
            lock (_gate)
            {
                return _queuedBytes;
            }
        }
    }

    /// <summary>
    /// Appends one request and answers when its fate is known and durable. Never <see cref="AppendOutcome.Deferred"/>. It cannot be cancelled: once queued,
    /// it may be written whether its caller waits or not.
    /// </summary>
    /// <exception cref="LogOverloadedException">The queue is full. Surely not written.</exception>
    /// <exception cref="LogUnavailableException">The log could not do it in the tries allowed. Surely not written.</exception>
    /// <exception cref="LogOutcomeUnknownException">Perhaps written; the doubt could not be resolved in the time allowed.</exception>
    /// <exception cref="LogRequestRefusedException">The store refuses its content. Surely not written.</exception>
    public Task<AppendOutcome> AppendAsync(AppendRequest request)
    {
        ArgumentNullException.ThrowIfNull(request);
        _large.LookAt(request);
        var pending = new Pending(request, _dispatch.Awaited);
        lock (_gate)
        {
            if (_closed)
            {
                throw new LogUnavailableException("This silo is stopping and takes no more appends.");
            }

            if (_queued >= _options.MaxQueuedRequests || _queuedBytes + request.Bytes > _options.MaxQueuedBytes)
            {
                LogInstruments.Overloaded.Add(1);
                throw new LogOverloadedException($"{_queued} appends of {_queuedBytes} bytes are waiting for the log, the most allowed; nothing was written. Slow down and send the same command again.");
            }

            _queued++;
            _queuedBytes += request.Bytes;
            Enqueue(pending);
            StartBatches();
        }

        return pending.Task;
    }

    /// <summary>Refuses new appends, lets the queue run empty, and gives up on doubts that are still being resolved after that.</summary>
    public async ValueTask DisposeAsync()
    {
        bool closedBefore;
        lock (_gate)
        {
            (closedBefore, _closed) = (_closed, true);
            if (_inFlight == 0)
            {
                _drained.TrySetResult();
            }
        }

        if (closedBefore)
        {
            await _drained.Task.ConfigureAwait(false);
            return;
        }

        await Task.WhenAny(_drained.Task, Task.Delay(_options.ResolveUnknownFor, _time)).ConfigureAwait(false);
        await _stopping.CancelAsync().ConfigureAwait(false);
        await _drained.Task.ConfigureAwait(false);
        await _gatherTimer.DisposeAsync().ConfigureAwait(false);
        _stopping.Dispose();
    }

    /// <summary>
    /// How long what is ready waits for the batch in flight, which is several times as long as batches lately take: a second one is for when the first hangs. Commits come one after the other in any case;
    /// two batches of one silo at a time would write into the same pages of the same indexes, and wait for each other there at nearly twice the cost (docs/performance.md).
    /// </summary>
    private TimeSpan Gathering => new(Math.Clamp(_usual.Ticks * 4, ShortestGathering.Ticks, LongestGathering.Ticks));

    private void Enqueue(Pending pending)
    {
        if (!_lanes.TryGetValue(pending.Request.Stream, out var lane))
        {
            _lanes.Add(pending.Request.Stream, lane = _spare.TryPop(out var spare) ? spare : new Lane());
        }

        lane.Waiting.Enqueue(pending);
        if (lane is { InFlight: false, Waiting.Count: 1 })
        {
            _ready.Enqueue(lane);
        }
    }

    /// <summary>Called under the lock whenever something became ready or a place became free.</summary>
    /// <param name="gathered">Whether what is ready has waited for others long enough.</param>
    private void StartBatches(bool gathered = false)
    {
        while (_ready.Count > 0 && _inFlight < _options.MaxBatchesInFlight && (gathered || _inFlight == 0))
        {
            _inFlight++;
            var batch = TakeBatch();

            // Not Task.Run: a batch is of many callers, and takes no transaction, trace or other ambient value of the one who happens to start it.
            _dispatch.Post(() => _ = SendAndReleaseAsync(batch));
        }

        var gathering = _ready.Count > 0 && _inFlight < _options.MaxBatchesInFlight;
        if (gathering != _gathering)
        {
            _gathering = gathering;
            _gatherTimer.Change(gathering ? Gathering : Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        }
    }

    private void StopGathering()
    {
        lock (_gate)
        {
            _gathering = false;
            StartBatches(gathered: true);
        }
    }

    /// <summary>The heads of the lanes that are ready, in arrival order, up to the limits; one at least. Called under the lock.</summary>
    private List<Pending> TakeBatch()
    {
        var batch = new List<Pending>();
        var (events, bytes) = (0, 0);
        while (_ready.TryPeek(out var lane))
        {
            var next = lane.Waiting.Peek();
            if (batch.Count > 0 && (events + next.Request.Events.Count > _options.MaxBatchEvents || bytes + next.Request.Bytes > _options.MaxBatchBytes))
            {
                break;
            }

            _ready.Dequeue();
            lane.Waiting.Dequeue();
            lane.InFlight = true;
            events += next.Request.Events.Count;
            bytes += next.Request.Bytes;
            batch.Add(next);
        }

        return batch;
    }

    private async Task SendAndReleaseAsync(List<Pending> batch)
    {
        var sent = _time.GetTimestamp();
        try
        {
            await SendAsync(batch, new Attempt(this)).ConfigureAwait(false);
        }
        catch (Exception e)
        {
            // A logger or a listener of the metrics failed: the place and the lanes are given back all the same.
            batch.ForEach(p => p.Fail(new LogOutcomeUnknownException("The append's fate was not learnt: what watches it failed. Send the same command id again to learn it.", e)));
        }

        lock (_gate)
        {
            Release(batch);
            _usual += (_time.GetElapsedTime(sent) - _usual) / 8;
            _inFlight--;
            StartBatches();
            if (_inFlight == 0 && _closed)
            {
                _drained.TrySetResult();
            }
        }
    }

    private void Release(List<Pending> batch)
    {
        foreach (var pending in batch)
        {
            var stream = pending.Request.Stream;
            var lane = _lanes[stream];
            lane.InFlight = false;
            if (pending.Answered)
            {
                _queued--;
                _queuedBytes -= pending.Request.Bytes;
            }
            else
            {
                lane.PutBack(pending);
            }

            if (lane.Waiting.Count > 0)
            {
                _ready.Enqueue(lane);
            }
            else
            {
                _lanes.Remove(stream);
                if (_spare.Count < MaxSpareLanes && lane.Waiting.Capacity <= UsualWaiting)
                {
                    _spare.Push(lane);
                }
            }
        }
    }

    /// <summary>Sends a batch until each of its requests has its answer or failure. Never throws.</summary>
    private async Task SendAsync(List<Pending> batch, Attempt attempt)
    {
        var requests = batch.ConvertAll(p => p.Request);
        while (true)
        {
            try
            {
                var started = Stopwatch.GetTimestamp();
                var outcomes = await _log.AppendAsync(requests, _stopping.Token).ConfigureAwait(false);
                LogInstruments.Batch(requests, Stopwatch.GetElapsedTime(started));
                for (var i = 0; i < batch.Count; i++)
                {
                    batch[i].Complete(outcomes[i]);
                }

                Tell(outcomes);
                return;
            }
            catch (LogRequestRefusedException e) when (batch.Count > 1)
            {
                BatchRefused(_logger, batch.Count, e);
                await SendAsync(batch.GetRange(0, batch.Count / 2), attempt.OfPart()).ConfigureAwait(false);
                await SendAsync(batch.GetRange(batch.Count / 2, batch.Count - (batch.Count / 2)), attempt.OfPart()).ConfigureAwait(false);
                return;
            }
            catch (Exception e)
            {
                if (await attempt.MayTryAgainAsync(e).ConfigureAwait(false))
                {
                    continue;
                }

                if (e is LogMisconfiguredException)
                {
                    CannotAppend(_logger, e);
                }

                var failure = attempt.Failure(e);
                batch.ForEach(p => p.Fail(failure));
                return;
            }
        }
    }

    private void Tell(IReadOnlyList<AppendOutcome> outcomes)
    {
        if (_committed is not null && outcomes.OfType<AppendOutcome.Appended>().LastOrDefault() is { } last)
        {
            _committed(last.Position);
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The log refused a batch of {Count} requests for the content of one of them; its halves are sent apart")]
    private static partial void BatchRefused(ILogger logger, int count, Exception cause);

    [LoggerMessage(Level = LogLevel.Error, Message = "The log does not take appends as it is set up; every one fails until that is mended")]
    private static partial void CannotAppend(ILogger logger, Exception cause);

    [LoggerMessage(Level = LogLevel.Warning, Message = "An append did not succeed (try {Try}, {Certainty}); the same event ids are sent again in {Delay}")]
    private static partial void TryingAgain(ILogger logger, int @try, string certainty, TimeSpan delay, Exception cause);

    /// <summary>What is known of one batch over its tries: how many, whether any of them may have been written, and since when.</summary>
    private sealed class Attempt(GroupCommit owner, long? doubtSince = null)
    {
        private const int MaxRaces = 20;
        private const int MaxDoublings = 5;
        private int _failures;
        private int _races;
        private long? _doubtSince = doubtSince;

        private bool InDoubt => _doubtSince is not null;

        /// <summary>What is known of a part of the batch that is sent apart: a whole that may have been written leaves its parts in the same doubt.</summary>
        public Attempt OfPart() => new(owner, _doubtSince);

        public async Task<bool> MayTryAgainAsync(Exception e)
        {
            switch (e)
            {
                case LogRaceException when ++_races <= MaxRaces:
                    LogInstruments.Races.Add(1);
                    await DelayAsync(TimeSpan.FromMilliseconds(_races), e).ConfigureAwait(false);
                    return true;
                case LogOutcomeUnknownException:
                    _doubtSince ??= owner._time.GetTimestamp();
                    break;
                case LogUnavailableException:
                    break;
                default:
                    return false;
            }

            _failures++;
            var again = !owner._stopping.IsCancellationRequested
                && (_doubtSince is { } since ? owner._time.GetElapsedTime(since) < owner._options.ResolveUnknownFor : _failures <= owner._options.MaxRetries);
            if (again)
            {
                await DelayAsync(owner._options.RetryDelay * (1 << Math.Min(_failures - 1, MaxDoublings)), e).ConfigureAwait(false);
            }

            return again;
        }

        /// <summary>"No" to a later try does not make an earlier, unknown one a "no".</summary>
        public Exception Failure(Exception last) => last switch
        {
            LogRequestRefusedException when InDoubt =>
                new LogOutcomeUnknownException("The reply to an append was lost, and a further try was refused for its content. Send the same command id again to learn its fate.", last),
            _ when InDoubt =>
                new LogOutcomeUnknownException("The reply to an append was lost, and the log could not be asked about it in the time allowed. Send the same command id again to learn its fate.", last),
            LogException => last,
            _ => new LogOutcomeUnknownException("The store failed in a way that it does not explain; the append may have been written.", last),
        };

        private async Task DelayAsync(TimeSpan delay, Exception e)
        {
            TryingAgain(owner._logger, _failures + _races, _doubtSince is null ? "surely not written" : "perhaps written", delay, e);
            LogInstruments.Retries.Add(1);
            var jitter = delay * (owner._jitter.NextDouble() / 2);
            await Task.Delay(delay + jitter, owner._time).ConfigureAwait(false);
        }
    }

    private sealed class Lane
    {
        public Queue<Pending> Waiting { get; private set; } = new();

        public bool InFlight { get; set; }

        public void PutBack(Pending pending) => Waiting = new Queue<Pending>(Waiting.Prepend(pending));
    }

    private sealed class Pending(AppendRequest request, TaskCreationOptions awaited) : TaskCompletionSource<AppendOutcome>(awaited)
    {
        public AppendRequest Request { get; } = request;

        public bool Answered => Task.IsCompleted;

        public void Complete(AppendOutcome outcome)
        {
            if (outcome is not AppendOutcome.Deferred)
            {
                TrySetResult(outcome);
            }
        }

        public void Fail(Exception e) => TrySetException(e);
    }
}
