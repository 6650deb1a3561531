using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Projections;

namespace Orleans.EventSourced.Projections;

/// <summary>
/// How far the views' rows reach, as this silo knows: its own loops tell at once, and hurry while somebody waits; those of other silos are asked for in the store. A wait
/// holds no connection. Safe for concurrent use.
/// </summary>
internal sealed class Checkpoints(TimeProvider time)
{
    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(20);
    private readonly Lock _gate = new();
    private readonly Dictionary<(string Table, int Slice), LogPosition> _known = [];
    private readonly Dictionary<string, Task<IReadOnlyList<LogPosition>>> _polls = new(StringComparer.Ordinal);
    private readonly Dictionary<(string Table, int Slice), ProjectionLoop> _loops = [];
    private TaskCompletionSource _moved = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Told by the loops of this silo.</summary>
    public void Report(ProjectionStatus status) => Learn(status.View.Table, [(status.Slice.Index, status.Position)]);

    /// <summary>A loop that runs on this silo, to be hurried while somebody waits for it, until the result is disposed.</summary>
    public IDisposable Hurries(string table, ProjectionLoop loop)
    {
        var part = (table, loop.Status.Slice.Index);
        lock (_gate)
        {
            _loops[part] = loop;
        }

        return new Hurried(this, part, loop);
    }

    /// <summary>Whether these slices of a view reach the position, now or within the time given.</summary>
    /// <exception cref="LogUnavailableException">The store could not be asked.</exception>
    public async Task<bool> WaitAsync(RegisteredView view, IReadOnlyCollection<int> slices, LogPosition position, TimeSpan atMost, CancellationToken cancellationToken)
    {
        var started = time.GetTimestamp();
        while (true)
        {
            Task moved;
            lock (_gate)
            {
                if (slices.All(s => _known.GetValueOrDefault((view.View.Table, s)) >= position))
                {
                    return true;
                }

                moved = _moved.Task;
            }

            if (time.GetElapsedTime(started) >= atMost)
            {
                return false;
            }

            Hurry(view.View.Table, slices, position);

            try
            {
                await moved.WaitAsync(PollInterval, time, cancellationToken).ConfigureAwait(false);
            }
            catch (TimeoutException)
            {
                var read = await PollAsync(view).WaitAsync(cancellationToken).ConfigureAwait(false);
                Learn(view.View.Table, read.Select((p, i) => (i, p)));
            }
        }
    }

    private void Hurry(string table, IReadOnlyCollection<int> slices, LogPosition position)
    {
        lock (_gate)
        {
            foreach (var slice in slices)
            {
                if (_loops.TryGetValue((table, slice), out var loop) && _known.GetValueOrDefault((table, slice)) < position)
                {
                    loop.Hurry();
                }
            }
        }
    }

    /// <summary>One question to the store at a time for all who wait for one view.</summary>
    private Task<IReadOnlyList<LogPosition>> PollAsync(RegisteredView view)
    {
        lock (_gate)
        {
            if (!_polls.TryGetValue(view.View.Table, out var poll) || poll.IsCompleted)
            {
                _polls[view.View.Table] = poll = view.ReadCheckpointsAsync();
            }

            return poll;
        }
    }

    private void Learn(string table, IEnumerable<(int Slice, LogPosition Position)> read)
    {
        TaskCompletionSource? moved = null;
        lock (_gate)
        {
            foreach (var (slice, position) in read)
            {
                if (position > _known.GetValueOrDefault((table, slice)))
                {
                    _known[(table, slice)] = position;
                    moved = _moved;
                }
            }

            if (moved is not null)
            {
                _moved = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            }
        }

        moved?.SetResult();
    }

    private sealed class Hurried(Checkpoints owner, (string Table, int Slice) part, ProjectionLoop loop) : IDisposable
    {
        public void Dispose()
        {
            lock (owner._gate)
            {
                if (owner._loops.GetValueOrDefault(part) == loop)
                {
                    owner._loops.Remove(part);
                }
            }
        }
    }
}
