using System.Globalization;
using Orleans.EventSourced.Core.Projections;

namespace Orleans.EventSourced.Core.History;

/// <summary>How many rows there are, and what their numbers come to.</summary>
/// <param name="Rows">How many.</param>
/// <param name="Sums">The sum of each column of decimals, by the column's name.</param>
/// <param name="Counts">The sum of each column of whole numbers, by the column's name.</param>
public sealed record ViewTotals(int Rows, IReadOnlyDictionary<string, decimal> Sums, IReadOnlyDictionary<string, long> Counts)
{
    /// <summary>The totals of some rows.</summary>
    /// <exception cref="OverflowException">A sum has no room.</exception>
    public static ViewTotals Of<TRow>(IEnumerable<TRow> rows)
        where TRow : class
    {
        ArgumentNullException.ThrowIfNull(rows);
        var (decimals, wholes) = (Columns(typeof(TRow), TypeCode.Decimal), Columns(typeof(TRow), TypeCode.Int16, TypeCode.Int32, TypeCode.Int64));
        var (count, sums, counts) = (0, new decimal[decimals.Length], new long[wholes.Length]);
        foreach (var row in rows)
        {
            count++;
            for (var i = 0; i < decimals.Length; i++)
            {
                sums[i] += (decimal?)decimals[i].Property.GetValue(row) ?? 0m;
            }

            for (var i = 0; i < wholes.Length; i++)
            {
                counts[i] = checked(counts[i] + Convert.ToInt64(wholes[i].Property.GetValue(row), CultureInfo.InvariantCulture));
            }
        }

        return new ViewTotals(count, Named(decimals, sums), Named(wholes, counts));
    }

    /// <summary>What these have more than others.</summary>
    public ViewTotals Minus(ViewTotals other)
    {
        ArgumentNullException.ThrowIfNull(other);
        return new ViewTotals(
            Rows - other.Rows,
            Sums.ToDictionary(s => s.Key, s => s.Value - other.Sums.GetValueOrDefault(s.Key), StringComparer.Ordinal),
            Counts.ToDictionary(s => s.Key, s => s.Value - other.Counts.GetValueOrDefault(s.Key), StringComparer.Ordinal));
    }

    private static ViewColumn[] Columns(Type row, params TypeCode[] types) => [.. ViewColumn.Of(row).Where(c => types.Contains(Type.GetTypeCode(Nullable.GetUnderlyingType(c.Property.PropertyType) ?? c.Property.PropertyType)))];

    private static Dictionary<string, T> Named<T>(ViewColumn[] columns, T[] values) => columns.Zip(values).ToDictionary(c => c.First.Name, c => c.Second, StringComparer.Ordinal);
}
