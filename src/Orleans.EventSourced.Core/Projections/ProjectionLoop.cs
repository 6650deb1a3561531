using Microsoft.Extensions.Logging;
using Orleans.EventSourced.Core.Log;

namespace Orleans.EventSourced.Core.Projections;

/// <summary>Runs one slice of a projection for as long as it is wanted: steps, waits for the log, tries again after failures, stops at an event that its fold refuses.</summary>
public abstract partial class ProjectionLoop
{
    private readonly Lock _gate = new();
    private readonly LogTail _tail;
    private readonly ProjectionOptions _options;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly Action<ProjectionStatus>? _changed;
    private readonly PoisonPolicy _poison;
    private readonly RetryWait _wait;
    private ProjectionStatus _status;
    private long _stepped;
    private TimeSpan _took;
    private TaskCompletionSource _hurried = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private LogPosition _refusedAt;
    private int _refusals;
    private long _heldAt;
    private TimeSpan _hold;

    private protected ProjectionLoop(ViewId view, Slice slice, LogTail tail, ProjectionOptions options, TimeProvider time, ILogger logger, Action<ProjectionStatus>? changed, PoisonPolicy poison)
    {
        (_tail, _options, _time, _logger, _changed, _poison, _wait) = (tail, options, time, logger, changed, poison, new RetryWait(time));
        _status = new ProjectionStatus(view, slice, ProjectionState.Starting, LogPosition.Start, tail.Head, null, LogPosition.Start, 0, time.GetUtcNow());
    }

    /// <summary>Where it stands now.</summary>
    public ProjectionStatus Status
    {
        get
        {
            lock (_gate)
            {
                return _status with { Head = _tail.Head > _status.Position ? _tail.Head : _status.Position };
            }
        }
    }

