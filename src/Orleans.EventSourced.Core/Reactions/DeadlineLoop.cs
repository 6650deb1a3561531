using Microsoft.Extensions.Logging;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Projections;

namespace Orleans.EventSourced.Core.Reactions;

/// <summary>What a deadline is doing.</summary>
public enum DeadlineState
{
    /// <summary>It has not looked for due rows yet.</summary>
    Starting,

    /// <summary>It looks for due rows time and again.</summary>
    Ticking,

    /// <summary>Something did not answer at its last look; it tries again by itself.</summary>
    Retrying,
}

/// <summary>How a deadline stands.</summary>
/// <param name="Name">Its name.</param>
/// <param name="State">What it is doing.</param>
/// <param name="Handled">How many rows it has handled since it began here.</param>
/// <param name="Resting">How many due rows were handled and are still there unchanged; each is tried again after a rest.</param>
/// <param name="Fault">What did not answer, or what the handler threw at one of those rows; null: nothing.</param>
/// <param name="FaultKey">The key of that row; null: it is no row.</param>
/// <param name="Attempts">How many looks in a row were in vain.</param>
/// <param name="Since">When the state began.</param>
public sealed record DeadlineStatus(DeadlineName Name, DeadlineState State, long Handled, int Resting, string? Fault, string? FaultKey, int Attempts, DateTimeOffset Since)
{
    /// <summary>How many looks for due rows have come to their end since it began here.</summary>
    public long Looks { get; init; }
}

/// <summary>Keeps a deadline for as long as it is wanted: looks for due rows, waits, tries again after failures.</summary>
public sealed partial class DeadlineLoop
{
    private readonly Lock _gate = new();
    private readonly Func<CancellationToken, Task<DeadlineTick>> _tick;
    private readonly Action _wake;
    private readonly DeadlineOptions _options;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly RetryWait _wait;
    private DeadlineStatus _status;
    private bool _isWoken;

    private DeadlineLoop(DeadlineName name, Func<CancellationToken, Task<DeadlineTick>> tick, Action wake, DeadlineOptions options, TimeProvider time, ILogger logger)
    {
        (_tick, _wake, _options, _time, _logger, _wait) = (tick, wake, options, time, logger, new RetryWait(time));
        _status = new DeadlineStatus(name, DeadlineState.Starting, 0, 0, null, null, 0, time.GetUtcNow());
    }

    /// <summary>How it stands now.</summary>
    public DeadlineStatus Status
    {
        get
        {
            lock (_gate)
            {
                return _status;
            }
        }
    }

    /// <summary>The loop of a deadline.</summary>
    /// <param name="deadline">The deadline.</param>
    /// <param name="view">Its rows.</param>
    /// <param name="tail">The log.</param>
    /// <param name="options">Limits; validated by whoever made them.</param>
    /// <param name="time">The clock of ticks, rests and waits between tries.</param>
    /// <param name="logger">Where failures are told.</param>
    public static DeadlineLoop Of<TRow>(Deadline<TRow> deadline, IViewReader<TRow> view, LogTail tail, DeadlineOptions options, TimeProvider time, ILogger logger)
        where TRow : class
    {
        var runner = new DeadlineRunner<TRow>(deadline, view, tail, options, time);
        return new DeadlineLoop(deadline.Name, runner.TickAsync, runner.Wake, options, time, logger);
    }

    /// <summary>Runs until it is cancelled. Nothing that a tick does ends it.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        try
        {
            while (true)
            {
                await OneAsync(cancellationToken).ConfigureAwait(false);
            }
        }
        catch (Exception) when (cancellationToken.IsCancellationRequested)
        {
            // Its end; what did not answer any more concerns whoever goes on.
        }
    }

    /// <summary>Looks at once, and lets no row rest.</summary>
    public void Resume()
    {
        lock (_gate)
        {
            _isWoken = true;
        }

        _wait.Resume();
    }

    private async Task OneAsync(CancellationToken cancellationToken)
    {
        var resumed = _wait.Resumed;
        lock (_gate)
        {
            if (_isWoken)
            {
                _isWoken = false;
                _wake();
            }
        }

        var delay = _options.TickInterval;
        try
        {
            var tick = await _tick(cancellationToken).ConfigureAwait(false);
            if (tick.Fault is not null && tick.Fault != Status.Fault)
            {
                Threw(_logger, _status.Name, tick.FaultKey, tick.Fault);
            }

            Report(s => s with { State = DeadlineState.Ticking, Handled = s.Handled + tick.Handled, Resting = tick.Resting, Fault = tick.Fault, FaultKey = tick.FaultKey, Attempts = 0, Looks = s.Looks + 1 });
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            Report(s => s with { State = DeadlineState.Retrying, Fault = e.Message, FaultKey = null, Attempts = s.Attempts + 1 });
            var attempts = Status.Attempts;
            if (RetryWait.IsTold(attempts))
            {
                Retrying(_logger, _status.Name, attempts, e);
            }

            delay = RetryWait.DelayAfter(attempts);
        }

        await _wait.WaitAsync(resumed, delay, cancellationToken).ConfigureAwait(false);
    }

    private void Report(Func<DeadlineStatus, DeadlineStatus> change)
    {
        lock (_gate)
        {
            var next = change(_status);
            _status = next.State == _status.State ? next : next with { Since = _time.GetUtcNow() };
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Deadline {Name} could not be kept (try {Try}); it tries again by itself")]
    private static partial void Retrying(ILogger logger, DeadlineName name, int @try, Exception cause);

    [LoggerMessage(Level = LogLevel.Error, Message = "The handler of deadline {Name} threw at row {Key}, which rests before it is tried again: {Fault}")]
    private static partial void Threw(ILogger logger, DeadlineName name, string? key, string fault);
}
