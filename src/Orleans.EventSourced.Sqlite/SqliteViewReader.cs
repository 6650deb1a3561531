using System.Runtime.CompilerServices;
using Microsoft.EntityFrameworkCore;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Projections;

namespace Orleans.EventSourced.Sqlite;

/// <summary>Reads the rows of one version of one view in the file of views. Safe for concurrent use.</summary>
/// <typeparam name="TRow">The class of a row.</typeparam>
internal sealed class SqliteViewReader<TRow>(SqliteViewsFile file) : IViewReader<TRow>
    where TRow : class
{
    private static readonly ViewId View = ViewId.Of(typeof(TRow));

    // One statement, so that row and checkpoint are of one moment.
    private static readonly Func<ViewContext<TRow>, string, int, int, string, IEnumerable<Found>> One = EF.CompileQuery((ViewContext<TRow> context, string view, int version, int slice, string key) =>
        from checkpoint in context.Set<CheckpointRow>()
        where checkpoint.View == view && checkpoint.Version == version && checkpoint.Slice == slice
        from row in context.Set<TRow>().Where(r => EF.Property<string>(r, ViewContext<TRow>.Key) == key).DefaultIfEmpty()
        select new Found(row, row == null ? 0 : EF.Property<long>(row, ViewContext<TRow>.Position), checkpoint.Position));

    private readonly ConditionalWeakTable<SqliteSession, ViewContext<TRow>> _contexts = [];

    /// <inheritdoc/>
    public Task<RowReading<TRow>> ReadAsync(string key, Slice slice, CancellationToken cancellationToken) => file.ReadAsync(
        session =>
        {
            foreach (var (row, position, reflects) in One(ContextOf(session), View.Name, View.Version, slice.Index, key))
            {
                return new RowReading<TRow>(row is null ? null : new KeyedRow<TRow> { Key = key, Position = position, Row = row }, new LogPosition(reflects));
            }

            return new RowReading<TRow>(null, LogPosition.Start);
        },
        cancellationToken);

    /// <inheritdoc/>
    public Task<RowPage<TRow>> QueryAsync(RowQueryPlan<TRow> plan, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(plan);
        return file.ReadAsync(
            session =>
            {
                // First how far the rows reach, then the rows: by then they may reach further, never less far.
                var context = ContextOf(session);
                var reflects = context.Set<CheckpointRow>().Where(c => c.View == View.Name && c.Version == View.Version).Min(c => (long?)c.Position);
                return plan.Page(reflects is null ? [] : [.. plan.Over(context.Rows)], new LogPosition(reflects ?? 0));
            },
            cancellationToken);
    }

    private ViewContext<TRow> ContextOf(SqliteSession session) => _contexts.GetValue(
        session, static s => new ViewContext<TRow>(new DbContextOptionsBuilder().UseSqlite(s.Connection).UseQueryTrackingBehavior(QueryTrackingBehavior.NoTracking).Options));

    private sealed record Found(TRow? Row, long Position, long Reflects);
}
