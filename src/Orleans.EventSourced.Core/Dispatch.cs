namespace Orleans.EventSourced.Core;

/// <summary>
/// How work goes on that must not run within the call that makes it possible: on the thread pool. A simulation puts its own way here, so that all happens on one thread, in an order that it chooses.
/// Safe for concurrent use.
/// </summary>
internal class Dispatch
{
    /// <summary>The thread pool.</summary>
    public static Dispatch Pool { get; } = new();

    /// <summary>How a task is made that others wait for.</summary>
    public virtual TaskCreationOptions Awaited => TaskCreationOptions.RunContinuationsAsynchronously;

    /// <summary>Runs it later, without a transaction, trace or other ambient value of the one who asks.</summary>
    public virtual void Post(Action work) => ThreadPool.UnsafeQueueUserWorkItem(static work => work(), work, preferLocal: false);

    /// <summary>Lets the caller go on; what awaits it comes later.</summary>
    public virtual async Task YieldAsync() => await Task.Yield();

    /// <summary>A task for which several wait, as one of them does.</summary>
    public virtual Task EachAsync(Task shared) => shared;

    /// <summary>The same with what it comes to.</summary>
    public virtual Task<T> EachAsync<T>(Task<T> shared) => shared;
}
