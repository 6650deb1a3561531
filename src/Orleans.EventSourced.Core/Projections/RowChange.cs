using Orleans.EventSourced.Core.Log;

namespace Orleans.EventSourced.Core.Projections;

/// <summary>
/// A row after the events of a commit, in the form in which every table keeps it: instants in UTC to the microsecond, decimals with their declared scale. So a fold meets the same
/// row whether it was kept in a table meanwhile or not.
/// </summary>
/// <typeparam name="TRow">The class of a row.</typeparam>
public sealed record RowChange<TRow>
    where TRow : class
{
    /// <param name="key">Its key.</param>
    /// <param name="row">The row; null: deleted, a tombstone with the position stays.</param>
    /// <param name="position">The last event folded into it.</param>
    /// <exception cref="ArgumentException">No table keeps the key or a value of the row; the message names view, column, key and value.</exception>
    public RowChange(string key, TRow? row, LogPosition position)
    {
        Key = RowKey.Checked(key, typeof(TRow));
        Row = row is null ? null : StoredForm<TRow>.Of(key, row);
        Position = position;
    }

    /// <summary>Its key.</summary>
    public string Key { get; }

    /// <summary>The row; null: deleted, a tombstone with the position stays.</summary>
    public TRow? Row { get; }

    /// <summary>The last event folded into it.</summary>
    public LogPosition Position { get; }

    /// <summary>Its parts.</summary>
    public void Deconstruct(out string key, out TRow? row, out LogPosition position) => (key, row, position) = (Key, Row, Position);
}
