using System.Collections.Concurrent;
using System.Globalization;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Projections;

namespace Orleans.EventSourced.Core.Reactions;

/// <summary>What one look for due rows came to.</summary>
/// <param name="Handled">How many rows were handled.</param>
/// <param name="Resting">How many rows rest: they were handled and are still there unchanged.</param>
/// <param name="Fault">What the handler threw at one of those, or that so many rest that others wait for their turn; null: neither.</param>
/// <param name="FaultKey">The key of the row that it threw at.</param>
public sealed record DeadlineTick(int Handled, int Resting, string? Fault, string? FaultKey);

/// <summary>Looks for due rows, earliest first, and hands them to the deadline's handler. Not safe for concurrent use.</summary>
/// <typeparam name="TRow">The class of the rows.</typeparam>
public sealed class DeadlineRunner<TRow>
    where TRow : class
{
    private static readonly TimeSpan ViewPatience = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan ViewPoll = TimeSpan.FromMilliseconds(50);
    private readonly Deadline<TRow> _deadline;
    private readonly IViewReader<TRow> _view;
    private readonly LogTail _tail;
    private readonly DeadlineOptions _options;
    private readonly TimeProvider _time;

    // What was handled and may still be there. Only while it is unchanged does it rest: an event that changes the row may have changed what the command is answered.
    private readonly Dictionary<string, Rest> _resting = new(StringComparer.Ordinal);

    /// <param name="deadline">The deadline.</param>
    /// <param name="view">Its rows.</param>
    /// <param name="tail">The log, to know whether the rows reflect it.</param>
    /// <param name="options">Limits; validated by whoever made them.</param>
    /// <param name="time">The clock of rests and time-outs, as opposed to <see cref="DeadlineOptions.Clock"/>.</param>
    public DeadlineRunner(Deadline<TRow> deadline, IViewReader<TRow> view, LogTail tail, DeadlineOptions options, TimeProvider time)
    {
        ArgumentNullException.ThrowIfNull(deadline);
        ArgumentNullException.ThrowIfNull(view);
        ArgumentNullException.ThrowIfNull(tail);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(time);
        (_deadline, _view, _tail, _options, _time) = (deadline, view, tail, options, time);
    }

    /// <summary>Handles the rows that are due now, in the order of their time; of one time, by key.</summary>
    /// <exception cref="LogUnavailableException">Log or view could not answer, or the view does not get up to the log.</exception>
    /// <exception cref="Exception">What the handler threw when something did not answer; the rows are handled by the next tick.</exception>
    public async Task<DeadlineTick> TickAsync(CancellationToken cancellationToken)
    {
        var now = _options.Clock.GetUtcNow().ToString("O", CultureInfo.InvariantCulture);
        var query = new RowQuery { Filters = [new RowFilter(_deadline.DueColumn, RowComparison.LessOrEqual, now)], SortBy = _deadline.DueColumn, Limit = _options.PageRows };
        LogPosition? head = null;
        var (handled, left) = (0, 0);
        foreach (var rest in _resting.Values)
        {
            rest.IsSeen = false;
        }

        var started = _time.GetTimestamp();
        while (true)
        {
            var page = await _view.QueryAsync(new RowQueryPlan<TRow>(query), cancellationToken).ConfigureAwait(false);
            var rows = page.Rows.Select(_deadline.Due).ToList();
            var wanted = rows.Where(IsWanted).ToList();
            if (wanted.Count > 0 && page.Reflects < (head ??= (await _tail.ReadHeadAsync(cancellationToken).ConfigureAwait(false)).Position))
            {
                // What happened in time must be in the rows before anything is done because it did not happen.
                if (_time.GetElapsedTime(started) >= ViewPatience)
                {
                    throw new LogUnavailableException($"{wanted.Count} rows of deadline {_deadline.Name} are due, but their view reaches position {page.Reflects}, not {head}.");
                }

                await Task.Delay(ViewPoll, _time, cancellationToken).ConfigureAwait(false);
                continue;
            }

            Forget(rows, isLast: page.Next is null);
            var fitting = Fitting(wanted);
            await HandleAsync(fitting, cancellationToken).ConfigureAwait(false);
            handled += fitting.Count;
            left += wanted.Count - fitting.Count;

            // Where no more may rest, the pages behind the last row that rests have nothing to be done.
            if (page.Next is null || (left > 0 && _resting.Values.All(r => r.IsSeen)))
            {
                return Tick(handled, isFull: left > 0);
            }

            query = query with { After = page.Next };
        }
    }

    /// <summary>Lets no row rest any longer.</summary>
    public void Wake()
    {
        foreach (var rest in _resting.Values)
        {
            rest.Until = TimeSpan.Zero;
        }
    }

    private TimeSpan Now => _time.GetElapsedTime(0);

    private bool IsWanted(DueRow<TRow> row) => !_resting.TryGetValue(row.Key, out var rest) || rest.DueAt != row.DueAt || rest.Position != row.Position || rest.Until <= Now;

    /// <summary>The rows that have a place among those that rest: those that are there take none from the others, and are tried however many there are.</summary>
    private List<DueRow<TRow>> Fitting(List<DueRow<TRow>> rows)
    {
        var fitting = new List<DueRow<TRow>>(rows.Count);
        var room = DeadlineOptions.MaxResting - _resting.Count;
        foreach (var row in rows)
        {
            if (_resting.ContainsKey(row.Key) || room-- > 0)
            {
                fitting.Add(row);
            }
        }

        return fitting;
    }

    private DeadlineTick Tick(int handled, bool isFull)
    {
        var faulty = _resting.FirstOrDefault(r => r.Value.Fault is not null);
        var fault = isFull
            ? $"{_resting.Count} rows rest, and no more may: others that are due wait until one of them changes.{(faulty.Value is null ? "" : $" {faulty.Value.Fault}")}"
            : faulty.Value?.Fault;
        return new DeadlineTick(handled, _resting.Count, fault, faulty.Key);
    }

    /// <summary>Forgets the rows that would be on a page up to this one, and are not.</summary>
    private void Forget(List<DueRow<TRow>> page, bool isLast)
    {
        foreach (var row in page)
        {
            if (_resting.TryGetValue(row.Key, out var rest))
            {
                rest.IsSeen = true;
            }
        }

        foreach (var (key, _) in _resting.Where(r => !r.Value.IsSeen && (isLast || Compare((r.Value.DueAt, r.Key), (page[^1].DueAt, page[^1].Key)) <= 0)).ToList())
        {
            _resting.Remove(key);
        }
    }

    private async Task HandleAsync(List<DueRow<TRow>> rows, CancellationToken cancellationToken)
    {
        var answered = new ConcurrentBag<(DueRow<TRow> Row, string? Fault)>();
        Exception? outage = null;
        await Parallel.ForEachAsync(rows, new ParallelOptions { MaxDegreeOfParallelism = _options.Concurrency, CancellationToken = cancellationToken }, async (row, stop) =>
        {
            if (Volatile.Read(ref outage) is not null)
            {
                return;
            }

            try
            {
                await HandlerTime.RunAsync(late => _deadline.HandleAsync(row, late), _options.HandlerTimeout, _time, stop).ConfigureAwait(false);
                answered.Add((row, null));
            }
            catch (Exception e) when (!stop.IsCancellationRequested)
            {
                if (_deadline.Outage(e))
                {
                    Volatile.Write(ref outage, e);
                }
                else
                {
                    answered.Add((row, e.Message));
                }
            }
        }).ConfigureAwait(false);
        foreach (var (row, fault) in answered)
        {
            var before = _resting.GetValueOrDefault(row.Key);
            var length = before is not null && before.DueAt == row.DueAt && before.Position == row.Position ? before.Length * 2 : _options.FirstRest;
            length = length < _options.LongestRest ? length : _options.LongestRest;
            _resting[row.Key] = new Rest(row.DueAt, row.Position, length, fault) { Until = Now + length, IsSeen = true };
        }

        if (outage is not null)
        {
            throw new LogUnavailableException($"Deadline {_deadline.Name} could not be kept now: {outage.Message}", outage);
        }
    }

    /// <summary>The order of the pages: stores compare keys by their bytes.</summary>
    private static int Compare((DateTimeOffset DueAt, string Key) one, (DateTimeOffset DueAt, string Key) other) =>
        one.DueAt.CompareTo(other.DueAt) is var byTime and not 0 ? byTime : TextOrder.Compare(one.Key, other.Key);

    private sealed class Rest(DateTimeOffset dueAt, LogPosition position, TimeSpan length, string? fault)
    {
        public DateTimeOffset DueAt { get; } = dueAt;

        public LogPosition Position { get; } = position;

        public TimeSpan Length { get; } = length;

        public string? Fault { get; } = fault;

        public TimeSpan Until { get; set; }

        public bool IsSeen { get; set; }
    }
}
