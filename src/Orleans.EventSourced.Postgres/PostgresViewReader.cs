using Microsoft.EntityFrameworkCore;
using Npgsql;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Projections;

namespace Orleans.EventSourced.Postgres;

/// <summary>Reads the rows of one version of one view in PostgreSQL, of the table that has a role. Safe for concurrent use.</summary>
/// <typeparam name="TRow">The class of a row.</typeparam>
internal sealed class PostgresViewReader<TRow>(PostgresEditions<TRow> editions, ViewRole role) : IViewReader<TRow>
    where TRow : class
{
    private const int MaxLooks = 5;
    private readonly string _role = ViewEdition.NameOf(role);

    // The table that had the role when it was last looked for; whether it still has it, each statement asks.
    private volatile PostgresViewEdition<TRow>? _found;

    /// <inheritdoc/>
    public Task<RowReading<TRow>> ReadAsync(string key, Slice slice, CancellationToken cancellationToken) => ReadAsync(
        async edition =>
        {
            var view = PostgresViewEdition<TRow>.View;
            await using var command = editions.Source.CreateCommand(edition.Sql.ReadOne);
            command.Parameters.AddRange(new[]
            {
                PostgresViewStore.Value(view.Name), PostgresViewStore.Value(view.Version), PostgresViewStore.Value(_role), PostgresViewStore.Value(edition.Number), PostgresViewStore.Value(slice.Index), PostgresViewStore.Value(key),
            });
            await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
            return await reader.ReadAsync(cancellationToken).ConfigureAwait(false) ? edition.Sql.Reading(reader) : null;
        },
        new RowReading<TRow>(null, LogPosition.Start),
        cancellationToken);

    /// <inheritdoc/>
    public Task<RowPage<TRow>> QueryAsync(RowQueryPlan<TRow> plan, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(plan);
        return ReadAsync(
            async edition =>
            {
                await using var context = edition.Context();
                return await ReflectsAsync(context, edition.Number, cancellationToken).ConfigureAwait(false) is { } reflects
                    ? plan.Page(await plan.Over(context.Rows).ToListAsync(cancellationToken).ConfigureAwait(false), reflects)
                    : null;
            },
            plan.Page([], LogPosition.Start),
            cancellationToken);
    }

    /// <inheritdoc/>
    public Task<RowChanges<TRow>> ReadChangesAsync(RowCursor? after, int limit, CancellationToken cancellationToken) => ReadAsync(
        async edition =>
        {
            await using var context = edition.Context();
            return await ReflectsAsync(context, edition.Number, cancellationToken).ConfigureAwait(false) is { } reflects
                ? await RowChanges<TRow>.ReadAsync(after, RowCursor.TableOf(PostgresViewEdition<TRow>.View, edition.Number), reflects, limit, from => BetweenAsync(edition, context, from, reflects, limit, cancellationToken)).ConfigureAwait(false)
                : null;
        },
        new RowChanges<TRow>(after ?? default, [], IsReset: false),
        cancellationToken);

    /// <summary>How far all rows of the table reach; null: it has not the role. It is read before the rows: by then they may reach further, never less far.</summary>
    private async Task<LogPosition?> ReflectsAsync(ViewContext<TRow> context, int edition, CancellationToken cancellationToken)
    {
        var view = PostgresViewEdition<TRow>.View;
        var reflects = await context.Set<CheckpointRow>()
            .Where(c => c.View == view.Name && c.Version == view.Version && c.Role == _role && c.Edition == edition)
            .MinAsync(c => (long?)c.Position, cancellationToken).ConfigureAwait(false);
        var parked = await context.Set<ParkedRow>()
            .Where(p => p.View == view.Name && p.Version == view.Version && p.Edition == edition)
            .MinAsync(p => (long?)p.Position, cancellationToken).ConfigureAwait(false);
        return reflects is { } position ? new LogPosition(Math.Min(position, parked - 1 ?? position)) : null;
    }

    /// <summary>What another commit changes meanwhile lies behind <paramref name="to"/>: two statements see no less than one.</summary>
    private async Task<IEnumerable<RowChange<TRow>>> BetweenAsync(PostgresViewEdition<TRow> edition, ViewContext<TRow> context, LogPosition after, LogPosition to, int limit, CancellationToken cancellationToken)
    {
        var rows = await context.Rows.Where(r => r.Position > after.Value && r.Position <= to.Value).OrderBy(r => r.Position).Take(limit)
            .ToListAsync(cancellationToken).ConfigureAwait(false);
        var changes = rows.ConvertAll(r => new RowChange<TRow>(r.Key, r.Row, new LogPosition(r.Position)));
        await using var command = editions.Source.CreateCommand(edition.Sql.ReadTombstones);
        command.Parameters.AddRange(new[] { PostgresViewStore.Value(after.Value), PostgresViewStore.Value(to.Value), PostgresViewStore.Value((long)limit) });
        await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
        {
            changes.Add(new RowChange<TRow>(reader.GetString(0), null, new LogPosition(reader.GetInt64(1))));
        }

        return changes;
    }

    /// <summary>Reads from the table that has the role. Null from <paramref name="read"/>: it has not, or not what was asked for.</summary>
    private async Task<T> ReadAsync<T>(Func<PostgresViewEdition<TRow>, Task<T?>> read, T nothing, CancellationToken cancellationToken)
        where T : class
    {
        try
        {
            for (var look = 1; ; look++)
            {
                var edition = _found ?? await FindAsync(cancellationToken).ConfigureAwait(false);
                if (edition is null)
                {
                    return nothing;
                }

                try
                {
                    if (await read(edition).ConfigureAwait(false) is { } answer)
                    {
                        return answer;
                    }
                }
                catch (PostgresException e) when (PostgresErrors.IsMissingTable(e) && look < MaxLooks)
                {
                    // It retired and was dropped since it was found.
                }

                _found = null;
                if (look == MaxLooks || (await FindAsync(cancellationToken).ConfigureAwait(false))?.Number == edition.Number)
                {
                    return nothing;
                }
            }
        }
        catch (Exception e) when (PostgresErrors.IsStoreError(e) && !cancellationToken.IsCancellationRequested)
        {
            throw PostgresErrors.OnRead(e);
        }
    }

    private async Task<PostgresViewEdition<TRow>?> FindAsync(CancellationToken cancellationToken)
    {
        await using var connection = await editions.Source.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
        var found = await PostgresEditions<TRow>.FindAsync(connection, role, cancellationToken).ConfigureAwait(false);
        return _found = found is { Number: var number } ? editions.Of(number) : null;
    }
}
