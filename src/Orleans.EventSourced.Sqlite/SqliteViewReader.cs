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
        (_, edition, context) =>
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
        return ReadAsync((_, edition, context) => plan.Page([.. plan.Over(context.Rows)], Reflects(context, edition.Number)), plan.Page([], LogPosition.Start), cancellationToken);
    }

    /// <inheritdoc/>
    public async Task<RowChanges<TRow>> ReadChangesAsync(RowCursor? after, int limit, CancellationToken cancellationToken)
    {
        var read = await ReadAsync(
            (session, edition, context) =>
            {
                var reflects = Reflects(context, edition.Number);
                return RowChanges<TRow>.ReadAsync(after, RowCursor.TableOf(SqliteViewEdition<TRow>.View, edition.Number), reflects, limit, from => Task.FromResult(Between(session, edition, context, from, reflects, limit)));
            },
            Task.FromResult(new RowChanges<TRow>(after ?? default, [], IsReset: false)),
            cancellationToken).ConfigureAwait(false);
        return await read.ConfigureAwait(false);
    }

    /// <summary>How far all rows of the table reach.</summary>
    private LogPosition Reflects(ViewContext<TRow> context, int edition)
    {
        var view = SqliteViewEdition<TRow>.View;
        var reflects = context.Set<CheckpointRow>().Where(c => c.View == view.Name && c.Version == view.Version && c.Role == _role).Min(c => c.Position);
        var parked = context.Set<ParkedRow>().Where(p => p.View == view.Name && p.Version == view.Version && p.Edition == edition).Min(p => (long?)p.Position);
        return new LogPosition(Math.Min(reflects, parked - 1 ?? reflects));
    }

    private static IEnumerable<RowChange<TRow>> Between(SqliteSession session, SqliteViewEdition<TRow> edition, ViewContext<TRow> context, LogPosition after, LogPosition to, int limit)
    {
        var rows = context.Rows.Where(r => r.Position > after.Value && r.Position <= to.Value).OrderBy(r => r.Position).Take(limit).ToList();
        var changes = rows.ConvertAll(r => new RowChange<TRow>(r.Key, r.Row, new LogPosition(r.Position)));
        using var reader = session.Prepared(edition.Sql.ReadTombstones, ("$after", after.Value), ("$to", to.Value), ("$limit", limit)).ExecuteReader();
        while (reader.Read())
        {
            changes.Add(new RowChange<TRow>(reader.GetString(0), null, new LogPosition(reader.GetInt64(1))));
        }

        return changes;
    }

    /// <summary>Reads at one moment: which table has the role, how far it reaches, and its rows.</summary>
    private Task<T> ReadAsync<T>(Func<SqliteSession, SqliteViewEdition<TRow>, ViewContext<TRow>, T> read, T nothing, CancellationToken cancellationToken) => editions.File.ReadAsync(
        session =>
        {
            session.BeginRead();
            try
            {
                return SqliteEditions<TRow>.Find(session, role) is { Number: var number } && editions.Of(number) is var edition ? read(session, edition, edition.Context(session)) : nothing;
            }
            finally
            {
                session.Rollback();
            }
        },
        cancellationToken);
}
