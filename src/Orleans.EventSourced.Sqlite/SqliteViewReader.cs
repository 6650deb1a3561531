using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Projections;

namespace Orleans.EventSourced.Sqlite;

/// <summary>Reads the rows of one version of one view in the file of views, of the table that has a role. Safe for concurrent use.</summary>
/// <typeparam name="TRow">The class of a row.</typeparam>
internal sealed class SqliteViewReader<TRow>(SqliteEditions<TRow> editions, ViewRole role) : IViewReader<TRow>
    where TRow : class
{
    private readonly string _role = ViewEdition.NameOf(role);

    /// <inheritdoc/>
    public Task<RowReading<TRow>> ReadAsync(string key, Slice slice, CancellationToken cancellationToken) => ReadAsync(
        (edition, context) =>
        {
            foreach (var (row, position, reflects) in edition.One(context, _role, slice.Index, key))
            {
                return new RowReading<TRow>(row is null ? null : new KeyedRow<TRow> { Key = key, Position = position, Row = row }, new LogPosition(reflects));
            }

            return new RowReading<TRow>(null, LogPosition.Start);
        },
        new RowReading<TRow>(null, LogPosition.Start),
        cancellationToken);

    /// <inheritdoc/>
    public Task<RowPage<TRow>> QueryAsync(RowQueryPlan<TRow> plan, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(plan);
        var view = SqliteViewEdition<TRow>.View;
        return ReadAsync(
            (edition, context) =>
            {
                var reflects = context.Set<CheckpointRow>().Where(c => c.View == view.Name && c.Version == view.Version && c.Role == _role).Min(c => c.Position);
                var parked = context.Set<ParkedRow>().Where(p => p.View == view.Name && p.Version == view.Version && p.Edition == edition.Number).Min(p => (long?)p.Position);
                return plan.Page([.. plan.Over(context.Rows)], new LogPosition(Math.Min(reflects, parked - 1 ?? reflects)));
            },
            plan.Page([], LogPosition.Start),
            cancellationToken);
    }

    /// <summary>Reads at one moment: which table has the role, how far it reaches, and its rows.</summary>
    private Task<T> ReadAsync<T>(Func<SqliteViewEdition<TRow>, ViewContext<TRow>, T> read, T nothing, CancellationToken cancellationToken) => editions.File.ReadAsync(
        session =>
        {
            session.BeginRead();
            try
            {
                return SqliteEditions<TRow>.Find(session, role) is { Number: var number } && editions.Of(number) is var edition ? read(edition, edition.Context(session)) : nothing;
            }
            finally
            {
                session.Rollback();
            }
        },
        cancellationToken);
}
