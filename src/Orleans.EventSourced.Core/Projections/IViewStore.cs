using Orleans.EventSourced.Core.Log;

namespace Orleans.EventSourced.Core.Projections;

/// <summary>
/// The views of a log in one store: for each version of a view a table, and for people a view in SQL of the plain name, which shows the live version. The version whose table is made
/// first is the live one. Safe for concurrent use.
/// </summary>
public interface IViewStore
{
    /// <summary>The table of the version that the class of its rows declares. Nothing is made before it is opened.</summary>
    /// <exception cref="ArgumentException">The class cannot be a table: <see cref="ViewColumn.Of(Type)"/>, <see cref="ViewId.Of"/>.</exception>
    IViewTable<TRow> Table<TRow>()
        where TRow : class;

    /// <summary>Reads the rows of that version, for queries.</summary>
    /// <exception cref="ArgumentException">The class cannot be a table.</exception>
    IViewReader<TRow> Reader<TRow>()
        where TRow : class;

    /// <summary>The checkpoints of all versions of all views, by name, version and slice.</summary>
    /// <exception cref="LogUnavailableException">The store could not answer.</exception>
    Task<IReadOnlyList<Checkpoint>> ReadCheckpointsAsync(CancellationToken cancellationToken);

    /// <summary>
    /// Drops the table of a version with its routes and checkpoints; with the last version of a view its plain name too. False: there is none. A runner that still has it writes nothing
    /// into it, but makes it again when it opens it: stop the runners first.
    /// </summary>
    /// <exception cref="LogRequestRefusedException">It is the live version and there are others, or something outside hangs on it.</exception>
    /// <exception cref="LogUnavailableException">The store could not answer, or the table is in use.</exception>
    Task<bool> DropAsync(ViewId view, CancellationToken cancellationToken);
}
