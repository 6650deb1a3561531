using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.Log;

namespace Orleans.EventSourced.Core.Projections;

/// <summary>
/// Takes up a parked row again: folds what waits for it, up to the event that is still refused. The events come from the log, and for a view with routes their whole streams, because the routes that
/// are kept hold all of them by now, those too that were skipped meanwhile.
/// </summary>
internal sealed class ParkedRetry<TRow>(Projection<TRow> projection, Slice slice, IViewTable<TRow> table, LogTail tail)
    where TRow : class
{
    /// <param name="waiting">What waits for the row, the refused event first.</param>
    /// <param name="opened">The slice as it is now.</param>
    /// <param name="skipped">The events that the view passes over.</param>
    /// <param name="cancellationToken">Ends it; nothing is written here.</param>
    /// <returns>What the table is to write; null: everything waits as before.</returns>
    public async Task<ViewCommit<TRow>?> RunAsync(IReadOnlyList<ParkedEvent> waiting, OpenedSlice opened, IReadOnlySet<LogPosition> skipped, CancellationToken cancellationToken)
    {
        var key = waiting[0].Key;
        var routes = new Dictionary<StreamId, ViewRoute?>();
        RowChange<TRow>? change;
        IReadOnlyList<ParkedEvent> left;
        try
        {
            var recorded = await tail.ReadEventsAsync(waiting.Select(w => w.Position).ToHashSet(), cancellationToken).ConfigureAwait(false);
            var steps = projection.HasRoutes
                ? await FollowAsync(key, recorded, opened.Position, skipped, routes, cancellationToken).ConfigureAwait(false)
                : projection.Route(Decode(recorded, skipped), Everywhere, new Dictionary<StreamId, ViewRoute>(), routes);
            var row = (await table.ReadRowsAsync([key], cancellationToken).ConfigureAwait(false)).GetValueOrDefault(key);
            (change, left) = Fold(key, row, steps);
        }
        catch (Exception e) when (e is ViewFoldException or UnknownEventTypeException or LogCorruptException)
        {
            (change, left) = (null, [new ParkedEvent(key, waiting[0].Position, e.Message), .. waiting.Skip(1)]);
            routes.Clear();
        }

        return left.SequenceEqual(waiting) ? null : new ViewCommit<TRow>(slice, opened.Edition, opened.Position, opened.Position, change is null ? [] : [change], [.. routes.Select(r => new RouteChange(r.Key, r.Value))])
        {
            Retries = opened.Retries,
            Unparked = [key],
            Parked = left,
        };
    }

    /// <summary>Not this slice alone: that an event concerns a row of another one by now must be seen.</summary>
    private static Slice Everywhere => Slice.Whole;

    private static (RowChange<TRow>? Change, IReadOnlyList<ParkedEvent> Left) Fold(string key, TRow? row, List<RowStep<TRow>> steps)
    {
        RowChange<TRow>? change = null;
        for (var i = 0; i < steps.Count; i++)
        {
            var (step, before) = (steps[i], row);
            try
            {
                change = ViewFoldException.Guard(step.Recorded, () => step.Key == key ? new RowChange<TRow>(key, step.Apply(before), step.Recorded.Position) : throw Moved(step.Key), key);
                row = change.Row;
            }
            catch (ViewFoldException e)
            {
                return (change, [new ParkedEvent(key, step.Recorded.Position, e.Message), .. steps.Skip(i + 1).Select(s => new ParkedEvent(key, s.Recorded.Position, null))]);
            }
        }

        return (change, []);
    }

    /// <summary>Folds the routes of the streams from their beginning up to the checkpoint, and gives the steps from the refused event on.</summary>
    private async Task<List<RowStep<TRow>>> FollowAsync(
        string key, IReadOnlyList<RecordedEvent> waiting, LogPosition upTo, IReadOnlySet<LogPosition> skipped, Dictionary<StreamId, ViewRoute?> routes, CancellationToken cancellationToken)
    {
        var from = waiting[0].Position;
        var steps = new List<RowStep<TRow>>();
        foreach (var first in waiting.DistinctBy(e => e.Stream))
        {
            var kept = new Dictionary<StreamId, ViewRoute>();
            IReadOnlyList<RecordedEvent> page = [];
            do
            {
                page = await tail.ReadStreamAsync(first.Stream, page.Count == 0 ? StreamVersion.None : page[^1].Version, cancellationToken).ConfigureAwait(false);
                var changed = new Dictionary<StreamId, ViewRoute?>();
                var found = projection.Route(Decode(page.Where(e => e.Position <= upTo), skipped), Everywhere, kept, changed);
                steps.AddRange(found.Where(s => s.Recorded.Position >= from));
                if (changed.TryGetValue(first.Stream, out var route))
                {
                    kept.Clear();
                    if (route is not null)
                    {
                        kept.Add(first.Stream, route);
                    }
                }
            }
            while (page.Count > 0 && page[^1].Position < upTo);

            routes[first.Stream] = kept.GetValueOrDefault(first.Stream);
            if (routes[first.Stream] is { Key: var moved } && moved != key)
            {
                // Other slices have forgotten the stream: a row of theirs could not be made from here.
                throw ViewFoldException.Of(first, Moved(moved));
            }
        }

        steps.Sort((a, b) => a.Recorded.Position.CompareTo(b.Recorded.Position));
        return steps;
    }

    private List<DecodedEvent> Decode(IEnumerable<RecordedEvent> recorded, IReadOnlySet<LogPosition> skipped)
    {
        var events = new List<DecodedEvent>();
        foreach (var e in recorded)
        {
            if (!skipped.Contains(e.Position) && tail.Decode(e, projection.Events) is { } payload)
            {
                events.Add(new DecodedEvent(e, payload));
            }
        }

        return events;
    }

    private static InvalidOperationException Moved(string? key) =>
        new($"it concerns {(key is null ? "no row yet" : $"the row '{key}'")} by now, and not the one it waits for; rebuild the view");
}
