using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Projections;

namespace Orleans.EventSourced.Core.History;

/// <summary>
/// The rows of a view in memory, filled by the same fold as its tables, from whatever events it is given: those up to a point of the past, or those of a branch. What the view passes over it passes over too,
/// and values are kept as the tables would keep them. Written by one thread at a time; not to be read meanwhile.
/// </summary>
/// <typeparam name="TRow">The class of a row.</typeparam>
public sealed class ViewFold<TRow>
    where TRow : class
{
    private readonly Projection<TRow> _projection;
    private readonly HashSet<LogPosition> _skipped;
    private readonly PoisonPolicy _poison;
    private readonly int _maxRows;
    private readonly Dictionary<string, (TRow Row, long Position)> _rows = new(StringComparer.Ordinal);
    private readonly Dictionary<StreamId, ViewRoute> _routes = [];
    private readonly HashSet<string> _parked = new(StringComparer.Ordinal);

    /// <param name="projection">The view.</param>
    /// <param name="skipped">The events that it passes over.</param>
    /// <param name="poison">What it does at an event that its fold refuses.</param>
    /// <param name="maxRows">The most rows.</param>
    public ViewFold(Projection<TRow> projection, IEnumerable<SkippedEvent> skipped, PoisonPolicy poison, int maxRows)
    {
        ArgumentNullException.ThrowIfNull(projection);
        (_projection, _poison, _maxRows) = (projection, poison, maxRows);
        _skipped = [.. skipped.Select(s => s.Position)];
    }

    /// <summary>How many rows there are.</summary>
    public int Count => _rows.Count;

    /// <summary>The rows, in no order.</summary>
    public IEnumerable<KeyedRow<TRow>> Rows => _rows.Select(r => Keyed(r.Key, r.Value));

    /// <summary>The rows that stand still because the fold refused an event.</summary>
    public IReadOnlyCollection<string> Parked => _parked;

    /// <summary>The row with this key; null: there is none.</summary>
    public KeyedRow<TRow>? Find(string key) => _rows.TryGetValue(key, out var row) ? Keyed(key, row) : null;

    /// <summary>A page of rows, by the same rules as of a table.</summary>
    /// <param name="plan">What is wanted.</param>
    /// <param name="reflects">How far the rows reach.</param>
    public RowPage<TRow> Query(RowQueryPlan<TRow> plan, LogPosition reflects)
    {
        ArgumentNullException.ThrowIfNull(plan);
        return plan.Page(plan.Over(Rows), reflects);
    }

    /// <summary>Folds further events, in order.</summary>
    /// <exception cref="ViewFoldException">The fold refuses one, and no row alone can be parked.</exception>
    /// <exception cref="HistoryException">There are too many rows.</exception>
    internal void Add(IReadOnlyList<DecodedEvent> events)
    {
        if (_skipped.Count > 0)
        {
            events = [.. events.Where(e => !_skipped.Contains(e.Recorded.Position))];
        }

        var changed = new Dictionary<StreamId, ViewRoute?>();
        foreach (var step in _projection.Route(events, Slice.Whole, _routes.Count == 0 ? _routes : Kept(events), changed))
        {
            if (!_parked.Contains(step.Key))
            {
                Fold(step);
            }
        }

        foreach (var (stream, route) in changed)
        {
            if (route is null)
            {
                _routes.Remove(stream);
            }
            else
            {
                _routes[stream] = route;
            }
        }

        if (_rows.Count > _maxRows)
        {
            throw new HistoryException(HistoryFault.TooMuch, $"View {_projection.View} would have more than {_maxRows} rows; so many are kept in memory at most.");
        }
    }

    private static KeyedRow<TRow> Keyed(string key, (TRow Row, long Position) row) => new() { Key = key, Row = row.Row, Position = row.Position };

    private Dictionary<StreamId, ViewRoute> Kept(IReadOnlyList<DecodedEvent> events)
    {
        var kept = new Dictionary<StreamId, ViewRoute>();
        foreach (var (recorded, _) in events)
        {
            if (_routes.TryGetValue(recorded.Stream, out var route))
            {
                kept.TryAdd(recorded.Stream, route);
            }
        }

        return kept;
    }

    private void Fold(RowStep<TRow> step)
    {
        TRow? next;
        try
        {
            next = ViewFoldException.Guard(step.Recorded, () => step.Apply(_rows.TryGetValue(step.Key, out var before) ? before.Row : null) is { } row ? StoredForm<TRow>.Of(step.Key, row) : null, step.Key);
        }
        catch (ViewFoldException) when (_poison == PoisonPolicy.Park)
        {
            _parked.Add(step.Key);
            return;
        }

        if (next is null)
        {
            _rows.Remove(step.Key);
        }
        else
        {
            _rows[step.Key] = (next, step.Recorded.Position.Value);
        }
    }
}
