using Orleans.EventSourced.Core.Log;

namespace Orleans.EventSourced.Core.Projections;

/// <summary>Reads the rows of one version of a view, for queries. Every answer says how far the rows reach. Safe for concurrent use.</summary>
/// <typeparam name="TRow">The class of a row.</typeparam>
public interface IViewReader<TRow>
    where TRow : class
{
    /// <summary>A row and how far its slice reaches, both of one moment.</summary>
    /// <param name="key">The row's key.</param>
    /// <param name="slice">The slice that it belongs to: <see cref="Slice.Of"/>.</param>
    /// <param name="cancellationToken">Ends the read.</param>
    /// <exception cref="LogUnavailableException">The store could not answer, or the view's table is not made yet.</exception>
    Task<RowReading<TRow>> ReadAsync(string key, Slice slice, CancellationToken cancellationToken);

    /// <summary>A page of rows; each reflects at least what the page says that it does.</summary>
    /// <exception cref="LogUnavailableException">The store could not answer, or the view's table is not made yet.</exception>
    Task<RowPage<TRow>> QueryAsync(RowQueryPlan<TRow> plan, CancellationToken cancellationToken);
}

/// <summary>A row as it is now.</summary>
/// <param name="Row">The row; null: there is none with the key.</param>
/// <param name="Reflects">Everything up to it is in the row: the slice's checkpoint, or, where the row is parked, the position before the event that it stands at.</param>
public sealed record RowReading<TRow>(KeyedRow<TRow>? Row, LogPosition Reflects)
    where TRow : class;

/// <summary>A page of rows.</summary>
/// <param name="Rows">The rows, in the order asked for.</param>
/// <param name="Next">The cursor of the page behind this one; null: this is the last.</param>
/// <param name="Reflects">Everything up to it is in the rows: the lowest checkpoint of the slices, or, where a row is parked, the position before the event that it stands at.</param>
public sealed record RowPage<TRow>(IReadOnlyList<KeyedRow<TRow>> Rows, string? Next, LogPosition Reflects)
    where TRow : class;
