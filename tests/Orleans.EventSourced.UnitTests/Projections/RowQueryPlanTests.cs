using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Projections;
using Xunit;

namespace Orleans.EventSourced.UnitTests.Projections;

public sealed class RowQueryPlanTests
{
    private static readonly DateTimeOffset Day = new(2020, 1, 1, 0, 0, 0, TimeSpan.Zero);
    private readonly List<KeyedRow<Parcel>> _rows =
    [
        .. Enumerable.Range(0, 20).Select(i => new KeyedRow<Parcel> { Key = $"k{i:00}", Position = i + 1, Row = new Parcel($"c{i % 3}", i % 4, i * 1.5m, Day.AddDays(i % 5), i % 2 == 0 ? i : null, i % 2 == 0, "secret") }),
    ];

    [Theory]
    [InlineData("city", RowComparison.Equal, "c1", 7)]
    [InlineData("city", RowComparison.Greater, "c0", 13)]
    [InlineData("weight", RowComparison.LessOrEqual, "1", 10)]
    [InlineData("price", RowComparison.GreaterOrEqual, "27.0", 2)]
    [InlineData("sent_at", RowComparison.Less, "2020-01-02T01:00:00+01:00", 4)]
    [InlineData("locker", RowComparison.Greater, "10", 4)]
    [InlineData("fragile", RowComparison.Equal, "true", 10)]
    [InlineData("key", RowComparison.Equal, "k07", 1)]
    public void a_filter_keeps_the_rows_that_meet_it(string column, RowComparison comparison, string value, int expected) =>
        Assert.Equal(expected, Run(new RowQuery { Filters = [new RowFilter(column, comparison, value)] }).Count);

    [Theory]
    [InlineData(null, false)]
    [InlineData(null, true)]
    [InlineData("city", false)]
    [InlineData("weight", true)]
    [InlineData("price", false)]
    [InlineData("sent_at", true)]
    public void pages_hold_every_row_once_in_order(string? sort, bool descending)
    {
        var query = new RowQuery { SortBy = sort, Descending = descending, Limit = 3 };
        var paged = new List<KeyedRow<Parcel>>();
        for (string? after = null; ;)
        {
            var plan = new RowQueryPlan<Parcel>(query with { After = after });
            var page = plan.Page([.. plan.Over(_rows.AsQueryable())], LogPosition.Start);
            paged.AddRange(page.Rows);
            after = page.Next;
            if (after is null)
            {
                break;
            }
        }

        Assert.Equal(Run(query with { Limit = 1_000 }).Select(r => r.Key), paged.Select(r => r.Key));
        Assert.Equal(20, paged.Select(r => r.Key).Distinct().Count());
    }

    [Theory]
    [InlineData("note", "secret", "note")]
    [InlineData("Weight", "1", "Weight")]
    [InlineData("weight", "heavy", "weight")]
    [InlineData("sent_at", "yesterday", "sent_at")]
    [InlineData("weight; drop table x", "1", "weight; drop table x")]
    public void a_filter_that_the_view_does_not_allow_is_named(string column, string value, string field) =>
        Assert.Equal(field, Assert.Throws<RowQueryException>(() => Run(new RowQuery { Filters = [new RowFilter(column, RowComparison.Equal, value)] })).Field);

