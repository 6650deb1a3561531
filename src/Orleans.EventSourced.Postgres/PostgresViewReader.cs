using Microsoft.EntityFrameworkCore;
using Npgsql;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Projections;

namespace Orleans.EventSourced.Postgres;

/// <summary>Reads the rows of one version of one view in PostgreSQL. Safe for concurrent use.</summary>
/// <typeparam name="TRow">The class of a row.</typeparam>
internal sealed class PostgresViewReader<TRow>(NpgsqlDataSource source) : IViewReader<TRow>
    where TRow : class
{
    private static readonly ViewId View = ViewId.Of(typeof(TRow));

    // One statement, so that row and checkpoint are of one moment.
    private static readonly Func<ViewContext<TRow>, string, int, int, string, IAsyncEnumerable<Found>> One = EF.CompileAsyncQuery((ViewContext<TRow> context, string view, int version, int slice, string key) =>
        from checkpoint in context.Set<CheckpointRow>()
        where checkpoint.View == view && checkpoint.Version == version && checkpoint.Slice == slice
        from row in context.Set<TRow>().Where(r => EF.Property<string>(r, ViewContext<TRow>.Key) == key).DefaultIfEmpty()
        select new Found(row, row == null ? 0 : EF.Property<long>(row, ViewContext<TRow>.Position), checkpoint.Position));

    private readonly DbContextOptions _mapping = new DbContextOptionsBuilder().UseNpgsql(source).UseQueryTrackingBehavior(QueryTrackingBehavior.NoTracking).Options;

    /// <inheritdoc/>
    public async Task<RowReading<TRow>> ReadAsync(string key, Slice slice, CancellationToken cancellationToken)
    {
        try
        {
            await using var context = new ViewContext<TRow>(_mapping);
            await foreach (var (row, position, reflects) in One(context, View.Name, View.Version, slice.Index, key).WithCancellation(cancellationToken).ConfigureAwait(false))
            {
                return new RowReading<TRow>(row is null ? null : new KeyedRow<TRow> { Key = key, Position = position, Row = row }, new LogPosition(reflects));
            }

            return new RowReading<TRow>(null, LogPosition.Start);
        }
        catch (Exception e) when (PostgresErrors.IsStoreError(e) && !cancellationToken.IsCancellationRequested)
        {
            throw PostgresErrors.OnRead(e);
        }
    }

    /// <inheritdoc/>
    public async Task<RowPage<TRow>> QueryAsync(RowQueryPlan<TRow> plan, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(plan);
        try
        {
            // First how far the rows reach, then the rows: by then they may reach further, never less far.
            await using var context = new ViewContext<TRow>(_mapping);
            var reflects = await context.Set<CheckpointRow>().Where(c => c.View == View.Name && c.Version == View.Version).MinAsync(c => (long?)c.Position, cancellationToken).ConfigureAwait(false);
            var rows = reflects is null ? [] : await plan.Over(context.Rows).ToListAsync(cancellationToken).ConfigureAwait(false);
            return plan.Page(rows, new LogPosition(reflects ?? 0));
        }
        catch (Exception e) when (PostgresErrors.IsStoreError(e) && !cancellationToken.IsCancellationRequested)
        {
            throw PostgresErrors.OnRead(e);
        }
    }

    private sealed record Found(TRow? Row, long Position, long Reflects);
}
