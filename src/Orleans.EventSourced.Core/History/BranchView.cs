using System.Text.Json;
using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Projections;

namespace Orleans.EventSourced.Core.History;

/// <summary>A view on a branch, and beside it the trunk's as of the branch's base. Safe for concurrent use.</summary>
/// <typeparam name="TRow">The class of a row.</typeparam>
public sealed class BranchView<TRow>
    where TRow : class
{
    /// <summary>The most rows that a comparison shows; the counts are of all.</summary>
    public const int MaxShown = 100;

    private readonly Lock _gate = new();
    private readonly Branch _branch;
    private readonly ViewFold<TRow> _trunk;
    private readonly ViewFold<TRow> _rows;
    private readonly Type _events;
    private readonly JsonEventCodec _codec;
    private LogPosition _at;

    internal BranchView(Branch branch, ViewFold<TRow> trunk, ViewFold<TRow> rows, Type events, JsonEventCodec codec, LogPosition at) =>
        (_branch, _trunk, _rows, _events, _codec, _at) = (branch, trunk, rows, events, codec, at);

    /// <summary>The totals of the trunk, of the branch, and what the branch has more.</summary>
    public (ViewTotals Trunk, ViewTotals Branch, ViewTotals Difference) Totals() => Read(TotalsOf);

    /// <summary>A row of the branch; null: there is none.</summary>
    public (KeyedRow<TRow>? Row, LogPosition Reflects) Find(string key) => Read((_, branch) => (branch.Find(key), _at));

    /// <summary>A page of the branch's rows.</summary>
    public RowPage<TRow> Query(RowQueryPlan<TRow> plan) => Read((_, branch) => branch.Query(plan, _at));

    /// <summary>The rows of the trunk and of the branch, for who adds them up himself.</summary>
    public T Read<T>(Func<ViewFold<TRow>, ViewFold<TRow>, T> read)
    {
        ArgumentNullException.ThrowIfNull(read);
        lock (_gate)
        {
            CatchUpLocked();
            return read(_trunk, _rows);
        }
    }

    /// <summary>What differs, by key. Where a row stands in the log does not count: only its values do.</summary>
    public ViewDifferences Compare(JsonSerializerOptions json) => Read((trunk, branch) => DifferencesOf(trunk, branch, json));

    /// <summary>Totals and differences of the same rows, and how far these reach.</summary>
    public ((ViewTotals Trunk, ViewTotals Branch, ViewTotals Difference) Totals, ViewDifferences Differences, LogPosition Reflects) CompareAll(JsonSerializerOptions json) =>
        Read((trunk, branch) => (TotalsOf(trunk, branch), DifferencesOf(trunk, branch, json), _at));

    private static (ViewTotals Trunk, ViewTotals Branch, ViewTotals Difference) TotalsOf(ViewFold<TRow> trunk, ViewFold<TRow> branch)
    {
        var (t, b) = (ViewTotals.Of(trunk.Rows.Select(r => r.Row)), ViewTotals.Of(branch.Rows.Select(r => r.Row)));
        return (t, b, b.Minus(t));
    }

    private static ViewDifferences DifferencesOf(ViewFold<TRow> trunk, ViewFold<TRow> branch, JsonSerializerOptions json)
    {
        var (added, removed, changed, shown) = (0, 0, 0, new SortedDictionary<string, RowDifference>(StringComparer.Ordinal));
        foreach (var row in branch.Rows)
        {
            var before = trunk.Find(row.Key);
            if (before is null || !before.Row.Equals(row.Row))
            {
                (added, changed) = before is null ? (added + 1, changed) : (added, changed + 1);
                Show(row.Key, before?.Row, row.Row);
            }
        }

        foreach (var row in trunk.Rows.Where(r => branch.Find(r.Key) is null))
        {
            removed++;
            Show(row.Key, row.Row, null);
        }

        return new ViewDifferences(added, removed, changed, [.. shown.Values]);

        void Show(string key, TRow? before, TRow? after)
        {
            shown[key] = new RowDifference(key, Shown(before), Shown(after));
            if (shown.Count > MaxShown)
            {
                shown.Remove(shown.Keys.Last());
            }
        }

        JsonElement? Shown(TRow? row) => row is null ? null : JsonSerializer.SerializeToElement(row, json);
    }

    /// <summary>Takes in what live commands appended since.</summary>
    internal void CatchUp()
    {
        lock (_gate)
        {
            CatchUpLocked();
        }
    }

    private void CatchUpLocked()
    {
        if (_branch.Live(_at) is { Count: > 0 } live)
        {
            Branch.Guarded(() => _rows.Add([.. live.Where(e => TailPage.MayBe(_codec, e, _events)).Select(e => new DecodedEvent(e, TailPage.IsUndecoded(_events) ? e : _codec.Decode(e)))]));
            _at = live[^1].Position;
        }
    }
}

/// <summary>How the rows of a branch's view differ from the trunk's as of its base.</summary>
/// <param name="Added">How many the branch alone has.</param>
/// <param name="Removed">How many the trunk alone has.</param>
/// <param name="Changed">How many have other values.</param>
/// <param name="Rows">The first of them by key, at most <see cref="BranchView{TRow}.MaxShown"/>.</param>
public sealed record ViewDifferences(int Added, int Removed, int Changed, IReadOnlyList<RowDifference> Rows);

/// <summary>A row that differs.</summary>
/// <param name="Key">Its key.</param>
/// <param name="Trunk">The trunk's; null: it has none.</param>
/// <param name="Branch">The branch's; null: it has none.</param>
public sealed record RowDifference(string Key, JsonElement? Trunk, JsonElement? Branch);
