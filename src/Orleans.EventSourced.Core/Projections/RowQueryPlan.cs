using System.Buffers.Text;
using System.Globalization;
using System.Linq.Expressions;
using System.Reflection;
using System.Text.Json;
using Orleans.EventSourced.Core.Log;

namespace Orleans.EventSourced.Core.Projections;

/// <summary>A checked <see cref="RowQuery"/>, to be laid over whatever gives a table's rows: LINQ that every store's provider translates. Values become parameters. Immutable.</summary>
/// <typeparam name="TRow">The class of a row.</typeparam>
public sealed class RowQueryPlan<TRow>
    where TRow : class
{
    private const string RowKeyName = "key";
    private static readonly ParameterExpression Keyed = Expression.Parameter(typeof(KeyedRow<TRow>), "r");
    private static readonly Dictionary<string, Operand> Operands = OperandsOf();
    private readonly List<Expression<Func<KeyedRow<TRow>, bool>>> _conditions = [];
    private readonly Operand? _sort;
    private readonly bool _descending;
    private readonly Lazy<Func<KeyedRow<TRow>, bool>[]> _matches;

    /// <param name="query">What is wanted.</param>
    /// <exception cref="RowQueryException">It names what the view does not allow.</exception>
    public RowQueryPlan(RowQuery query)
    {
        ArgumentNullException.ThrowIfNull(query);
        if (query.Limit is < 1 or > RowQuery.MaxLimit)
        {
            throw new RowQueryException("limit", $"It is 1 to {RowQuery.MaxLimit}; got {query.Limit}.");
        }

        if (query.Filters.Count > RowQuery.MaxFilters)
        {
            throw new RowQueryException("filters", $"There are {query.Filters.Count}; allowed are {RowQuery.MaxFilters}.");
        }

        (Limit, _descending) = (query.Limit, query.Descending);
        _matches = new(() => [.. _conditions.Select(c => ((Expression<Func<KeyedRow<TRow>, bool>>)new Ordinal().Visit(c)).Compile())]);
        _sort = query.SortBy is null or RowKeyName ? null : Find(query.SortBy, "sort");
        if (_sort is { IsSortable: false })
        {
            throw new RowQueryException("sort", $"'{query.SortBy}' may be null or is a flag, and orders nothing.");
        }

        _conditions.AddRange(query.Filters.Select(f => Condition(Find(f.Column, f.Column).Compare(f.Column, f.Comparison, f.Value))));
        if (query.After is not null)
        {
            _conditions.Add(Condition(Behind(query.After)));
        }
    }

    /// <summary>The most rows wanted.</summary>
    public int Limit { get; }

    /// <summary>The rows wanted, one more than <see cref="Limit"/> where there are so many, so that one sees whether there is a further page.</summary>
    public IQueryable<KeyedRow<TRow>> Over(IQueryable<KeyedRow<TRow>> rows)
    {
        ArgumentNullException.ThrowIfNull(rows);
        foreach (var condition in _conditions)
        {
            rows = rows.Where(condition);
        }

        var ordered = _sort is null ? (_descending ? rows.OrderByDescending(r => r.Key) : rows.OrderBy(r => r.Key))
            : _descending ? _sort.Order(rows, true).ThenByDescending(r => r.Key)
            : _sort.Order(rows, false).ThenBy(r => r.Key);
        return ordered.Take(Limit + 1);
    }

    /// <summary>The same of rows in memory. Text is ordered by its code points, as the databases order its bytes, whatever the culture.</summary>
    public List<KeyedRow<TRow>> Over(IEnumerable<KeyedRow<TRow>> rows)
    {
        ArgumentNullException.ThrowIfNull(rows);
        return [.. Sorted(rows.Where(Matches)).Take(Limit + 1)];
    }

    /// <summary>A page with other rows in the place of some of its own; those that belong behind it are left to the next pages.</summary>
    /// <param name="page">What <see cref="Page"/> gave.</param>
    /// <param name="changed">The rows by key, as they are now; null: there is none.</param>
    internal RowPage<TRow> With(RowPage<TRow> page, IReadOnlyDictionary<string, KeyedRow<TRow>?> changed)
    {
        var mine = changed.Values.OfType<KeyedRow<TRow>>().Where(r => Matches(r) && (page.Next is null || Compare(r, page.Rows[^1]) <= 0));
        var rows = Sorted(page.Rows.Where(r => !changed.ContainsKey(r.Key)).Concat(mine));
        return rows.Count <= Limit ? page with { Rows = rows } : Page(rows, page.Reflects);
    }

    /// <summary>What <see cref="Over(IQueryable{KeyedRow{TRow}})"/> gave, as a page.</summary>
    /// <param name="rows">The rows, in its order.</param>
    /// <param name="reflects">How far they reach at least.</param>
    public RowPage<TRow> Page(List<KeyedRow<TRow>> rows, LogPosition reflects)
    {
        ArgumentNullException.ThrowIfNull(rows);
        return rows.Count <= Limit ? new RowPage<TRow>(rows, null, reflects) : new RowPage<TRow>(rows[..Limit], CursorOf(rows[Limit - 1]), reflects);
    }

    private bool Matches(KeyedRow<TRow> row) => Array.TrueForAll(_matches.Value, m => m(row));

    private List<KeyedRow<TRow>> Sorted(IEnumerable<KeyedRow<TRow>> rows)
    {
        var sorted = rows.ToList();
        sorted.Sort(Compare);
        return sorted;
    }

    private int Compare(KeyedRow<TRow> a, KeyedRow<TRow> b)
    {
        var order = _sort?.Compare(a, b) is { } byColumn and not 0 ? byColumn : TextOrder.Compare(a.Key, b.Key);
        return _descending ? -order : order;
    }

    private string CursorOf(KeyedRow<TRow> row) => Base64Url.EncodeToString(JsonSerializer.SerializeToUtf8Bytes((string[])[_sort?.Text(row) ?? "", row.Key]));

    private static Dictionary<string, Operand> OperandsOf()
    {
        var operands = new Dictionary<string, Operand>(StringComparer.Ordinal)
        {
            [RowKeyName] = new Operand<string>(Expression.Property(Keyed, nameof(KeyedRow<>.Key)), null),
        };
        foreach (var column in ViewColumn.Of(typeof(TRow)).Where(c => c.IsIndexed))
        {
            var type = Nullable.GetUnderlyingType(column.Property.PropertyType) ?? column.Property.PropertyType;
            var member = Expression.Property(Expression.Property(Keyed, nameof(KeyedRow<>.Row)), column.Property);
            operands.Add(column.Name, (Operand)Activator.CreateInstance(typeof(Operand<>).MakeGenericType(typeof(TRow), type), member, column)!);
        }

        return operands;
    }

    private static Expression<Func<KeyedRow<TRow>, bool>> Condition(Expression body) => Expression.Lambda<Func<KeyedRow<TRow>, bool>>(body, Keyed);

    private static Operand Find(string column, string field) => Operands.TryGetValue(column, out var operand)
        ? operand
        : throw new RowQueryException(field, $"The view has no column '{column}' to filter or sort by; it has {string.Join(", ", Operands.Keys)}.");

    /// <summary>Behind the row of the cursor: so written that an index on the column, then the key, is used.</summary>
    private Expression Behind(string cursor)
    {
        var (further, orSame) = _descending ? (RowComparison.Less, RowComparison.LessOrEqual) : (RowComparison.Greater, RowComparison.GreaterOrEqual);
        var (value, key) = Parse(cursor);
        var behindKey = Operands[RowKeyName].Compare("after", further, key);
        return _sort is null ? behindKey : Expression.AndAlso(_sort.Compare("after", orSame, value), Expression.OrElse(_sort.Compare("after", further, value), behindKey));
    }

    private static (string Value, string Key) Parse(string cursor)
    {
        try
        {
            return JsonSerializer.Deserialize<string[]>(Base64Url.DecodeFromChars(cursor)) is [{ } value, { } key]
                ? (value, key)
                : throw new RowQueryException("after", "It is no cursor that came with a page.");
        }
        catch (Exception e) when (e is FormatException or JsonException)
        {
            throw new RowQueryException("after", "It is no cursor that came with a page.");
        }
    }

    /// <summary>A comparison that the same values with so many decimals meet, and whose own value is one that every table keeps.</summary>
    private static (RowComparison Comparison, decimal Value) AtScale(RowComparison comparison, decimal value, int scale)
    {
        var max = ViewColumn.MaxDecimal(scale);
        var (none, isUpper) = ((RowComparison.Greater, max), comparison is RowComparison.Less or RowComparison.LessOrEqual);
        var (floor, ceiling) = (decimal.Round(value, scale, MidpointRounding.ToNegativeInfinity), decimal.Round(value, scale, MidpointRounding.ToPositiveInfinity));
        return comparison == RowComparison.Equal && (floor != value || Math.Abs(value) > max) ? none
            : value > max ? (isUpper ? (RowComparison.LessOrEqual, max) : none)
            : value < -max ? (isUpper ? (RowComparison.Less, -max) : (RowComparison.GreaterOrEqual, -max))
            : (comparison, comparison is RowComparison.Less or RowComparison.GreaterOrEqual ? ceiling : floor);
    }

    /// <summary>Makes of the comparison of texts that databases translate the one that orders them alike in memory.</summary>
    private sealed class Ordinal : ExpressionVisitor
    {
        protected override Expression VisitMethodCall(MethodCallExpression node) =>
            node.Method.DeclaringType == typeof(string) && node.Method.Name == nameof(string.Compare)
                ? Expression.Call(typeof(TextOrder), nameof(TextOrder.Compare), null, [.. node.Arguments])
                : base.VisitMethodCall(node);
    }

    /// <summary>What rows can be compared and ordered by.</summary>
    private abstract class Operand(bool isSortable)
    {
        public bool IsSortable { get; } = isSortable;

        public abstract Expression Compare(string field, RowComparison comparison, string value);

        public abstract IOrderedQueryable<KeyedRow<TRow>> Order(IQueryable<KeyedRow<TRow>> rows, bool descending);

        public abstract int Compare(KeyedRow<TRow> a, KeyedRow<TRow> b);

        public abstract string Text(KeyedRow<TRow> row);
    }

    private sealed class Operand<TValue>(MemberExpression member, ViewColumn? column) : Operand(column is not { IsNullable: true } && typeof(TValue) != typeof(bool))
    {
        private static readonly MethodInfo CompareText = typeof(string).GetMethod(nameof(string.Compare), [typeof(string), typeof(string)])!;
        private readonly Lazy<Func<KeyedRow<TRow>, TValue>> _value = new(() => Expression.Lambda<Func<KeyedRow<TRow>, TValue>>(member, Keyed).Compile());

        public override Expression Compare(string field, RowComparison comparison, string value)
        {
            if (typeof(TValue) == typeof(bool) && comparison != RowComparison.Equal)
            {
                throw new RowQueryException(field, "A flag is the same or not, never less or greater.");
            }

            var parsed = ColumnText<TValue>.Parse(value) ?? throw new RowQueryException(field, $"'{value}' is no {typeof(TValue).Name}.");
            if (parsed is decimal number && column?.Scale is { } scale)
            {
                (comparison, parsed) = AtScale(comparison, number, scale);
            }

            Expression given = Expression.Field(Expression.Constant(new Parameter { Value = (TValue)parsed }), nameof(Parameter.Value));
            Expression left = member;
            if (typeof(TValue) == typeof(string) && comparison != RowComparison.Equal)
            {
                (left, given) = (Expression.Call(CompareText, member, given), Expression.Constant(0));
            }
            else if (member.Type != typeof(TValue))
            {
                given = Expression.Convert(given, member.Type);
            }

            var compared = comparison switch
            {
                RowComparison.Equal => Expression.Equal(left, given),
                RowComparison.Less => Expression.LessThan(left, given),
                RowComparison.LessOrEqual => Expression.LessThanOrEqual(left, given),
                RowComparison.Greater => Expression.GreaterThan(left, given),
                RowComparison.GreaterOrEqual => Expression.GreaterThanOrEqual(left, given),
                _ => throw new RowQueryException(field, $"'{comparison}' is no comparison."),
            };

            // A text of a database that is null meets no comparison by itself; one in memory would come before all others.
            return left is MethodCallExpression && column is { IsNullable: true } ? Expression.AndAlso(Expression.NotEqual(member, Expression.Constant(null, typeof(string))), compared) : compared;
        }

        public override IOrderedQueryable<KeyedRow<TRow>> Order(IQueryable<KeyedRow<TRow>> rows, bool descending)
        {
            var by = Expression.Lambda<Func<KeyedRow<TRow>, TValue>>(member, Keyed);
            return descending ? rows.OrderByDescending(by) : rows.OrderBy(by);
        }

        public override int Compare(KeyedRow<TRow> a, KeyedRow<TRow> b) =>
            (_value.Value(a), _value.Value(b)) is (string x, string y) ? TextOrder.Compare(x, y) : Comparer<TValue>.Default.Compare(_value.Value(a), _value.Value(b));

        public override string Text(KeyedRow<TRow> row) => ColumnText<TValue>.Of(_value.Value(row));

        // A field of an object, not a constant: so it becomes a parameter of the statement, and its plan is kept.
        private sealed class Parameter
        {
            public TValue Value = default!;
        }
    }
}

