namespace Orleans.EventSourced.Core.Reactions;

/// <summary>Bounds the time of a handler.</summary>
internal static class HandlerTime
{
    /// <summary>Runs a handler, and leaves it to itself when it takes longer than it may.</summary>
    /// <exception cref="TimeoutException">It took longer.</exception>
    public static async Task RunAsync(Func<CancellationToken, Task> handle, TimeSpan atMost, TimeProvider time, CancellationToken cancellationToken)
    {
        using var late = new CancellationTokenSource(atMost, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(late.Token, cancellationToken);
        try
        {
            await handle(either.Token).WaitAsync(either.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException e) when (late.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            throw new TimeoutException($"The handler took longer than {atMost}.", e);
        }
    }
}
