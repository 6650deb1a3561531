using System.Text.Json;
using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.Log;

namespace Orleans.EventSourced.Core.Projections;

/// <summary>A view and how its rows come from events; made by <see cref="Projection"/>. Immutable.</summary>
/// <typeparam name="TRow">The class of a row.</typeparam>
public abstract class Projection<TRow>
    where TRow : class
{
    private protected Projection(Type events)
    {
        View = ViewId.Of(typeof(TRow));
        _ = ViewColumn.Of(typeof(TRow));
        Events = events;
    }

    /// <summary>The view and its version.</summary>
    public ViewId View { get; }

    /// <summary>The base type of the events that it reads; others pass by undecoded. <see cref="RecordedEvent"/>: it reads all, and none is decoded.</summary>
    public Type Events { get; }

    /// <summary>Whether what an event does depends on the earlier ones of its stream.</summary>
    internal abstract bool HasRoutes { get; }

    /// <summary>Says for each event, in order, which row of the slice it changes and how; what changes of the routes goes into <paramref name="routes"/>.</summary>
    internal async Task<List<RowStep<TRow>>> RouteAsync(IReadOnlyList<DecodedEvent> events, Slice slice, KnownRows<TRow> known, Dictionary<StreamId, ViewRoute?> routes, CancellationToken cancellationToken)
    {
        var begun = HasRoutes ? BegunBefore(events) : [];
        var kept = begun.Count == 0 ? new Dictionary<StreamId, ViewRoute>() : await known.ReadRoutesAsync(begun, cancellationToken).ConfigureAwait(false);
        return Route(events, slice, kept, routes);
    }

    /// <summary>The same, of routes that are known.</summary>
    /// <param name="events">What happened.</param>
    /// <param name="slice">Whose rows are wanted.</param>
    /// <param name="kept">The routes of streams that begin before these events.</param>
    /// <param name="routes">Gets what changes of the routes.</param>
    /// <exception cref="ViewFoldException">The view's code refuses an event before its row is known.</exception>
    internal abstract List<RowStep<TRow>> Route(IReadOnlyList<DecodedEvent> events, Slice slice, IReadOnlyDictionary<StreamId, ViewRoute> kept, Dictionary<StreamId, ViewRoute?> routes);

    private static HashSet<StreamId> BegunBefore(IReadOnlyList<DecodedEvent> events)
    {
        var (beginsHere, begunBefore) = (new HashSet<StreamId>(), new HashSet<StreamId>());
        foreach (var (recorded, _) in events)
        {
            if (recorded.Version.Value == 1)
            {
                beginsHere.Add(recorded.Stream);
            }
            else if (!beginsHere.Contains(recorded.Stream))
            {
                begunBefore.Add(recorded.Stream);
            }
        }

        return begunBefore;
    }
}

/// <summary>Makes projections from the folds that row classes declare.</summary>
public static class Projection
{
    /// <summary>The projection of a view whose events say their row by themselves.</summary>
    public static Projection<TRow> Of<TRow, TEvent>()
        where TRow : class, IView<TRow, TEvent>
        where TEvent : class => new Direct<TRow, TEvent>();

    /// <summary>The projection of a view with routes.</summary>
    /// <param name="json">How routes are written and read; null: <see cref="JsonSerializerOptions.Web"/>.</param>
    public static Projection<TRow> Of<TRow, TEvent, TRoute>(JsonSerializerOptions? json = null)
        where TRow : class, IRoutedView<TRow, TEvent, TRoute>
        where TEvent : class
        where TRoute : class => new Routed<TRow, TEvent, TRoute>(json ?? JsonSerializerOptions.Web);

    /// <summary>Where events are read as they are recorded, that is what counts, and not a payload that a reader of the log has at hand: a branch changes both.</summary>
    private static ViewEvent<TEvent> Typed<TEvent>(RecordedEvent recorded, object payload)
        where TEvent : class => new(recorded, (TEvent)(TailPage.IsUndecoded(typeof(TEvent)) ? recorded : payload));

    private sealed class Direct<TRow, TEvent>() : Projection<TRow>(typeof(TEvent))
        where TRow : class, IView<TRow, TEvent>
        where TEvent : class
    {
        internal override bool HasRoutes => false;

        internal override List<RowStep<TRow>> Route(IReadOnlyList<DecodedEvent> events, Slice slice, IReadOnlyDictionary<StreamId, ViewRoute> kept, Dictionary<StreamId, ViewRoute?> routes)
        {
            var steps = new List<RowStep<TRow>>(events.Count);
            foreach (var (recorded, payload) in events)
            {
                var e = Typed<TEvent>(recorded, payload);
                if (ViewFoldException.Guard(recorded, () => TRow.KeyOf(e) is { } k ? RowKey.Checked(k, typeof(TRow)) : null) is { } key && slice.Owns(key))
                {
                    steps.Add(new RowStep<TRow>(key, recorded, row => TRow.Apply(row, key, e)));
                }
            }

            return steps;
        }
    }

    private sealed class Routed<TRow, TEvent, TRoute>(JsonSerializerOptions json) : Projection<TRow>(typeof(TEvent))
        where TRow : class, IRoutedView<TRow, TEvent, TRoute>
        where TEvent : class
        where TRoute : class
    {
        internal override bool HasRoutes => true;

        internal override List<RowStep<TRow>> Route(IReadOnlyList<DecodedEvent> events, Slice slice, IReadOnlyDictionary<StreamId, ViewRoute> kept, Dictionary<StreamId, ViewRoute?> routes)
        {
            var current = kept.ToDictionary(r => r.Key, r => new Known(r.Value.Key, JsonSerializer.Deserialize<TRoute>(r.Value.State.Span, json)!));
            var changed = new HashSet<StreamId>();
            var steps = new List<RowStep<TRow>>(events.Count);
            foreach (var (recorded, payload) in events)
            {
                var known = current.GetValueOrDefault(recorded.Stream);
                if (known is null && recorded.Version.Value > 1)
                {
                    // The stream concerns no row, or one of another slice.
                    continue;
                }

                var e = Typed<TEvent>(recorded, payload);
                var before = known?.Route;
                var (after, key) = ViewFoldException.Guard(recorded, () => TRow.Follow(before, e) is { } route ? (route, known?.Key ?? KeyOf(route)) : (null, null));
                changed.Add(recorded.Stream);
                if (after is null || (key is not null && !slice.Owns(key)))
                {
                    current.Remove(recorded.Stream);
                    continue;
                }

                current[recorded.Stream] = new Known(key, after);
                if (key is not null)
                {
                    steps.Add(new RowStep<TRow>(key, recorded, row => TRow.Apply(row, key, before, after, e)));
                }
            }

            foreach (var stream in changed)
            {
                if (current.TryGetValue(stream, out var known))
                {
                    routes[stream] = new ViewRoute(known.Key, JsonSerializer.SerializeToUtf8Bytes(known.Route, json));
                }
                else if (kept.ContainsKey(stream))
                {
                    routes[stream] = null;
                }
            }

            return steps;
        }

        private static string? KeyOf(TRoute route) => TRow.KeyOf(route) is { } key ? RowKey.Checked(key, typeof(TRow)) : null;

        private sealed record Known(string? Key, TRoute Route);
    }
}

/// <summary>An event with its payload read.</summary>
internal readonly record struct DecodedEvent(RecordedEvent Recorded, object Event);

/// <summary>What one event does to one row.</summary>
internal readonly record struct RowStep<TRow>(string Key, RecordedEvent Recorded, Func<TRow?, TRow?> Apply)
    where TRow : class;