    /// <summary>Runs until it is cancelled, or until there is no table any more that it could fill. Nothing else that a step does ends it.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        try
        {
            while (await OneAsync(cancellationToken).ConfigureAwait(false))
            {
                // One step after the other.
            }
        }
        catch (Exception) when (cancellationToken.IsCancellationRequested)
        {
            // Its end; what did not answer any more concerns whoever goes on.
        }
    }

    /// <summary>Tries again at once, where it is stopped, held or waits before its next try, and lets the parked rows try again too.</summary>
    public void Resume()
    {
        lock (_gate)
        {
            _hold = TimeSpan.Zero;
        }

        RetryParked();
        _wait.Resume();
    }

    /// <summary>Takes no further step for so long, or until it is resumed; the one that it is taking it ends. So another table can come as far.</summary>
    public void Hold(TimeSpan atMost)
    {
        lock (_gate)
        {
            (_heldAt, _hold) = (_time.GetTimestamp(), atMost);
        }
    }

    /// <summary>
    /// Somebody waits for the rows to come further: the rest before the next step ends, once it is as long as the last step was. So a reader of its own writes does not wait for
    /// <see cref="ProjectionOptions.StepInterval"/>, and many of them leave half of the time to others.
    /// </summary>
    public void Hurry() => Volatile.Read(ref _hurried).TrySetResult();

    private protected abstract Task<ProjectionStep> StepAsync(PoisonPolicy poison, CancellationToken cancellationToken);

    private protected abstract void RetryParked();

    private protected abstract void Reopen();

    /// <summary>How many rows are parked, and the event at which the first of them stands.</summary>
    private protected abstract (int Rows, ParkedEvent? First) Parked { get; }

    /// <summary>Takes a step and waits for the time of the next one. False: there is none.</summary>
    private async Task<bool> OneAsync(CancellationToken cancellationToken)
    {
        await HeldAsync(cancellationToken).ConfigureAwait(false);
        var resumed = _wait.Resumed;
        ProjectionStep step;
        try
        {
            _stepped = _time.GetTimestamp();
            step = await StepAsync(_refusals + 1 < _options.Attempts ? PoisonPolicy.Stop : _poison, cancellationToken).ConfigureAwait(false);
            _took = _time.GetElapsedTime(_stepped);
            if (step is ProjectionStep.AtHead head)
            {
                Report(head.Position, ProjectionState.Live);
                await MoreAsync(head.Position, resumed, cancellationToken).ConfigureAwait(false);
                await RestAsync(cancellationToken).ConfigureAwait(false);
                return true;
            }
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            Reopen();
            await RetryAsync(Status.Position, ProjectionState.Retrying, e.Message, LogPosition.Start, e, resumed, cancellationToken).ConfigureAwait(false);
            return true;
        }

        switch (step)
        {
            case ProjectionStep.Advanced(var position, var events):
                _refusals = 0;
                Report(position, position < _tail.Head ? ProjectionState.CatchingUp : ProjectionState.Live);
                if (events < _tail.PageEvents)
                {
                    await RestAsync(cancellationToken).ConfigureAwait(false);
                }

                break;
            case ProjectionStep.Gone:
                Report(Status.Position, ProjectionState.Ended);
                return false;
            case ProjectionStep.Overtaken(var position):
                // Its twin will be deactivated, until then they take turns; or another table has taken the place of the one that it had.
                Overtaken(_logger, Name, position.Value);
                Report(position, ProjectionState.CatchingUp);
                await Task.Delay(RetryWait.FirstDelay, _time, cancellationToken).ConfigureAwait(false);
                break;
            case ProjectionStep.Unknown(var position, var missing):
                await RetryAsync(position, ProjectionState.WaitingForNewerProgram, missing.Message, position + 1, missing, resumed, cancellationToken).ConfigureAwait(false);
                break;
            case ProjectionStep.Poisoned(var position, var fault):
                // Only what the fold says counts: a store that did not answer meanwhile says nothing of the event.
                (_refusedAt, _refusals) = (position, position == _refusedAt ? _refusals + 1 : 1);
                var state = _refusals < _options.Attempts ? ProjectionState.Retrying : ProjectionState.Stopped;
                await RetryAsync(position, state, fault.Message, fault.Recorded.Position, fault, resumed, cancellationToken).ConfigureAwait(false);
                break;
            default:
                throw new InvalidOperationException($"A step came to {step}.");
        }

        return true;
    }

    /// <summary>Waits for the log to go on, or to be resumed.</summary>
    private async Task MoreAsync(LogPosition after, Task resumed, CancellationToken cancellationToken)
    {
        using var enough = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var more = _tail.WaitAsync(after, enough.Token);
        if (await Task.WhenAny(more, resumed).ConfigureAwait(false) == resumed)
        {
            await enough.CancelAsync().ConfigureAwait(false);
        }

        try
        {
            await more.ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            // Resumed.
        }
    }

    private async Task HeldAsync(CancellationToken cancellationToken)
    {
        var resumed = _wait.Resumed;
        TimeSpan left;
        lock (_gate)
        {
            left = _hold - _time.GetElapsedTime(_heldAt);
        }

        if (left > TimeSpan.Zero)
        {
            await _wait.WaitAsync(resumed, left, cancellationToken).ConfigureAwait(false);
        }
    }

    private string Name => $"{_status.View.Table}/{_status.Slice}";

    /// <summary>Lets events gather for the next step, where the last one is not long ago.</summary>
    private async Task RestAsync(CancellationToken cancellationToken)
    {
        await RestUntilAsync(_took * 2 < _options.StepInterval ? _took * 2 : _options.StepInterval, Task.Delay, cancellationToken).ConfigureAwait(false);
        await RestUntilAsync(_options.StepInterval, HurriedAsync, cancellationToken).ConfigureAwait(false);
        if (_hurried.Task.IsCompleted)
        {
            Volatile.Write(ref _hurried, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
        }
    }

    private Task RestUntilAsync(TimeSpan sinceTheStep, Func<TimeSpan, TimeProvider, CancellationToken, Task> rest, CancellationToken cancellationToken)
    {
        var left = sinceTheStep - _time.GetElapsedTime(_stepped);
        return left > TimeSpan.Zero ? rest(left, _time, cancellationToken) : Task.CompletedTask;
    }

    private async Task HurriedAsync(TimeSpan atMost, TimeProvider time, CancellationToken cancellationToken)
    {
        try
        {
            await _hurried.Task.WaitAsync(atMost, time, cancellationToken).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            // Nobody is in a hurry.
        }
    }

    private async Task RetryAsync(LogPosition position, ProjectionState state, string fault, LogPosition at, Exception cause, Task resumed, CancellationToken cancellationToken)
    {
        int attempts;
        lock (_gate)
        {
            attempts = _status.Position == position ? _status.Attempts + 1 : 1;
        }

        Report(position, state, fault, at, attempts);
        if (state == ProjectionState.Stopped)
        {
            Stopped(_logger, Name, attempts, cause);
            await resumed.WaitAsync(cancellationToken).ConfigureAwait(false);
            return;
        }

        if (RetryWait.IsTold(attempts))
        {
            Retrying(_logger, Name, attempts, cause);
        }

        await _wait.WaitAsync(resumed, RetryWait.DelayAfter(attempts), cancellationToken).ConfigureAwait(false);
    }

    private void Report(LogPosition position, ProjectionState state, string? fault = null, LogPosition faultAt = default, int attempts = 0)
    {
        var (parked, first) = Parked;
        if (fault is null && first is not null)
        {
            (fault, faultAt) = ($"The row '{first.Key}' is parked: {first.Fault}", first.Position);
        }

        ProjectionStatus status;
        int before;
        lock (_gate)
        {
            before = _status.Parked;
            var since = state == _status.State ? _status.Since : _time.GetUtcNow();
            status = _status = _status with { State = state, Position = position, Fault = fault, FaultAt = faultAt, Attempts = attempts, Since = since, Parked = parked };
        }

        if (parked > before)
        {
            RowsParked(_logger, Name, parked, fault);
        }

        _changed?.Invoke(status);
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Projection {Name} could not go on (try {Try}); it tries again by itself")]
    private static partial void Retrying(ILogger logger, string name, int @try, Exception cause);

    [LoggerMessage(Level = LogLevel.Error, Message = "Projection {Name} stands still after {Tries} tries at one event; its rows stay as they are, everything else goes on. Mend the fold or skip the event, then resume it")]
    private static partial void Stopped(ILogger logger, string name, int tries, Exception cause);

    [LoggerMessage(Level = LogLevel.Error, Message = "Projection {Name} has {Rows} parked rows, which stand still while all others go on; the first: {Fault}. Mend the fold or skip the event, then resume it")]
    private static partial void RowsParked(ILogger logger, string name, int rows, string? fault);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Projection {Name} was moved to {Position} by another runner, or to another table; it goes on from there")]
    private static partial void Overtaken(ILogger logger, string name, long position);
}

/// <summary>The loop of one slice of a view.</summary>
/// <typeparam name="TRow">The class of a row.</typeparam>
public sealed class ProjectionLoop<TRow> : ProjectionLoop
    where TRow : class
{
    private readonly ProjectionRunner<TRow> _runner;

    /// <param name="projection">The view.</param>
    /// <param name="slice">The share of its rows.</param>
    /// <param name="table">Where they are.</param>
    /// <param name="tail">The log.</param>
    /// <param name="options">When to stop; validated by whoever made them.</param>
    /// <param name="time">The clock of waits between tries.</param>
    /// <param name="logger">Where failures are told.</param>
    /// <param name="changed">Told of every change, in order, on the loop's own thread: it must be quick and not throw.</param>
    /// <param name="poison">What it does at an event that its fold refuses at every try.</param>
    public ProjectionLoop(Projection<TRow> projection, Slice slice, IViewTable<TRow> table, LogTail tail, ProjectionOptions options, TimeProvider time, ILogger logger, Action<ProjectionStatus>? changed = null, PoisonPolicy poison = PoisonPolicy.Stop)
        : base((projection ?? throw new ArgumentNullException(nameof(projection))).View, slice, tail, options, time, logger, changed, poison) =>
        _runner = new ProjectionRunner<TRow>(projection, slice, table, tail);

    private protected override Task<ProjectionStep> StepAsync(PoisonPolicy poison, CancellationToken cancellationToken) => _runner.StepAsync(poison, cancellationToken);

    private protected override void RetryParked() => _runner.RetryParked();

    private protected override void Reopen() => _runner.Reopen();

    private protected override (int Rows, ParkedEvent? First) Parked => (_runner.Parked, _runner.FirstParked);
}
