using System.Text.Json;
using Orleans.EventSourced.Core.History;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Projections;
using Orleans.EventSourced.Queries;

namespace Orleans.EventSourced.History;

/// <summary>The rows of a view as of a point, for those who do not know their class. Safe for concurrent use.</summary>
internal abstract class PastRows
{
    public abstract ViewRow? Find(string key);

    /// <exception cref="RowQueryException">The query names what the view does not allow.</exception>
    public abstract ViewRows Query(RowQuery query);

    public abstract Totals Totals();
}

/// <summary>The same, with the class of its rows.</summary>
internal sealed class PastRows<TRow>(PastView<TRow> view) : PastRows
    where TRow : class
{
    public override ViewRow? Find(string key) => view.Rows.Find(key) is { } row ? ViewRow.Of(row) : null;

    public override ViewRows Query(RowQuery query)
    {
        var page = view.Rows.Query(new RowQueryPlan<TRow>(query), view.Point.Position);
        return new ViewRows([.. page.Rows.Select(ViewRow.Of)], page.Next);
    }

    public override Totals Totals() => History.Totals.Of(ViewTotals.Of(view.Rows.Rows.Select(r => r.Row)));
}

/// <summary>A view on a branch, for those who do not know the class of its rows. Safe for concurrent use.</summary>
internal abstract class BranchRows
{
    public abstract (ViewRow? Row, LogPosition Reflects) Find(string key);

    /// <exception cref="RowQueryException">The query names what the view does not allow.</exception>
    public abstract (ViewRows Rows, LogPosition Reflects) Query(RowQuery query);

    public abstract (BranchComparison Comparison, LogPosition Reflects) Compare();
}

/// <summary>The same, with the class of its rows.</summary>
internal sealed class BranchRows<TRow>(BranchView<TRow> view, JsonSerializerOptions json) : BranchRows
    where TRow : class
{
    public override (ViewRow? Row, LogPosition Reflects) Find(string key)
    {
        var (row, reflects) = view.Find(key);
        return (row is null ? null : ViewRow.Of(row), reflects);
    }

    public override (ViewRows Rows, LogPosition Reflects) Query(RowQuery query)
    {
        var page = view.Query(new RowQueryPlan<TRow>(query));
        return (new ViewRows([.. page.Rows.Select(ViewRow.Of)], page.Next), page.Reflects);
    }

    public override (BranchComparison Comparison, LogPosition Reflects) Compare()
    {
        var (totals, rows, reflects) = view.CompareAll(json);
        var comparison = new BranchComparison(
            Totals.Of(totals.Trunk), Totals.Of(totals.Branch), Totals.Of(totals.Difference), rows.Added, rows.Removed, rows.Changed, [.. rows.Rows.Select(r => new DifferentRow(r.Key, r.Trunk?.GetRawText(), r.Branch?.GetRawText()))]);
        return (comparison, reflects);
    }
}
