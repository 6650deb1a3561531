using Orleans.EventSourced.Core.Log;

namespace Orleans.EventSourced.Core.Projections;

/// <summary>
/// The views of a log in one store: for each version of a view a live table, perhaps another one that is built to take its place, and for people a view in SQL of the plain name, which shows the live
/// table of one version: of the first that was made, until another one is to be shown. Safe for concurrent use.
/// </summary>
public interface IViewStore
{
    /// <summary>The table, in a role, of the version that the class of its rows declares. Nothing is made before it is opened.</summary>
    /// <exception cref="ArgumentException">The class cannot be a table: <see cref="ViewColumn.Of(Type)"/>, <see cref="ViewId.Of"/>.</exception>
    IViewTable<TRow> Table<TRow>(ViewRole role = ViewRole.Live)
        where TRow : class;

    /// <summary>Reads the rows of that version, for queries.</summary>
    /// <exception cref="ArgumentException">The class cannot be a table.</exception>
    IViewReader<TRow> Reader<TRow>(ViewRole role = ViewRole.Live)
        where TRow : class;

    /// <summary>The tables of that version, and what is done with them.</summary>
    /// <exception cref="ArgumentException">The class cannot be a table.</exception>
    IViewEditions Editions<TRow>()
        where TRow : class;

    /// <summary>The checkpoints of all tables of all versions of all views, by name, version, edition and slice.</summary>
    /// <exception cref="LogUnavailableException">The store could not answer.</exception>
    Task<IReadOnlyList<Checkpoint>> ReadCheckpointsAsync(CancellationToken cancellationToken);

    /// <summary>
    /// Drops the tables of a version with their routes and checkpoints; with the last version of a view its plain name too. False: there is none. A runner that still has it writes nothing
    /// into it, but makes it again when it opens it: stop the runners first.
    /// </summary>
    /// <exception cref="LogRequestRefusedException">It is the version shown and there are others, or something outside hangs on it.</exception>
    /// <exception cref="LogUnavailableException">The store could not answer, or the table is in use.</exception>
    Task<bool> DropAsync(ViewId view, CancellationToken cancellationToken);
}
