namespace Orleans.EventSourced.Core.Projections;

/// <summary>
/// Readers may filter and sort a view's rows by this column, and it has an index. Without it they may not: a filter without an index reads the whole table, and columns are not meant for
/// every reader's guesses. Sorting needs a column that is never null.
/// </summary>
[AttributeUsage(AttributeTargets.Property)]
public sealed class IndexedAttribute : Attribute;
