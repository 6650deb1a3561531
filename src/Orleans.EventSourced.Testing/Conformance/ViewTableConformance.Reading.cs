using System.Globalization;
using Orleans.EventSourced.Core.Projections;
using Xunit;

namespace Orleans.EventSourced.Testing.Conformance;

public abstract partial class ViewTableConformance
{
#pragma warning disable CS1591 // The name of a fact is its documentation.
    [Fact]
    public async Task a_row_is_read_with_its_position_and_how_far_its_slice_reaches()
    {
        var store = await StoreAsync();
        var (table, reader) = (store.Table<EveryColumn>(), store.Reader<EveryColumn>());
        for (var i = 0; i < 2; i++)
        {
            await table.OpenAsync(new Slice(i, 2), Token);
        }

        var slice = Slice.Of("a", 2);
        Assert.True(await table.CommitAsync(new ViewCommit<EveryColumn>(slice, 1, new(0), new(9), [new("a", Row, new(3))], []), Token));
        var (row, reflects) = await reader.ReadAsync("a", slice, Token);
        Assert.Equal(("a", 3L, Row, 9L), (row!.Key, row.Position, row.Row, reflects.Value));

        var (none, other) = await reader.ReadAsync("b", new Slice(1 - slice.Index, 2), Token);
        Assert.Equal((null, 0L), (none, other.Value));
        Assert.Equal(0, (await reader.QueryAsync(new RowQueryPlan<EveryColumn>(new RowQuery()), Token)).Reflects.Value);
        Assert.True(await table.CommitAsync(new ViewCommit<EveryColumn>(new Slice(1 - slice.Index, 2), 1, new(0), new(4), [], []), Token));
        Assert.Equal(4, (await reader.QueryAsync(new RowQueryPlan<EveryColumn>(new RowQuery()), Token)).Reflects.Value);
    }

    [Theory]
    [InlineData("text", "text 02")]
    [InlineData("number", "-3")]
    [InlineData("no_number", "2")]
    [InlineData("big_number", "-9007199254740995")]
    [InlineData("money", "-1.10")]
    [InlineData("rate", "0.0002")]
    [InlineData("id", "00000002-0000-0000-0000-000000000000")]
    [InlineData("occurred_at", "2020-02-01T01:00:00.000002+01:00")]
    [InlineData("ended_at", "1960-03-01T00:00:00Z")]
    [InlineData("day", "1999-12-29")]
    [InlineData("key", "k02")]
    public async Task rows_are_kept_by_every_comparison_with_every_kind_of_column(string column, string value)
    {
        // Row 2 has the value of the comparison; of rows with a value, two come before it or behind it.
        var reader = await ManyAsync();
        var same = await KeysAsync(RowComparison.Equal);
        var (less, greater) = (await KeysAsync(RowComparison.Less), await KeysAsync(RowComparison.Greater));
        Assert.Equal(["k02"], same);
        var (notGreater, notLess) = (await KeysAsync(RowComparison.LessOrEqual), await KeysAsync(RowComparison.GreaterOrEqual));
        Assert.Equal([.. less.Concat(same).Order(StringComparer.Ordinal)], notGreater);
        Assert.Equal([.. greater.Concat(same).Order(StringComparer.Ordinal)], notLess);
        Assert.Contains("k00,k01", (string[])[string.Join(",", less), string.Join(",", greater)]);
        Assert.Equal(column is not ("no_number" or "rate" or "ended_at"), less.Concat(greater).Contains("k09"));

        async Task<string[]> KeysAsync(RowComparison comparison) =>
            [.. (await reader.QueryAsync(new RowQueryPlan<EveryColumn>(new RowQuery { Filters = [new RowFilter(column, comparison, value)] }), Token)).Rows.Select(r => r.Key)];
    }

