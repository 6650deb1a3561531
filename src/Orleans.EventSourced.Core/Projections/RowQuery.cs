namespace Orleans.EventSourced.Core.Projections;

/// <summary>Which rows of a view are wanted, in which order, from where on. What it may name is what the row's class allows: its key, and its columns with <see cref="IndexedAttribute"/>.</summary>
public sealed record RowQuery
{
    /// <summary>The most rows of a page.</summary>
    public const int MaxLimit = 1_000;

    /// <summary>The most filters.</summary>
    public const int MaxFilters = 16;

    /// <summary>All of them hold for every row answered.</summary>
    public IReadOnlyList<RowFilter> Filters { get; init; } = [];

    /// <summary>The column that orders the rows, rows with the same value by key; null: the key does.</summary>
    public string? SortBy { get; init; }

    /// <summary>Whether the order is turned round.</summary>
    public bool Descending { get; init; }

    /// <summary>The cursor that came with the page before; null: from the first row on.</summary>
    public string? After { get; init; }

    /// <summary>The most rows wanted, 1 to <see cref="MaxLimit"/>.</summary>
    public int Limit { get; init; } = 100;
}

/// <summary>A condition that a row's column meets.</summary>
/// <param name="Column">The column's name in SQL, or <c>key</c>.</param>
/// <param name="Comparison">How the column's value stands to <paramref name="Value"/>.</param>
/// <param name="Value">The value as text: numbers with a point, dates and times as ISO 8601, <c>true</c> or <c>false</c>.</param>
public sealed record RowFilter(string Column, RowComparison Comparison, string Value);

/// <summary>How a column's value stands to another. A value that is null meets none of them.</summary>
public enum RowComparison
{
    /// <summary>The same.</summary>
    Equal,

    /// <summary>Less; of text, before it by its code points.</summary>
    Less,

    /// <summary>Less or the same.</summary>
    LessOrEqual,

    /// <summary>Greater; of text, behind it by its code points.</summary>
    Greater,

    /// <summary>Greater or the same.</summary>
    GreaterOrEqual,
}

/// <summary>A row as a table gives it.</summary>
/// <typeparam name="TRow">The class of a row.</typeparam>
public sealed class KeyedRow<TRow>
    where TRow : class
{
    /// <summary>Its key.</summary>
    public required string Key { get; init; }

    /// <summary>The position of the last event folded into it.</summary>
    public required long Position { get; init; }

    /// <summary>The row.</summary>
    public required TRow Row { get; init; }
}

/// <summary>A query names what the view does not allow, or a value that its column cannot have.</summary>
public sealed class RowQueryException : Exception
{
    /// <param name="field">What is at fault: a column, <c>sort</c>, <c>after</c>, <c>limit</c>.</param>
    /// <param name="fault">What is wrong with it.</param>
    public RowQueryException(string field, string fault)
        : base($"{field}: {fault}") => (Data["field"], Data["fault"]) = (field, fault);

    /// <summary>What is at fault.</summary>
    public string Field => Data["field"] as string ?? "";

    /// <summary>What is wrong with it.</summary>
    public string Fault => Data["fault"] as string ?? Message;
}
