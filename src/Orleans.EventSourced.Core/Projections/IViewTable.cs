using Orleans.EventSourced.Core.Log;

namespace Orleans.EventSourced.Core.Projections;

/// <summary>
/// The table of one version of one view that is there in one role, with its routes and the checkpoints of its slices. Rows and checkpoint change in one transaction or not at all. Which edition of the
/// table has the role is seen when it is opened; where another one has it by now, nothing is written, and the runner opens again.
/// Safe for concurrent use; one try a call.
/// </summary>
/// <typeparam name="TRow">The class of a row.</typeparam>
public interface IViewTable<TRow>
    where TRow : class
{
    /// <summary>
    /// Answers the slice's checkpoint: everything up to it is in the rows. What is missing of the live table is made; null: no table has the role.
    /// </summary>
    /// <exception cref="LogUnavailableException">The store could not answer.</exception>
    /// <exception cref="LogMisconfiguredException">The table is there with other columns, for another log, or divided into another number of slices.</exception>
    Task<OpenedSlice?> OpenAsync(Slice slice, CancellationToken cancellationToken);

    /// <summary>The rows with these keys; those that are not there are left out.</summary>
    /// <exception cref="LogUnavailableException">The store could not answer.</exception>
    Task<IReadOnlyDictionary<string, TRow>> ReadRowsAsync(IReadOnlyCollection<string> keys, CancellationToken cancellationToken);

    /// <summary>The routes that the slice keeps of these streams; those that are not there are left out.</summary>
    /// <exception cref="LogUnavailableException">The store could not answer.</exception>
    Task<IReadOnlyDictionary<StreamId, ViewRoute>> ReadRoutesAsync(Slice slice, IReadOnlyCollection<StreamId> streams, CancellationToken cancellationToken);

    /// <summary>
    /// Writes rows, routes and checkpoint, if the checkpoint is still where the commit expects it, no parked row was taken up since, and the edition still has its role. False: it is not so; nothing was
    /// written, open again.
    /// </summary>
    /// <exception cref="LogUnavailableException">Written or not: open again and see.</exception>
    Task<bool> CommitAsync(ViewCommit<TRow> commit, CancellationToken cancellationToken);

    /// <summary>
    /// Makes the indexes of queries, where they are missing. A table is made without them: rows that are written while a new view catches up with the log would have to be entered into each of
    /// them, time and again. The runner asks for them when a slice is at the head.
    /// </summary>
    /// <exception cref="LogUnavailableException">The store could not answer.</exception>
    Task IndexAsync(CancellationToken cancellationToken);

    /// <summary>The events that wait for parked rows of the slice, in the table that was opened, by key and position.</summary>
    /// <exception cref="LogUnavailableException">The store could not answer.</exception>
    Task<IReadOnlyList<ParkedEvent>> ReadParkedAsync(Slice slice, CancellationToken cancellationToken);

    /// <summary>Keeps that this version of the view passes over an event. False: it does already, and the first reason stays. The table need not be there.</summary>
    /// <exception cref="LogUnavailableException">Kept or not: skip it again.</exception>
    Task<bool> SkipAsync(SkippedEvent skipped, CancellationToken cancellationToken);

    /// <summary>The events that this version of the view passes over, by position.</summary>
    /// <exception cref="LogUnavailableException">The store could not answer.</exception>
    Task<IReadOnlyList<SkippedEvent>> ReadSkippedAsync(CancellationToken cancellationToken);
}

/// <summary>A slice that was opened.</summary>
/// <param name="Edition">The table's number.</param>
/// <param name="Position">The checkpoint.</param>
/// <param name="Retries">How often parked rows of the slice were taken up again.</param>
public sealed record OpenedSlice(int Edition, LogPosition Position, long Retries)
{
    /// <summary>The last event that its movers saw; null, or at another position than the checkpoint: they said none.</summary>
    public LogMark? Mark { get; init; }
}

/// <summary>What a slice of a view keeps of a stream.</summary>
/// <param name="Key">The row it belongs to; null: not known yet.</param>
/// <param name="State">The route as JSON in UTF-8.</param>
public sealed record ViewRoute(string? Key, ReadOnlyMemory<byte> State);

/// <summary>A route after the events of a commit.</summary>
/// <param name="Stream">Whose.</param>
/// <param name="Route">The route; null: forgotten, because the stream's row belongs to another slice.</param>
public sealed record RouteChange(StreamId Stream, ViewRoute? Route);

/// <summary>One step of a view: what several pages of events change.</summary>
/// <param name="Slice">Whose checkpoint moves.</param>
/// <param name="Edition">The table that was opened.</param>
/// <param name="Expected">Where the checkpoint must be.</param>
/// <param name="Next">Where it will be.</param>
/// <param name="Rows">The rows changed, one a key.</param>
/// <param name="Routes">The routes changed, one a stream.</param>
public sealed record ViewCommit<TRow>(Slice Slice, int Edition, LogPosition Expected, LogPosition Next, IReadOnlyList<RowChange<TRow>> Rows, IReadOnlyList<RouteChange> Routes)
    where TRow : class
{
    /// <summary>How often parked rows of the slice were taken up before: one that was meanwhile may have changed rows while the checkpoint stayed where it was.</summary>
    public long Retries { get; init; }

    /// <summary>The same behind the commit: one more, where it takes up a row.</summary>
    public long NextRetries => Unparked.Count > 0 ? Retries + 1 : Retries;

    /// <summary>The event at <see cref="Next"/>; null: the mark that is there stays.</summary>
    public LogMark? Mark { get; init; }

    /// <summary>The rows for which nothing waits any more, but for what <see cref="Parked"/> says.</summary>
    public IReadOnlyList<string> Unparked { get; init; } = [];

    /// <summary>The events that wait for parked rows from now on.</summary>
    public IReadOnlyList<ParkedEvent> Parked { get; init; } = [];
}