    [Fact]
    public void what_else_a_query_may_not_say_is_named()
    {
        Assert.Equal("sort", Assert.Throws<RowQueryException>(() => Run(new RowQuery { SortBy = "note" })).Field);
        Assert.Contains("null", Assert.Throws<RowQueryException>(() => Run(new RowQuery { SortBy = "locker" })).Fault, StringComparison.Ordinal);
        Assert.Equal("sort", Assert.Throws<RowQueryException>(() => Run(new RowQuery { SortBy = "fragile" })).Field);
        Assert.Equal("fragile", Assert.Throws<RowQueryException>(() => Run(new RowQuery { Filters = [new RowFilter("fragile", RowComparison.Less, "true")] })).Field);
        Assert.Equal("limit", Assert.Throws<RowQueryException>(() => Run(new RowQuery { Limit = 0 })).Field);
        Assert.Equal("limit", Assert.Throws<RowQueryException>(() => Run(new RowQuery { Limit = 1_001 })).Field);
        Assert.Equal("filters", Assert.Throws<RowQueryException>(() => Run(new RowQuery { Filters = [.. Enumerable.Repeat(new RowFilter("key", RowComparison.Equal, "x"), 17)] })).Field);
        foreach (var cursor in (string[])["", "x", "%%%", "WyJhIl0", "bnVsbA", "W251bGwsbnVsbF0"])
        {
            Assert.Equal("after", Assert.Throws<RowQueryException>(() => Run(new RowQuery { After = cursor })).Field);
        }

        var other = new RowQueryPlan<Parcel>(new RowQuery { SortBy = "city", Limit = 1 }).Page([.. _rows.Take(2)], LogPosition.Start).Next;
        Assert.Equal("after", Assert.Throws<RowQueryException>(() => Run(new RowQuery { SortBy = "weight", After = other })).Field);
    }

    [Fact]
    public void in_memory_too_text_is_ordered_by_its_code_points()
    {
        // As UTF-16, what lies beyond U+FFFF would come before U+E000.
        string[] ordered = ["", "a", "ab", "a\uD7FF", "\uE000", "\uFF61", "\uFF61a", "\U0001F600", "\U0001F601"];
        var rows = ordered.Reverse().Select(t => new KeyedRow<Parcel> { Key = $"k{t}", Position = 1, Row = _rows[0].Row with { City = t } }).ToList();
        foreach (var sort in (string?[])[null, "city"])
        {
            Assert.Equal(ordered, Cities(new RowQuery { SortBy = sort }));
            Assert.Equal(ordered.Reverse(), Cities(new RowQuery { SortBy = sort, Descending = true }));
        }

        Assert.Equal(ordered[^2..], Cities(new RowQuery { Filters = [new RowFilter("city", RowComparison.Greater, "\uFF61a")] }));
        Assert.Equal(ordered[..^2], Cities(new RowQuery { Filters = [new RowFilter("key", RowComparison.Less, "k\U0001F600")] }));

        IEnumerable<string> Cities(RowQuery query) => new RowQueryPlan<Parcel>(query).Over((IEnumerable<KeyedRow<Parcel>>)rows).Select(r => r.Row.City);
    }

    [Theory]
    [InlineData(RowComparison.Equal, "b")]
    [InlineData(RowComparison.Less, "a")]
    [InlineData(RowComparison.LessOrEqual, "a,b")]
    [InlineData(RowComparison.Greater, "c")]
    [InlineData(RowComparison.GreaterOrEqual, "b,c")]
    public void in_memory_too_a_text_that_is_null_meets_no_comparison(RowComparison comparison, string expected)
    {
        var plan = new RowQueryPlan<Named>(new RowQuery { Filters = [new RowFilter("name", comparison, "b")] });
        IEnumerable<KeyedRow<Named>> rows = ((string?[])[null, "a", "b", "c"]).Select((n, i) => new KeyedRow<Named> { Key = $"{i}", Position = 1, Row = new Named(n) });
        Assert.Equal(expected, string.Join(',', plan.Over(rows).Select(r => r.Row.Name)));
    }

    private List<KeyedRow<Parcel>> Run(RowQuery query) => [.. new RowQueryPlan<Parcel>(query).Over(_rows.AsQueryable())];

    [View("named")]
    internal sealed record Named([property: Indexed] string? Name);

    [View("parcel")]
    internal sealed record Parcel(
        [property: Indexed] string City,
        [property: Indexed] int Weight,
        [property: Indexed, Scale(1)] decimal Price,
        [property: Indexed] DateTimeOffset SentAt,
        [property: Indexed] long? Locker,
        [property: Indexed] bool Fragile,
        string Note);
}
