using Microsoft.Extensions.Logging;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Projections;

namespace Orleans.EventSourced.Core.Reactions;

/// <summary>Runs a reaction for as long as it is wanted: steps, waits for the log, tries again after failures, stops at an event that its handler refuses.</summary>
public sealed partial class ReactionLoop
{
    private readonly Lock _gate = new();
    private readonly ReactionRunner _runner;
    private readonly LogTail _tail;
    private readonly ReactionOptions _options;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly RetryWait _wait;
    private ReactionStatus _status;
    private LogPosition _thrownAt;
    private int _throws;
    private long _stepped;

    /// <param name="reaction">The reaction.</param>
    /// <param name="store">Where its checkpoint is.</param>
    /// <param name="tail">The log.</param>
    /// <param name="options">Limits; validated by whoever made them.</param>
    /// <param name="time">The clock of waits between tries.</param>
    /// <param name="logger">Where failures are told.</param>
    public ReactionLoop(Reaction reaction, IReactionStore store, LogTail tail, ReactionOptions options, TimeProvider time, ILogger logger)
    {
        _runner = new ReactionRunner(reaction, store, tail, options, time);
        (_tail, _options, _time, _logger, _wait) = (tail, options, time, logger, new RetryWait(time));
        _status = new ReactionStatus(reaction.Name, ReactionState.Starting, LogPosition.Start, tail.Head, null, LogPosition.Start, 0, time.GetUtcNow());
    }

    /// <summary>Where it stands now.</summary>
    public ReactionStatus Status
    {
        get
        {
            lock (_gate)
            {
                return _status with { Head = _tail.Head > _status.Position ? _tail.Head : _status.Position };
            }
        }
    }

    /// <summary>Runs until it is cancelled. Nothing that a step does ends it.</summary>
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

    /// <summary>Tries again at once, where it is stopped or waits before its next try.</summary>
    public void Resume() => _wait.Resume();

    private async Task OneAsync(CancellationToken cancellationToken)
    {
        // Taken before the step: somebody may resume it while it fails.
        var resumed = _wait.Resumed;
        ReactionStep step;
        try
        {
            _stepped = _time.GetTimestamp();
            step = await _runner.StepAsync(cancellationToken).ConfigureAwait(false);
            if (step is ReactionStep.AtHead head)
            {
                Report(head.Position, ReactionState.Live);
                await _tail.WaitAsync(head.Position, cancellationToken).ConfigureAwait(false);
                await RestAsync(cancellationToken).ConfigureAwait(false);
                return;
            }
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            _runner.Reopen();
            await RetryAsync(Status.Position, ReactionState.Retrying, e, LogPosition.Start, resumed, cancellationToken).ConfigureAwait(false);
            return;
        }

        switch (step)
        {
            case ReactionStep.Advanced(var position, var events):
                Report(position, position < _tail.Head ? ReactionState.CatchingUp : ReactionState.Live);
                if (events < _tail.PageEvents && position >= _tail.Head)
                {
                    await RestAsync(cancellationToken).ConfigureAwait(false);
                }

                break;
            case ReactionStep.Overtaken(var position):
                // Its twin will be deactivated; until then both handle, with one effect.
                Overtaken(_logger, _status.Name, position.Value);
                Report(position, ReactionState.CatchingUp);
                await Task.Delay(RetryWait.FirstDelay, _time, cancellationToken).ConfigureAwait(false);
                break;
            case ReactionStep.Unknown(var position, var missing):
                await RetryAsync(position, ReactionState.WaitingForNewerProgram, missing, position + 1, resumed, cancellationToken).ConfigureAwait(false);
                break;
            case ReactionStep.Failed(var position, { IsOutage: true } fault):
                await RetryAsync(position, ReactionState.Retrying, fault, fault.Recorded.Position, resumed, cancellationToken).ConfigureAwait(false);
                break;
            case ReactionStep.Failed(var position, var fault):
                await PoisonAsync(position, fault, resumed, cancellationToken).ConfigureAwait(false);
                break;
            default:
                throw new InvalidOperationException($"A step came to {step}.");
        }
    }

    private async Task PoisonAsync(LogPosition position, ReactionException fault, Task resumed, CancellationToken cancellationToken)
    {
        (_thrownAt, _throws) = (fault.Recorded.Position, _thrownAt == fault.Recorded.Position ? _throws + 1 : 1);
        var isLast = _throws >= _options.Attempts;
        try
        {
            if (isLast && _options.Poison == ReactionPoison.Skip && await _runner.SkipAsync(fault, cancellationToken).ConfigureAwait(false))
            {
                Skipped(_logger, _status.Name, _throws, fault);
                return;
            }
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            await RetryAsync(position, ReactionState.Retrying, e, LogPosition.Start, resumed, cancellationToken).ConfigureAwait(false);
            return;
        }

        await RetryAsync(position, isLast ? ReactionState.Stopped : ReactionState.Retrying, fault, fault.Recorded.Position, resumed, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Lets events gather for the next step, where the last one is not long ago.</summary>
    private Task RestAsync(CancellationToken cancellationToken)
    {
        var rest = _options.StepInterval - _time.GetElapsedTime(_stepped);
        return rest > TimeSpan.Zero ? Task.Delay(rest, _time, cancellationToken) : Task.CompletedTask;
    }

    private async Task RetryAsync(LogPosition position, ReactionState state, Exception fault, LogPosition at, Task resumed, CancellationToken cancellationToken)
    {
        int attempts;
        lock (_gate)
        {
            attempts = _status.Position == position ? _status.Attempts + 1 : 1;
        }

        Report(position, state, fault.Message, at, attempts);
        if (state == ReactionState.Stopped)
        {
            Stopped(_logger, _status.Name, attempts, fault);
            await resumed.WaitAsync(cancellationToken).ConfigureAwait(false);
            return;
        }

        if (RetryWait.IsTold(attempts))
        {
            Retrying(_logger, _status.Name, attempts, fault);
        }

        await _wait.WaitAsync(resumed, RetryWait.DelayAfter(attempts), cancellationToken).ConfigureAwait(false);
    }

    private void Report(LogPosition position, ReactionState state, string? fault = null, LogPosition faultAt = default, int attempts = 0)
    {
        lock (_gate)
        {
            var since = state == _status.State ? _status.Since : _time.GetUtcNow();
            _status = _status with { State = state, Position = position, Fault = fault, FaultAt = faultAt, Attempts = attempts, Since = since };
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Reaction {Name} could not go on (try {Try}); it tries again by itself")]
    private static partial void Retrying(ILogger logger, ReactionName name, int @try, Exception cause);

    [LoggerMessage(Level = LogLevel.Error, Message = "Reaction {Name} stands still after {Tries} tries at one event; everything else goes on. Mend its handler or skip the event, then resume it")]
    private static partial void Stopped(ILogger logger, ReactionName name, int tries, Exception cause);

    [LoggerMessage(Level = LogLevel.Error, Message = "Reaction {Name} passes over an event after {Tries} tries; what should follow from it was not done")]
    private static partial void Skipped(ILogger logger, ReactionName name, int tries, Exception cause);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Another runner of reaction {Name} has moved its checkpoint to {Position}; this one goes on from there")]
    private static partial void Overtaken(ILogger logger, ReactionName name, long position);
}
