using System.Globalization;
using Orleans.EventSourced.Core.Projections;

namespace Orleans.EventSourced.Core.History;

/// <summary>How many rows there are, and what their numbers come to.</summary>
/// <param name="Rows">How many.</param>
/// <param name="Sums">The sum of each column of numbers that are added up (amounts and counts), by the column's name.</param>
public sealed record ViewTotals(int Rows, IReadOnlyDictionary<string, decimal> Sums)
{
    /// <summary>The totals of some rows.</summary>
    /// <exception cref="OverflowException">A sum has no room in a decimal.</exception>
    public static ViewTotals Of<TRow>(IEnumerable<TRow> rows)
        where TRow : class
    {
        ArgumentNullException.ThrowIfNull(rows);
        var columns = ViewColumn.Of(typeof(TRow)).Where(c => IsNumber(c.Property.PropertyType)).ToArray();
        var (count, sums) = (0, new decimal[columns.Length]);
        foreach (var row in rows)
        {
            count++;
            for (var i = 0; i < columns.Length; i++)
            {
                sums[i] += Convert.ToDecimal(columns[i].Property.GetValue(row) ?? 0m, CultureInfo.InvariantCulture);
            }
        }

        return new ViewTotals(count, columns.Zip(sums).ToDictionary(c => c.First.Name, c => c.Second, StringComparer.Ordinal));
    }

    /// <summary>What these have more than others.</summary>
    public ViewTotals Minus(ViewTotals other)
    {
        ArgumentNullException.ThrowIfNull(other);
        return new ViewTotals(Rows - other.Rows, Sums.ToDictionary(s => s.Key, s => s.Value - other.Sums.GetValueOrDefault(s.Key), StringComparer.Ordinal));
    }

    private static bool IsNumber(Type type) => Type.GetTypeCode(Nullable.GetUnderlyingType(type) ?? type) is TypeCode.Decimal or TypeCode.Int16 or TypeCode.Int32 or TypeCode.Int64;
}
