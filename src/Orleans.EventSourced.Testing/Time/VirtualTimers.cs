using Orleans.EventSourced.Grains;
using Orleans.EventSourced.Testing.Clusters;
using Orleans.Timers;

namespace Orleans.EventSourced.Testing.Time;

/// <summary>
/// Lets the timers of a silo's grains tick when the test moves the time. The ticks themselves are Orleans' own: in the grain's turns, interleaving or not. The timers of this library's and of
/// Orleans' own grains go by the machine's clock.
/// </summary>
internal sealed class VirtualTimers(ITimerRegistry inner, Agenda agenda, SiloLife life) : ITimerRegistry
{
    public IGrainTimer RegisterGrainTimer<TState>(IGrainContext grainContext, Func<TState, CancellationToken, Task> callback, TState state, GrainTimerCreationOptions options)
    {
        ArgumentNullException.ThrowIfNull(grainContext);
        ArgumentNullException.ThrowIfNull(callback);
        if (!IsUsers(grainContext))
        {
            return inner.RegisterGrainTimer(grainContext, callback, state, options);
        }

        var timer = new VirtualTimer(grainContext, agenda, life);
        timer.Begin(
            inner.RegisterGrainTimer(grainContext, (s, cancellationToken) => timer.TickAsync(() => callback(s, cancellationToken)), state, options with { DueTime = Timeout.InfiniteTimeSpan, Period = Timeout.InfiniteTimeSpan }),
            options.DueTime,
            options.Period);
        return timer;
    }

    public IDisposable RegisterTimer(IGrainContext grainContext, Func<object?, Task> callback, object? state, TimeSpan dueTime, TimeSpan period) =>
        RegisterGrainTimer(grainContext, (s, _) => callback(s), state, new GrainTimerCreationOptions(dueTime, period) { Interleave = true });

    private static bool IsUsers(IGrainContext context) =>
        context.GrainInstance?.GetType().Assembly is { } assembly && assembly != typeof(EventSourcedGrain<,>).Assembly && assembly != typeof(ILocalSiloDetails).Assembly && assembly != typeof(Silo).Assembly;

    private sealed class VirtualTimer(IGrainContext context, Agenda agenda, SiloLife life) : IGrainTimer
    {
        private IGrainTimer _ticks = null!;
        private Agenda.Entry _entry = null!;
        private TaskCompletionSource _ticked = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public void Begin(IGrainTimer ticks, TimeSpan dueTime, TimeSpan period)
        {
            _ticks = ticks;
            _entry = agenda.Add($"A timer of {context.GrainId}", Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan, DueAsync);
            Change(dueTime, period);
            _ = EndWithTheGrainAsync();
        }

        public void Change(TimeSpan dueTime, TimeSpan period)
        {
            if (dueTime == TimeSpan.Zero)
            {
                // Due now, whether the time is moved or not.
                _ticks.Change(TimeSpan.Zero, Timeout.InfiniteTimeSpan);
                _entry.Change(period > TimeSpan.Zero ? period : Timeout.InfiniteTimeSpan, period);
            }
            else
            {
                _entry.Change(dueTime, period);
            }
        }

        public void Dispose()
        {
            _entry.Cancel();
            _ticks.Dispose();
            _ticked.TrySetResult();
        }

        /// <summary>One tick. Who waits for the next one, because its time came while this one runs, is not told of this one.</summary>
        public async Task TickAsync(Func<Task> callback)
        {
            var ticked = _ticked;
            try
            {
                await callback();
                ticked.TrySetResult();
            }
            catch (Exception e)
            {
                ticked.TrySetException(e);
                throw;
            }
        }

        private async Task DueAsync(DateTimeOffset due)
        {
            _ticked = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            _ticks.Change(TimeSpan.Zero, Timeout.InfiniteTimeSpan);
            await await Task.WhenAny(_ticked.Task, context.Deactivated, life.Ended);
        }

        private async Task EndWithTheGrainAsync()
        {
            await Task.WhenAny(context.Deactivated, life.Ended);
            _entry.Cancel();
        }
    }
}