    [Theory]
    [InlineData("-0.60", "3", "4")]
    [InlineData("-0.600", "3", "4")]
    [InlineData("-0.601", "", "3")]
    [InlineData("-0.599", "", "4")]
    [InlineData("-0.6000000000000000000000000001", "", "3")]
    [InlineData("92233720368547758.07", "", "10")]
    [InlineData("92233720368547758.071", "", "10")]
    [InlineData("99999999999999999999", "", "10")]
    [InlineData("79228162514264337593543950335", "", "10")]
    [InlineData("-92233720368547758.07", "", "0")]
    [InlineData("-99999999999999999999", "", "0")]
    [InlineData("-79228162514264337593543950335", "", "0")]
    public async Task a_decimal_is_compared_with_any_other_whatever_its_decimals_and_its_size(string value, string equal, string upTo)
    {
        // Row i has i / 2 - 2.10; up to this many are not greater.
        var reader = await ManyAsync();
        var (same, notGreater) = (equal.Length == 0 ? 0 : 1, int.Parse(upTo, CultureInfo.InvariantCulture));
        Assert.Equal(equal.Length == 0 ? [] : [Key(int.Parse(equal, CultureInfo.InvariantCulture))], await KeysAsync(RowComparison.Equal));
        Assert.Equal(Enumerable.Range(0, notGreater).Select(Key), await KeysAsync(RowComparison.LessOrEqual));
        Assert.Equal(Enumerable.Range(0, notGreater - same).Select(Key), await KeysAsync(RowComparison.Less));
        Assert.Equal(Enumerable.Range(notGreater, 10 - notGreater).Select(Key), await KeysAsync(RowComparison.Greater));
        Assert.Equal(Enumerable.Range(notGreater - same, 10 - notGreater + same).Select(Key), await KeysAsync(RowComparison.GreaterOrEqual));

        async Task<string[]> KeysAsync(RowComparison comparison) =>
            [.. (await reader.QueryAsync(new RowQueryPlan<EveryColumn>(new RowQuery { Filters = [new RowFilter("money", comparison, value)] }), Token)).Rows.Select(r => r.Key)];
    }

    [Fact]
    public async Task filters_hold_together_and_a_flag_is_one()
    {
        var reader = await ManyAsync();
        var query = new RowQuery { Filters = [new RowFilter("flag", RowComparison.Equal, "true"), new RowFilter("number", RowComparison.LessOrEqual, "-4")] };
        Assert.Equal(["k04", "k06", "k08"], (await reader.QueryAsync(new RowQueryPlan<EveryColumn>(query), Token)).Rows.Select(r => r.Key));
    }

    [Theory]
    [InlineData(null, false)]
    [InlineData(null, true)]
    [InlineData("text", false)]
    [InlineData("number", false)]
    [InlineData("big_number", true)]
    [InlineData("money", false)]
    [InlineData("money", true)]
    [InlineData("id", false)]
    [InlineData("occurred_at", false)]
    [InlineData("occurred_at", true)]
    [InlineData("day", true)]
    public async Task pages_hold_every_row_once_in_the_order_of_the_column(string? sort, bool descending)
    {
        var reader = await ManyAsync();
        var query = new RowQuery { SortBy = sort, Descending = descending, Limit = 3 };
        var paged = new List<KeyedRow<EveryColumn>>();
        do
        {
            var page = await reader.QueryAsync(new RowQueryPlan<EveryColumn>(query), Token);
            paged.AddRange(page.Rows);
            query = query with { After = page.Next };
        }
        while (query.After is not null);

        var column = ViewColumn.Of(typeof(EveryColumn)).FirstOrDefault(c => c.Name == sort);
        var all = Many().Select((row, i) => (Key: Key(i), Value: column is null ? null : (IComparable)column.Property.GetValue(row)!)).OrderBy(r => r.Value).ThenBy(r => r.Key, StringComparer.Ordinal).Select(r => r.Key);
        Assert.Equal(descending ? all.Reverse() : all, paged.Select(r => r.Key));
    }
#pragma warning restore CS1591

    private static string Key(int i) => string.Create(CultureInfo.InvariantCulture, $"k{i:00}");

    /// <summary>Ten rows; the last has null where there may be.</summary>
    private static IEnumerable<EveryColumn> Many() => Enumerable.Range(0, 10).Select(i => new EveryColumn(
        string.Create(CultureInfo.InvariantCulture, $"text {i:00}"),
        null,
        i % 2 == 0,
        -i - 1,
        i == 9 ? null : i,
        -9_007_199_254_740_993 - i,
        (i * 0.5m) - 2.10m,
        i == 9 ? null : i * 0.0001m,
        new Guid(i, 0, 0, new byte[8]),
        new DateTimeOffset(2020, 2, 1, 0, 0, 0, TimeSpan.Zero).AddMicroseconds(i),
        i == 9 ? null : new DateTimeOffset(1960, 1 + i, 1, 0, 0, 0, TimeSpan.Zero),
        new DateOnly(1999, 12, 31).AddDays(-i)));

    private async Task<IViewReader<EveryColumn>> ManyAsync()
    {
        var store = await StoreAsync();
        var table = store.Table<EveryColumn>();
        await table.OpenAsync(Slice.Whole, Token);
        await CommitAsync(table, 0, 10, [.. Many().Select((row, i) => new RowChange<EveryColumn>(Key(i), row, new(i + 1)))]);
        return store.Reader<EveryColumn>();
    }
}
