using Orleans.EventSourced.Core.Log;

namespace Orleans.EventSourced.Core.Projections;

/// <summary>The rows of a slice that stand still at an event which their fold refuses, as they were when the slice was opened and by its commits since.</summary>
internal sealed class ParkedRows
{
    private readonly Dictionary<string, (ParkedEvent Refused, int Waiting)> _byKey = new(StringComparer.Ordinal);

    public ParkedRows(IEnumerable<ParkedEvent> parked) => Add(parked);

    public int Count => _byKey.Count;

    /// <summary>The event that was refused first; null: no row is parked.</summary>
    public ParkedEvent? First => _byKey.Values.Select(r => r.Refused).MinBy(r => r.Position);

    /// <summary>How many events wait for the row; 0: it is not parked.</summary>
    public int Waiting(string key) => _byKey.GetValueOrDefault(key).Waiting;

    public void Add(IEnumerable<ParkedEvent> parked)
    {
        foreach (var e in parked)
        {
            _byKey[e.Key] = _byKey.TryGetValue(e.Key, out var row) ? (row.Refused, row.Waiting + 1) : (e, 1);
        }
    }

    /// <summary>
    /// Folds what waits for a row again, up to the event that is still refused. It takes the events, and for a view with routes their whole streams, from the log.
    /// </summary>
    /// <returns>What the table is to keep; null: the first of them is still refused, so nothing changes.</returns>
    public static async Task<Retried<TRow>?> RetryAsync<TRow>(
        Projection<TRow> projection, Slice slice, IViewTable<TRow> table, LogTail tail, IReadOnlyList<ParkedEvent> waiting, IReadOnlySet<LogPosition> skipped, CancellationToken cancellationToken)
        where TRow : class
    {
        var key = waiting[0].Key;
        Dictionary<LogPosition, RowStep<TRow>> steps;
        try
        {
            steps = await StepsAsync(projection, slice, table, tail, waiting, skipped, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (e is ViewFoldException or UnknownEventTypeException or LogCorruptException)
        {
            return null;
        }

        var row = (await table.ReadRowsAsync([key], cancellationToken).ConfigureAwait(false)).GetValueOrDefault(key);
        RowChange<TRow>? change = null;
        for (var i = 0; i < waiting.Count; i++)
        {
            // One that was skipped since, or concerns another row by the program's newer fold, is passed over.
            if (!steps.TryGetValue(waiting[i].Position, out var step))
            {
                continue;
            }

            try
            {
                var before = row;
                change = ViewFoldException.Guard(step.Recorded, () => new RowChange<TRow>(key, step.Apply(before), step.Recorded.Position), key);
                row = change.Row;
            }
            catch (ViewFoldException e)
            {
                return i == 0 ? null : new Retried<TRow>(change, [new ParkedEvent(key, waiting[i].Position, e.Message), .. waiting.Skip(i + 1)]);
            }
        }

        return new Retried<TRow>(change, []);
    }

    private static async Task<Dictionary<LogPosition, RowStep<TRow>>> StepsAsync<TRow>(
        Projection<TRow> projection, Slice slice, IViewTable<TRow> table, LogTail tail, IReadOnlyList<ParkedEvent> waiting, IReadOnlySet<LogPosition> skipped, CancellationToken cancellationToken)
        where TRow : class
    {
        var recorded = await tail.ReadEventsAsync([.. waiting.Select(w => w.Position)], projection.HasRoutes, cancellationToken).ConfigureAwait(false);
        var events = new List<DecodedEvent>(recorded.Count);
        foreach (var e in recorded)
        {
            if (!skipped.Contains(e.Position) && tail.Decode(e, projection.Events) is { } payload)
            {
                events.Add(new DecodedEvent(e, payload));
            }
        }

        var wanted = waiting.Select(w => w.Position).ToHashSet();
        var steps = await projection.RouteAsync(events, slice, table, [], cancellationToken).ConfigureAwait(false);
        return steps.Where(s => s.Key == waiting[0].Key && wanted.Contains(s.Recorded.Position)).ToDictionary(s => s.Recorded.Position);
    }
}

/// <summary>A parked row after another try.</summary>
/// <param name="Change">The row as it is now; null: no event was folded into it, because all were skipped.</param>
/// <param name="Left">What still waits, the refused event first; none: the row goes on.</param>
internal sealed record Retried<TRow>(RowChange<TRow>? Change, IReadOnlyList<ParkedEvent> Left)
    where TRow : class;
