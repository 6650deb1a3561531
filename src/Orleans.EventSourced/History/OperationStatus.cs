using Orleans.EventSourced.Core.History;

namespace Orleans.EventSourced.History;

/// <summary>How far some long work is.</summary>
/// <param name="State">Whether it goes on.</param>
/// <param name="Done">How many events were folded.</param>
/// <param name="Of">How many there are.</param>
/// <param name="Fault">Why it failed; null: it did not.</param>
/// <param name="Kind">The kind of fault; null where the store failed, so that asking again may help.</param>
[GenerateSerializer, Immutable, Alias("Orleans.EventSourced.OperationStatus")]
public sealed record OperationStatus(
    [property: Id(0)] OperationState State, [property: Id(1)] long Done, [property: Id(2)] long Of, [property: Id(3)] string? Fault = null, [property: Id(4)] HistoryFault? Kind = null);

/// <summary>Whether some work goes on.</summary>
[GenerateSerializer, Alias("Orleans.EventSourced.OperationState")]
public enum OperationState
{
    /// <summary>Nobody asked for it, or what it came to is not kept any more.</summary>
    None,

    /// <summary>It goes on.</summary>
    Running,

    /// <summary>Its result can be had.</summary>
    Done,

    /// <summary>It failed.</summary>
    Failed,
}

/// <summary>Some work on the history thread, begun once, with its progress and what it comes to. Safe for concurrent use.</summary>
internal sealed class Operation<T>
    where T : class
{
    private readonly Task<T> _work;
    private readonly CancellationTokenSource _stop = new();
    private long _done;
    private long _of;

    public Operation(Func<Action<long, long>, CancellationToken, Task<T>> work) => _work = Task.Run(() => RunAsync(work));

    public OperationStatus Status => _work switch
    {
        { IsCompletedSuccessfully: true } => new OperationStatus(OperationState.Done, Interlocked.Read(ref _of), Interlocked.Read(ref _of)),
        { IsCompleted: true } => Failed(_work.Exception?.GetBaseException()),
        _ => new OperationStatus(OperationState.Running, Interlocked.Read(ref _done), Interlocked.Read(ref _of)),
    };

    /// <summary>What it came to; null: it still goes on.</summary>
    public async Task<T?> ResultAsync(TimeSpan atMost, TimeProvider time)
    {
        try
        {
            return await _work.WaitAsync(atMost, time);
        }
        catch (TimeoutException) when (!_work.IsCompleted)
        {
            return null;
        }
    }

    /// <summary>Ends it at the next page; whoever waits for it is told.</summary>
    public void Stop() => _stop.Cancel();

    private async Task<T> RunAsync(Func<Action<long, long>, CancellationToken, Task<T>> work)
    {
        try
        {
            return await work(Progress, _stop.Token);
        }
        catch (OperationCanceledException e) when (_stop.IsCancellationRequested)
        {
            throw new HistoryException(HistoryFault.NotNow, "It was ended before it was done, because others are wanted more, or what it is about changed; ask again.", e);
        }
    }

    private void Progress(long done, long of)
    {
        Interlocked.Exchange(ref _of, of);
        Interlocked.Exchange(ref _done, done);
    }

    private static OperationStatus Failed(Exception? cause) =>
        new(OperationState.Failed, 0, 0, cause?.Message ?? "It was ended.", (cause as HistoryException)?.Fault);
}
