using System.Globalization;
using System.Reflection;

namespace Orleans.EventSourced.Core.Projections;

/// <summary>The form in which every table keeps a row. What would be lost or changed in one of them is refused before any of them sees it.</summary>
internal static class StoredForm<TRow>
    where TRow : class
{
    private static readonly ViewId View = ViewId.Of(typeof(TRow));
    private static readonly Func<object, object> Clone = typeof(object).GetMethod(nameof(MemberwiseClone), BindingFlags.NonPublic | BindingFlags.Instance)!.CreateDelegate<Func<object, object>>();
    private static readonly Column[] Columns = [.. ViewColumn.Of(typeof(TRow)).Select(Column.Of).OfType<Column>()];

    /// <exception cref="ArgumentException">No table keeps one of the values.</exception>
    public static TRow Of(string key, TRow row)
    {
        var kept = row;
        foreach (var column in Columns)
        {
            column.Apply(key, row, ref kept);
        }

        return kept;
    }

    private static Kept<decimal> AtScale(decimal value, int scale)
    {
        var kept = decimal.Round(value, scale);
        var max = ViewColumn.MaxDecimal(scale);
        return kept != value ? new(value, Fault: $"has more than its {scale} decimals")
            : Math.Abs(kept) > max ? new(value, Fault: string.Create(CultureInfo.InvariantCulture, $"is beyond ±{max}, the room that {scale} decimals leave"))
            : value.Scale == scale ? new(value)
            : new(kept + new decimal(0, 0, 0, false, (byte)scale), IsChanged: true);
    }

    private static Kept<DateTimeOffset> InUtc(DateTimeOffset value)
    {
        var beyond = value.UtcTicks % TimeSpan.TicksPerMicrosecond;
        return beyond == 0 && value.Offset == TimeSpan.Zero ? new(value) : new(new DateTimeOffset(value.UtcTicks - beyond, TimeSpan.Zero), IsChanged: true);
    }

    private static Kept<string?> AsText(string? value, ViewColumn column) =>
        new(value, Fault: value is not null ? StoredText.Fault(value, column.IsIndexed ? ViewColumn.MaxIndexedTextBytes : ViewColumn.MaxTextBytes) : column.IsNullable ? null : "is null");

    private static Kept<TValue?> OrNull<TValue>(TValue? value, Func<TValue, Kept<TValue>> keep)
        where TValue : struct
    {
        if (value is not { } some)
        {
            return new(null);
        }

        var kept = keep(some);
        return new(kept.Value, kept.IsChanged, kept.Fault);
    }

    /// <summary>A value as it is kept, whether that is another one, and why no table keeps it.</summary>
    private readonly record struct Kept<TValue>(TValue Value, bool IsChanged = false, string? Fault = null);

    private abstract class Column
    {
        public static Column? Of(ViewColumn column) => column.Property.PropertyType switch
        {
            var t when t == typeof(string) => new Column<string?>(column, v => AsText(v, column)),
            var t when t == typeof(decimal) => new Column<decimal>(column, v => AtScale(v, column.Scale!.Value)),
            var t when t == typeof(decimal?) => new Column<decimal?>(column, v => OrNull(v, some => AtScale(some, column.Scale!.Value))),
            var t when t == typeof(DateTimeOffset) => new Column<DateTimeOffset>(column, InUtc),
            var t when t == typeof(DateTimeOffset?) => new Column<DateTimeOffset?>(column, v => OrNull(v, InUtc)),
            _ => null,
        };

        public abstract void Apply(string key, TRow given, ref TRow kept);
    }

    private sealed class Column<TValue>(ViewColumn column, Func<TValue, Kept<TValue>> keep) : Column
    {
        private readonly Func<TRow, TValue> _get = column.Property.GetMethod!.CreateDelegate<Func<TRow, TValue>>();
        private readonly Action<TRow, TValue> _set = column.Property.SetMethod!.CreateDelegate<Action<TRow, TValue>>();

        public override void Apply(string key, TRow given, ref TRow kept)
        {
            var (value, isChanged, fault) = keep(_get(given));
            if (fault is not null)
            {
                var shown = value is string text ? StoredText.Shown(text) : Convert.ToString(value, CultureInfo.InvariantCulture) is { Length: > 0 } some ? some : "null";
                throw new ArgumentException($"View {View}, column '{column.Name}', key {StoredText.Shown(key)}: the value {shown} {fault}.", nameof(given));
            }

            if (isChanged)
            {
                kept = ReferenceEquals(kept, given) ? (TRow)Clone(given) : kept;
                _set(kept, value);
            }
        }
    }
}
