using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Threading.Channels;

namespace Orleans.EventSourced.Core.History;

/// <summary>
/// One thread on which all that is folded of the past is folded, so that grains and requests go first. It works as fast as it can while the process is quiet, and takes one part in
/// <see cref="RestsOf"/> of the time while others are at work. Safe for concurrent use.
/// </summary>
/// <remarks>
/// Its priority is the lowest; on Linux, where the priority of managed threads has no effect, its nice value is raised to 19 (sched(7)). That alone is not enough: what it allocates makes the collector
/// stop all threads, and the database reads for it beside the commits. 128 callers on two cores kept 0.4 of their rate beside a thread that only was nice.
/// </remarks>
public sealed partial class HistoryThread : IHistoryWorker, IDisposable
{
    /// <summary>It rests so many times as long as it worked, while others are at work.</summary>
    public const int RestsOf = 24;

    /// <summary>The share of the machine's processor time above which the rest of the process counts as at work. What the rest does for the thread itself, which is to read the log, stays below it.</summary>
    private const double Busy = 0.22;

    /// <summary>The share below which it counts as quiet again; little is read while the thread rests.</summary>
    private const double Calm = 0.05;
    private const int MaxWaiting = 1_000;
    private const int LeastFavoured = 19;
    private const int OfOneProcess = 0;
    private static readonly TimeSpan LongestRest = TimeSpan.FromSeconds(1);
    private readonly Channel<(Action Work, TaskCompletionSource Done, CancellationToken Ends)> _work =
        Channel.CreateBounded<(Action, TaskCompletionSource, CancellationToken)>(new BoundedChannelOptions(MaxWaiting) { SingleReader = true });

    private readonly ManualResetEventSlim _over = new();
    private long _since = Stopwatch.GetTimestamp();
    private bool _othersWork;
    private TimeSpan _used = Environment.CpuUsage.TotalTime;

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
    public void Dispose()
    {
        _work.Writer.TryComplete();
        _over.Set();
    }

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
                var began = Stopwatch.GetTimestamp();
                Do(next.Work, next.Done, next.Ends);
                Rest(Stopwatch.GetElapsedTime(began));
            }
        }
    }

    /// <summary>Looks what the others of this process did since the last time, and leaves the machine to them if it was much.</summary>
    private void Rest(TimeSpan worked)
    {
        var (now, used) = (Stopwatch.GetTimestamp(), Environment.CpuUsage.TotalTime);
        var others = (used - _used - worked) / (Stopwatch.GetElapsedTime(_since, now) * Environment.ProcessorCount);
        (_since, _used) = (now, used);
        _othersWork = others > (_othersWork ? Calm : Busy);
        if (_othersWork)
        {
            var rest = worked * RestsOf;
            _over.Wait(rest < LongestRest ? rest : LongestRest);
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