/// <summary>The values of columns as text.</summary>
internal static class ColumnText<TValue>
{
    /// <summary>Null: it is no such value.</summary>
    public static object? Parse(string text) => typeof(TValue) switch
    {
        var t when t == typeof(string) => StoredText.Fault(text, ViewColumn.MaxTextBytes) is null ? text : null,
        var t when t == typeof(bool) => bool.TryParse(text, out var v) ? v : null,
        var t when t == typeof(int) => int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var v) ? v : null,
        var t when t == typeof(long) => long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var v) ? v : null,
        var t when t == typeof(decimal) => decimal.TryParse(text, NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var v) ? v : null,
        var t when t == typeof(Guid) => Guid.TryParse(text, out var v) ? v : null,
        var t when t == typeof(DateTimeOffset) => DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal, out var v) ? v : null,
        var t when t == typeof(DateOnly) => DateOnly.TryParseExact(text, "yyyy-MM-dd", CultureInfo.InvariantCulture, DateTimeStyles.None, out var v) ? v : null,
        _ => throw new InvalidOperationException($"No column holds a {typeof(TValue)}."),
    };

    public static string Of(TValue value) => value switch
    {
        DateTimeOffset time => time.ToString("O", CultureInfo.InvariantCulture),
        DateOnly day => day.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture),
        _ => Convert.ToString(value, CultureInfo.InvariantCulture) ?? "",
    };
}
