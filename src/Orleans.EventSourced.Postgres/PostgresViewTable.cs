using System.Text;
using Microsoft.EntityFrameworkCore;
using Npgsql;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Projections;

namespace Orleans.EventSourced.Postgres;

/// <summary>The table of one version of one view in PostgreSQL, in schema <c>es_views</c>. Safe for concurrent use.</summary>
/// <typeparam name="TRow">The class of a row.</typeparam>
internal sealed class PostgresViewTable<TRow> : IViewTable<TRow>
    where TRow : class
{
    private readonly NpgsqlDataSource _source;
    private readonly DbContextOptions _mapping;
    private readonly ViewSql<TRow> _sql;

    public PostgresViewTable(NpgsqlDataSource source)
    {
        _source = source;
        _mapping = new DbContextOptionsBuilder().UseNpgsql(_source).Options;
        using var context = new ViewContext<TRow>(_mapping);
        _sql = new ViewSql<TRow>(context);
    }

    /// <inheritdoc/>
    public async Task<LogPosition> OpenAsync(Slice slice, CancellationToken cancellationToken)
    {
        try
        {
            await using var connection = await _source.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
            await using var transaction = await connection.BeginTransactionAsync(cancellationToken).ConfigureAwait(false);
            if (await ReadColumnsAsync(connection, cancellationToken).ConfigureAwait(false) is { Count: > 0 } found)
            {
                ViewColumn.RequireSame(_sql.View, _sql.Columns, found);
            }
            else
            {
                await CreateAsync(connection, cancellationToken).ConfigureAwait(false);
            }

            var position = await CheckpointAsync(connection, slice, cancellationToken).ConfigureAwait(false);
            await transaction.CommitAsync(cancellationToken).ConfigureAwait(false);
            return position;
        }
        catch (Exception e) when (PostgresErrors.IsStoreError(e) && !cancellationToken.IsCancellationRequested)
        {
            throw PostgresErrors.OnRead(e);
        }
    }

    /// <inheritdoc/>
    public async Task<IReadOnlyDictionary<string, TRow>> ReadRowsAsync(IReadOnlyCollection<string> keys, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(keys);
        var wanted = keys.ToArray();
        try
        {
            await using var context = new ViewContext<TRow>(_mapping);
            var rows = new Dictionary<string, TRow>(wanted.Length, StringComparer.Ordinal);
            var query = context.Set<TRow>().AsNoTracking()
                .Where(r => wanted.Contains(EF.Property<string>(r, ViewContext<TRow>.Key)))
                .Select(r => new { Key = EF.Property<string>(r, ViewContext<TRow>.Key), Row = r });
            await foreach (var found in query.AsAsyncEnumerable().WithCancellation(cancellationToken).ConfigureAwait(false))
            {
                rows.Add(found.Key, found.Row);
            }

            return rows;
        }
        catch (Exception e) when (PostgresErrors.IsStoreError(e) && !cancellationToken.IsCancellationRequested)
        {
            throw PostgresErrors.OnRead(e);
        }
    }

    /// <inheritdoc/>
    public async Task<IReadOnlyDictionary<StreamId, ViewRoute>> ReadRoutesAsync(Slice slice, IReadOnlyCollection<StreamId> streams, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(streams);
        try
        {
            await using var command = _source.CreateCommand(_sql.ReadRoutes);
            command.Parameters.AddRange(new NpgsqlParameter[] { new NpgsqlParameter<int> { TypedValue = slice.Index }, new NpgsqlParameter<string[]> { TypedValue = [.. streams.Select(s => s.Value)] } });
            await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
            var routes = new Dictionary<StreamId, ViewRoute>(streams.Count);
            while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
            {
                routes.Add(new StreamId(reader.GetString(0)), new ViewRoute(reader.IsDBNull(1) ? null : reader.GetString(1), Encoding.UTF8.GetBytes(reader.GetString(2))));
            }

            return routes;
        }
        catch (Exception e) when (PostgresErrors.IsStoreError(e) && !cancellationToken.IsCancellationRequested)
        {
            throw PostgresErrors.OnRead(e);
        }
    }

    /// <inheritdoc/>
    public async Task<bool> CommitAsync(ViewCommit<TRow> commit, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(commit);
        try
        {
            await using var connection = await _source.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
            await using var transaction = await connection.BeginTransactionAsync(cancellationToken).ConfigureAwait(false);
            await using var batch = new NpgsqlBatch(connection, transaction);
            var checkpoint = Add(
                batch,
                Statements.MoveCheckpoint,
                Value(_sql.View.Name),
                Value(_sql.View.Version),
                Value(commit.Slice.Index),
                Value(commit.Slice.Count),
                Value(commit.Expected.Value),
                Value(commit.Next.Value));
            AddRows(batch, commit.Rows);
            AddRoutes(batch, commit);
            await batch.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
            if (checkpoint.RecordsAffected != 1)
            {
                await transaction.RollbackAsync(cancellationToken).ConfigureAwait(false);
                return false;
            }

            await transaction.CommitAsync(cancellationToken).ConfigureAwait(false);
            return true;
        }
        catch (Exception e) when (PostgresErrors.IsStoreError(e) && !cancellationToken.IsCancellationRequested)
        {
            throw PostgresErrors.OnRead(e);
        }
    }

    /// <inheritdoc/>
    public async Task IndexAsync(CancellationToken cancellationToken)
    {
        try
        {
            await using var connection = await _source.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
            await using var transaction = await connection.BeginTransactionAsync(cancellationToken).ConfigureAwait(false);
            await PostgresViewStore.ExecuteAsync(connection, PostgresViewStore.LockTables, [], cancellationToken).ConfigureAwait(false);
            await using var command = new NpgsqlCommand(Statements.HasIndexes, connection) { Parameters = { Value(_sql.View.Table) } };
            if (await command.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false) is false)
            {
                await PostgresViewStore.ExecuteAsync(connection, _sql.CreateIndexes, [], cancellationToken).ConfigureAwait(false);
                await transaction.CommitAsync(cancellationToken).ConfigureAwait(false);
            }
        }
        catch (Exception e) when (PostgresErrors.IsStoreError(e) && !cancellationToken.IsCancellationRequested)
        {
            throw PostgresErrors.OnRead(e);
        }
    }

    /// <inheritdoc/>
    public async Task<bool> SkipAsync(SkippedEvent skipped, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(skipped);
        try
        {
            await using var command = _source.CreateCommand(Statements.InsertSkipped);
            command.Parameters.AddRange(
                new[] { Value(_sql.View.Name), Value(_sql.View.Version), Value(skipped.Position.Value), Value(skipped.Reason), Value(skipped.Actor), Value(skipped.SkippedAt.ToUniversalTime()) });
            return await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false) == 1;
        }
        catch (Exception e) when (PostgresErrors.IsStoreError(e) && !cancellationToken.IsCancellationRequested)
        {
            throw PostgresErrors.OnRead(e);
        }
    }

    /// <inheritdoc/>
    public async Task<IReadOnlyList<SkippedEvent>> ReadSkippedAsync(CancellationToken cancellationToken)
    {
        try
        {
            await using var command = _source.CreateCommand(Statements.ReadSkipped);
            command.Parameters.AddRange(new[] { Value(_sql.View.Name), Value(_sql.View.Version) });
            await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
            var skipped = new List<SkippedEvent>();
            while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
            {
                skipped.Add(new SkippedEvent(new LogPosition(reader.GetInt64(0)), reader.GetString(1), reader.IsDBNull(2) ? null : reader.GetString(2), reader.GetFieldValue<DateTimeOffset>(3)));
            }

            return skipped;
        }
        catch (Exception e) when (PostgresErrors.IsStoreError(e) && !cancellationToken.IsCancellationRequested)
        {
            throw PostgresErrors.OnRead(e);
        }
    }

    /// <summary>Makes the table and, with the first version of its view, the plain name; nothing where another runner was first.</summary>
    private async Task CreateAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        await PostgresViewStore.ExecuteAsync(connection, PostgresViewStore.LockTables, [], cancellationToken).ConfigureAwait(false);
        if (await ReadColumnsAsync(connection, cancellationToken).ConfigureAwait(false) is { Count: > 0 } found)
        {
            ViewColumn.RequireSame(_sql.View, _sql.Columns, found);
            return;
        }

        await PostgresViewStore.ExecuteAsync(connection, _sql.Create, [], cancellationToken).ConfigureAwait(false);
        if (await PostgresViewStore.ExecuteAsync(connection, Statements.InsertLive, [Value(_sql.View.Name), Value(_sql.View.Version)], cancellationToken).ConfigureAwait(false) == 1)
        {
            await PostgresViewStore.ExecuteAsync(connection, _sql.CreatePlainName, [], cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>The columns of the table that is there; none: there is no table.</summary>
    private async Task<IReadOnlyDictionary<string, string>> ReadColumnsAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(Statements.ReadColumns, connection) { Parameters = { Value(_sql.View.Table) } };
        await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        var columns = new Dictionary<string, string>(StringComparer.Ordinal);
        while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
        {
            columns.Add(reader.GetString(0), reader.GetString(1));
        }

        return columns;
    }

    /// <summary>The checkpoint of the slice, made where it is missing.</summary>
    private async Task<LogPosition> CheckpointAsync(NpgsqlConnection connection, Slice slice, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(Statements.OpenCheckpoint, connection) { Parameters = { Value(_sql.View.Name), Value(_sql.View.Version), Value(slice.Index), Value(slice.Count) } };
        await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        await reader.ReadAsync(cancellationToken).ConfigureAwait(false);
        var (position, slices, isThisLog) = (reader.GetInt64(0), reader.GetInt32(1), reader.GetBoolean(2));
        return !isThisLog ? throw new LogMisconfiguredException($"The table of view {_sql.View} was folded from another log.")
            : slices != slice.Count ? throw new LogMisconfiguredException($"The table of view {_sql.View} is divided into {slices} slices, not into {slice.Count}.")
            : new LogPosition(position);
    }

    private void AddRows(NpgsqlBatch batch, IReadOnlyList<RowChange<TRow>> changes)
    {
        var kept = changes.Where(c => c.Row is not null).ToList();
        if (kept.Count > 0)
        {
            var keys = kept.Select(c => c.Key).ToArray();
            Add(batch, _sql.Upsert, [Value(keys), Value(kept.Select(c => c.Position.Value).ToArray()), .. _sql.Arrays(kept.ConvertAll(c => c.Row!))]);
            Add(batch, _sql.Revive, Value(keys));
        }

        var gone = changes.Where(c => c.Row is null).ToList();
        if (gone.Count > 0)
        {
            Add(batch, _sql.Delete, Value(gone.Select(c => c.Key).ToArray()), Value(gone.Select(c => c.Position.Value).ToArray()));
        }
    }

    private void AddRoutes(NpgsqlBatch batch, ViewCommit<TRow> commit)
    {
        var kept = commit.Routes.Where(r => r.Route is not null).ToList();
        if (kept.Count > 0)
        {
            Add(
                batch,
                _sql.UpsertRoutes,
                Value(commit.Slice.Index),
                Value(kept.Select(r => r.Stream.Value).ToArray()),
                Value(kept.Select(r => r.Route!.Key).ToArray()),
                Value(kept.Select(r => Encoding.UTF8.GetString(r.Route!.State.Span)).ToArray()));
        }

        var forgotten = commit.Routes.Where(r => r.Route is null).Select(r => r.Stream.Value).ToArray();
        if (forgotten.Length > 0)
        {
            Add(batch, _sql.ForgetRoutes, Value(commit.Slice.Index), Value(forgotten));
        }
    }

    private static NpgsqlBatchCommand Add(NpgsqlBatch batch, string sql, params NpgsqlParameter[] parameters)
    {
        var command = new NpgsqlBatchCommand(sql);
        foreach (var parameter in parameters)
        {
            command.Parameters.Add(parameter);
        }

        batch.BatchCommands.Add(command);
        return command;
    }

    private static NpgsqlParameter Value<T>(T value) => new NpgsqlParameter<T> { TypedValue = value };
}
