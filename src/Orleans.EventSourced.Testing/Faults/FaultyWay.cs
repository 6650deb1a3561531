using Orleans.EventSourced.Core.Log;

namespace Orleans.EventSourced.Testing.Faults;

/// <summary>The way to a store and back, on which a plan says what happens.</summary>
/// <param name="plan">What happens.</param>
/// <param name="time">The clock of delays.</param>
/// <param name="gate">Passed by each call before it sets out and when it is back: while the gate is closed its caller stands still. Null: it is open.</param>
internal sealed class FaultyWay(FaultPlan plan, TimeProvider time, Func<Task>? gate = null)
{
    private readonly Lock _gate = new();
    private readonly HashSet<Task> _late = [];

    /// <summary>Completes when the late requests that are on their way by now have arrived.</summary>
    public Task SettleAsync()
    {
        lock (_gate)
        {
            return Task.WhenAll(_late);
        }
    }

    public Task<T> ReadAsync<T>(Func<CancellationToken, Task<T>> read, CancellationToken cancellationToken) => PassAsync(() => SendReadAsync(read, cancellationToken));

    /// <param name="write">The write.</param>
    /// <param name="unknown">What its caller is told where its fate is not known.</param>
    /// <param name="raced">What its caller is told where another one was faster.</param>
    /// <param name="cancellationToken">Ends the way to the store, not the write.</param>
    public Task<T> WriteAsync<T>(Func<Task<T>> write, Func<string, Exception> unknown, Func<T> raced, CancellationToken cancellationToken) =>
        PassAsync(() => SendWriteAsync(write, unknown, raced, cancellationToken));

    private async Task<T> PassAsync<T>(Func<Task<T>> call)
    {
        if (gate is null)
        {
            return await call().ConfigureAwait(false);
        }

        await gate().ConfigureAwait(false);
        try
        {
            return await call().ConfigureAwait(false);
        }
        finally
        {
            await gate().ConfigureAwait(false);
        }
    }

    private async Task<T> SendReadAsync<T>(Func<CancellationToken, Task<T>> read, CancellationToken cancellationToken)
    {
        var fault = plan.TakeRead();
        await DelayAsync(fault.Before, cancellationToken).ConfigureAwait(false);
        if (fault.Kind != FaultKind.None)
        {
            throw Unavailable();
        }

        var answer = await read(cancellationToken).ConfigureAwait(false);
        await DelayAsync(fault.After, cancellationToken).ConfigureAwait(false);
        return answer;
    }

    private async Task<T> SendWriteAsync<T>(Func<Task<T>> write, Func<string, Exception> unknown, Func<T> raced, CancellationToken cancellationToken)
    {
        var fault = plan.TakeWrite();
        await DelayAsync(fault.Before, cancellationToken).ConfigureAwait(false);
        switch (fault.Kind)
        {
            case FaultKind.Unavailable:
                throw Unavailable();
            case FaultKind.Race:
                return raced();
            case FaultKind.LostRequest:
                throw unknown("The plan of faults lost this request on its way.");
            case FaultKind.LateRequest:
                SendLate(write, fault.After);
                throw unknown("The plan of faults delays this request; it may still arrive.");
            default:
                var answer = await write().ConfigureAwait(false);
                await DelayAsync(fault.After, CancellationToken.None).ConfigureAwait(false);
                return fault.Kind == FaultKind.LostReply ? throw unknown("The plan of faults lost the reply.") : answer;
        }
    }

    private static LogUnavailableException Unavailable() => new("The plan of faults lets this call fail.");

    private void SendLate<T>(Func<Task<T>> write, TimeSpan lateness)
    {
        var late = ArriveAsync(write, lateness);
        lock (_gate)
        {
            _late.RemoveWhere(t => t.IsCompletedSuccessfully);
            _late.Add(late);
        }
    }

    private async Task ArriveAsync<T>(Func<Task<T>> write, TimeSpan lateness)
    {
        await DelayAsync(lateness, CancellationToken.None).ConfigureAwait(false);
        try
        {
            _ = await write().ConfigureAwait(false);
        }
        catch (LogException)
        {
            // Its caller has gone long ago: nobody is there to be told.
        }
    }

    private Task DelayAsync(TimeSpan delay, CancellationToken cancellationToken) => delay > TimeSpan.Zero ? Task.Delay(delay, time, cancellationToken) : Task.CompletedTask;
}
