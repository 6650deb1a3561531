using System.Runtime.InteropServices;
using System.Threading.Channels;

namespace Orleans.EventSourced.Core.History;

/// <summary>
/// One thread, of the lowest priority, on which all that is folded of the past is folded: grains and requests, whose threads are those of the pool, go first. On Linux the priority of managed threads has no
/// effect, so that there the thread's nice value is raised to 19: beside a busy thread it gets a sixtieth of a core's time (sched(7)). Safe for concurrent use.
/// </summary>
public sealed partial class HistoryThread : IHistoryWorker, IDisposable
{
    private const int MaxWaiting = 1_000;
    private const int LeastFavoured = 19;
    private const int OfOneProcess = 0;
    private readonly Channel<(Action Work, TaskCompletionSource Done, CancellationToken Ends)> _work =
        Channel.CreateBounded<(Action, TaskCompletionSource, CancellationToken)>(new BoundedChannelOptions(MaxWaiting) { SingleReader = true });

    /// <summary>Starts the thread.</summary>
    public HistoryThread() => new Thread(Run) { IsBackground = true, Name = "orleans.eventsourced.history", Priority = ThreadPriority.Lowest }.Start();

    /// <inheritdoc/>
    public async Task RunAsync(Action work, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(work);
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await _work.Writer.WriteAsync((work, done, cancellationToken), cancellationToken).ConfigureAwait(false);
        await done.Task.ConfigureAwait(false);
    }

    /// <summary>Ends the thread when what was given is done.</summary>
    public void Dispose() => _work.Writer.TryComplete();

    // On Linux a thread is a process to the scheduler, and 0 is the calling one: setpriority(2).
    [LibraryImport("libc", EntryPoint = "setpriority", SetLastError = true)]
    private static partial int SetPriority(int which, int who, int nice);

    private void Run()
    {
        if (OperatingSystem.IsLinux())
        {
            // Refused, it would only be less polite.
            _ = SetPriority(OfOneProcess, 0, LeastFavoured);
        }

        while (_work.Reader.WaitToReadAsync().AsTask().GetAwaiter().GetResult())
        {
            while (_work.Reader.TryRead(out var next))
            {
                Do(next.Work, next.Done, next.Ends);
            }
        }
    }

    private static void Do(Action work, TaskCompletionSource done, CancellationToken ends)
    {
        if (ends.IsCancellationRequested)
        {
            done.SetCanceled(ends);
            return;
        }

        try
        {
            work();
            done.SetResult();
        }
        catch (Exception e)
        {
            done.SetException(e);
        }
    }
}
