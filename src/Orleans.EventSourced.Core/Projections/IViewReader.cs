using System.Globalization;
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

    /// <summary>
    /// The rows that were changed or deleted behind a cursor, each as it is now, by position. A row that is changed again meanwhile comes later, at its new position: whoever reads on from
    /// <see cref="RowChanges{TRow}.Next"/> each time ends with the rows of the table. Where slices differ, it goes no further than the one that is furthest behind; where a row is parked, not up to it.
    /// </summary>
    /// <param name="after">Where the reader stands; null: it begins, at the end. Who began before there was a table reads the first one whole.</param>
    /// <param name="limit">The most changes.</param>
    /// <param name="cancellationToken">Ends the read.</param>
    /// <exception cref="LogUnavailableException">The store could not answer.</exception>
    Task<RowChanges<TRow>> ReadChangesAsync(RowCursor? after, int limit, CancellationToken cancellationToken);
}

/// <summary>How far a reader of changes has come in one table of a view.</summary>
/// <param name="Table">Which table: <see cref="TableOf"/>; 0: there was none yet, so that every row of the next one is new.</param>
/// <param name="Position">Everything up to it was read.</param>
public readonly record struct RowCursor(int Table, LogPosition Position)
{
    /// <summary>The number of a table in cursors: ten thousand for each version of its view, and the table's own. So rows of another version are never taken for those that a reader knows.</summary>
    public static int TableOf(ViewId view, int edition) => (view.Version * (ViewEdition.MaxNumber + 1)) + edition;

    /// <summary>A cursor in its written form.</summary>
    /// <exception cref="FormatException">It is none.</exception>
    public static RowCursor Parse(string text) =>
        text?.Split('-') is [var edition, var position]
        && int.TryParse(edition, NumberStyles.None, CultureInfo.InvariantCulture, out var number)
        && long.TryParse(position, NumberStyles.None, CultureInfo.InvariantCulture, out var at)
            ? new RowCursor(number, new LogPosition(at))
            : throw new FormatException("A cursor is two whole numbers, the table's and the position, such as '10001-4711'.");

    /// <summary>The written form: <c>10001-4711</c>.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Table}-{Position.Value}");
}

/// <summary>What changed behind a cursor.</summary>
/// <param name="Next">Where to read on.</param>
/// <param name="Changes">The rows, by position; none: nothing changed yet, or <paramref name="IsReset"/>.</param>
/// <param name="IsReset">Another table has taken the place of the cursor's, whose rows may differ below any position: read the view anew, and the changes from <paramref name="Next"/> on.</param>
public sealed record RowChanges<TRow>(RowCursor Next, IReadOnlyList<RowChange<TRow>> Changes, bool IsReset)
    where TRow : class
{
    /// <summary>Everything up to it is in the rows: less than <see cref="Next"/> where the reader was told more, by a node that was further or before a row was parked.</summary>
    public LogPosition Reflects { get; init; } = Next.Position;

    /// <summary>What a table of a store comes to.</summary>
    /// <param name="after">Where the reader stands; null: it begins, at the end.</param>
    /// <param name="table">The table that is read: <see cref="RowCursor.TableOf"/>.</param>
    /// <param name="reflects">How far all its rows reach.</param>
    /// <param name="limit">The most changes.</param>
    /// <param name="read">Reads rows and tombstones between the position that it is given and <paramref name="reflects"/>, each by position and at most <paramref name="limit"/>.</param>
    public static async Task<RowChanges<TRow>> ReadAsync(RowCursor? after, int table, LogPosition reflects, int limit, Func<LogPosition, Task<IEnumerable<RowChange<TRow>>>> read)
    {
        ArgumentNullException.ThrowIfNull(read);
        ArgumentOutOfRangeException.ThrowIfLessThan(limit, 1);
        var end = new RowCursor(table, reflects);
        if (after is not { } from || (from.Table != 0 && from.Table != table))
        {
            return new RowChanges<TRow>(end, [], IsReset: after is not null);
        }

        if (from.Table == table && reflects <= from.Position)
        {
            return new RowChanges<TRow>(from, [], IsReset: false) { Reflects = reflects };
        }

        List<RowChange<TRow>> changes = [.. (await read(from.Table == 0 ? LogPosition.Start : from.Position).ConfigureAwait(false)).OrderBy(c => c.Position).Take(limit)];
        return new RowChanges<TRow>(changes.Count < limit ? end : end with { Position = changes[^1].Position }, changes, IsReset: false);
    }
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
