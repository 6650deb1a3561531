namespace Orleans.EventSourced.Core.Projections;

/// <summary>
/// Readers may filter and sort a view's rows by this column, and it has an index. Without it they may not: a filter without an index reads the whole table, and columns are not meant for
/// every reader's guesses. A bool can be filtered and orders nothing; to sort, a column must never be null. Its text has at most <see cref="ViewColumn.MaxIndexedTextBytes"/>.
/// </summary>
[AttributeUsage(AttributeTargets.Property)]
public sealed class IndexedAttribute : Attribute;
