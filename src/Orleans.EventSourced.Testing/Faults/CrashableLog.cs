using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.Log;

namespace Orleans.EventSourced.Testing.Faults;

/// <summary>
/// A log in memory that can crash: it loses what is not durable yet. What it answers is durable, so a crash loses nothing; unless it is told to flush later, as a database does with its commits not synchronous:
/// then it answers first (<see cref="SeededBug.AckBeforeDurable"/>). Safe for concurrent use.
/// </summary>
public sealed class CrashableLog : IEventLog
{
    private readonly Lock _gate = new();
    private readonly TimeProvider _time;
    private readonly TimeSpan _flushesAfter;
    private readonly List<(DateTimeOffset At, IReadOnlyList<AppendRequest> Batch)> _batches = [];
    private readonly WrittenClock _clock;
    private readonly Guid _logId;
    private InMemoryEventLog _log;

    /// <param name="time">The clock.</param>
    /// <param name="flushesAfter">How long after its answer an append is durable; 0: before it.</param>
    public CrashableLog(TimeProvider time, TimeSpan flushesAfter = default)
    {
        ArgumentNullException.ThrowIfNull(time);
        ArgumentOutOfRangeException.ThrowIfLessThan(flushesAfter, TimeSpan.Zero);
        (_time, _flushesAfter, _clock) = (time, flushesAfter, new WrittenClock { Now = time.GetUtcNow() });
        _log = new InMemoryEventLog(_clock);
        _logId = CommandId.New(time).Value;
    }

    private InMemoryEventLog Current
    {
        get
        {
            lock (_gate)
            {
                return _log;
            }
        }
    }

    /// <summary>Crashes and starts again, with what is durable.</summary>
    /// <returns>How many appends that were answered are lost.</returns>
    public int Crash()
    {
        lock (_gate)
        {
            var kept = _batches.Count(b => b.At + _flushesAfter <= _time.GetUtcNow());
            var lost = _batches.Count - kept;
            if (lost > 0)
            {
                _batches.RemoveRange(kept, lost);
                _log = new InMemoryEventLog(_clock);
                foreach (var (at, batch) in _batches)
                {
                    Write(at, batch);
                }
            }

            return lost;
        }
    }

    /// <inheritdoc/>
    public Task<IReadOnlyList<AppendOutcome>> AppendAsync(IReadOnlyList<AppendRequest> batch, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        lock (_gate)
        {
            var now = _time.GetUtcNow();
            var written = Write(now, batch);
            if (written.IsCompletedSuccessfully && written.Result.Any(o => o is AppendOutcome.Appended))
            {
                _batches.Add((now, batch));
            }

            return written;
        }
    }

    /// <inheritdoc/>
    public Task<IReadOnlyList<IReadOnlyList<RecordedEvent>>> ReadStreamsAsync(IReadOnlyList<StreamRead> reads, CancellationToken cancellationToken) => Current.ReadStreamsAsync(reads, cancellationToken);

    /// <inheritdoc/>
    public Task<IReadOnlyList<RecordedEvent>> ReadLogAsync(LogPosition after, int maxEvents, CancellationToken cancellationToken) => Current.ReadLogAsync(after, maxEvents, cancellationToken);

    /// <inheritdoc/>
    public async Task<LogHead> ReadHeadAsync(CancellationToken cancellationToken) => await Current.ReadHeadAsync(cancellationToken).ConfigureAwait(false) with { LogId = _logId };

    /// <inheritdoc/>
    public Task<RecordedEvent?> FindCommandAsync(CommandId command, CancellationToken cancellationToken) => Current.FindCommandAsync(command, cancellationToken);

    /// <inheritdoc/>
    public Task<RecordedEvent?> FindEventAsync(EventId id, CancellationToken cancellationToken) => Current.FindEventAsync(id, cancellationToken);

    private Task<IReadOnlyList<AppendOutcome>> Write(DateTimeOffset at, IReadOnlyList<AppendRequest> batch)
    {
        _clock.Now = at;
        return _log.AppendAsync(batch, CancellationToken.None);
    }

    /// <summary>Tells when a batch was written, also when it is read in again.</summary>
    private sealed class WrittenClock : TimeProvider
    {
        public DateTimeOffset Now { get; set; }

        public override DateTimeOffset GetUtcNow() => Now;
    }
}
