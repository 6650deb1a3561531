using System.Text;
using Npgsql;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Projections;

namespace Orleans.EventSourced.Postgres;

/// <summary>The table of one version of one view that is there in one role, in PostgreSQL, in schema <c>es_views</c>. Safe for concurrent use.</summary>
/// <typeparam name="TRow">The class of a row.</typeparam>
internal sealed class PostgresViewTable<TRow>(PostgresEditions<TRow> editions, ViewRole role) : IViewTable<TRow>
    where TRow : class
{
    private static readonly ViewId View = PostgresViewEdition<TRow>.View;
    private readonly NpgsqlDataSource _source = editions.Source;

    // Which one the rows and routes are read from. A commit says itself which one it means; one that was folded from rows of another table writes nothing.
    private volatile PostgresViewEdition<TRow>? _opened;

    /// <inheritdoc/>
    public async Task<OpenedSlice?> OpenAsync(Slice slice, CancellationToken cancellationToken)
    {
        try
        {
            await using var connection = await _source.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
            return await OpenAsync(connection, slice, cancellationToken).ConfigureAwait(false) is { } opened ? opened
                : role != ViewRole.Live ? null
                : await CreateAsync(connection, slice, cancellationToken).ConfigureAwait(false);
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
            var sql = Opened.Sql;
            await using var command = _source.CreateCommand(sql.ReadRows);
            command.Parameters.Add(Value(wanted));
            await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
            var rows = new Dictionary<string, TRow>(wanted.Length, StringComparer.Ordinal);
            while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
            {
                rows.Add(reader.GetString(0), sql.Row(reader));
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
            await using var command = _source.CreateCommand(Opened.Sql.ReadRoutes);
            command.Parameters.AddRange(new NpgsqlParameter[] { new NpgsqlParameter<int> { TypedValue = slice.Index }, new NpgsqlParameter<string[]> { TypedValue = [.. streams.Select(s => s.Value)] } });
            await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
            var routes = new Dictionary<StreamId, ViewRoute>(streams.Count);
            while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
            {
                routes.Add(StreamId.Recorded(reader.GetString(0)), new ViewRoute(reader.IsDBNull(1) ? null : reader.GetString(1), Encoding.UTF8.GetBytes(reader.GetString(2))));
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
                [
                    Value(View.Name),
                    Value(View.Version),
                    Value(ViewEdition.NameOf(role)),
                    Value(commit.Edition),
                    Value(commit.Slice.Index),
                    Value(commit.Slice.Count),
                    Value(commit.Expected.Value),
                    Value(commit.Next.Value),
                    Value(commit.Retries),
                    Value(commit.NextRetries),
                    .. Marks.Parameters(commit.Mark),
                ]);
            var sql = editions.Of(commit.Edition).Sql;
            AddRows(batch, sql, commit.Rows);
            AddRoutes(batch, sql, commit);
            AddParked(batch, commit);
            await batch.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
            if (checkpoint.RecordsAffected != 1)
            {
                await transaction.RollbackAsync(cancellationToken).ConfigureAwait(false);
                return false;
            }

            await transaction.CommitAsync(cancellationToken).ConfigureAwait(false);
            return true;
        }
        catch (PostgresException e) when (PostgresErrors.IsMissingTable(e))
        {
            // It was given up or dropped; its checkpoint went with it, and everything that this transaction did.
            return false;
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
            if (await PostgresEditions<TRow>.FindAsync(connection, role, cancellationToken).ConfigureAwait(false) is not { Number: var number })
            {
                return;
            }

            var edition = editions.Of(number);
            await using var command = new NpgsqlCommand(Statements.HasIndexes, connection) { Parameters = { Value(edition.Table) } };
            if (await command.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false) is false)
            {
                await PostgresViewStore.ExecuteAsync(connection, edition.Sql.CreateIndexes, [], cancellationToken).ConfigureAwait(false);
                await transaction.CommitAsync(cancellationToken).ConfigureAwait(false);
            }
        }
        catch (Exception e) when (PostgresErrors.IsStoreError(e) && !cancellationToken.IsCancellationRequested)
        {
            throw PostgresErrors.OnRead(e);
        }
    }

    /// <inheritdoc/>
    public async Task<IReadOnlyList<ParkedEvent>> ReadParkedAsync(Slice slice, CancellationToken cancellationToken)
    {
        try
        {
            await using var command = _source.CreateCommand(Statements.ReadParked);
            command.Parameters.AddRange(new[] { Value(View.Name), Value(View.Version), Value(ViewEdition.NameOf(role)), Value(slice.Index) });
            await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
            var parked = new List<ParkedEvent>();
            while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
            {
                parked.Add(new ParkedEvent(reader.GetString(0), new LogPosition(reader.GetInt64(1)), reader.IsDBNull(2) ? null : reader.GetString(2)));
            }

            return parked;
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
                new[] { Value(View.Name), Value(View.Version), Value(skipped.Position.Value), Value(skipped.Reason), Value(skipped.Actor), Value(skipped.SkippedAt.ToUniversalTime()) });
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
            command.Parameters.AddRange(new[] { Value(View.Name), Value(View.Version) });
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

    private PostgresViewEdition<TRow> Opened => _opened ?? throw new InvalidOperationException($"The table of view {View} was not opened.");

    /// <summary>Opens the table that has the role. It may not change hands meanwhile, and a slice may not be made of one that did.</summary>
    private async Task<OpenedSlice?> OpenAsync(NpgsqlConnection connection, Slice slice, CancellationToken cancellationToken)
    {
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken).ConfigureAwait(false);
        await PostgresViewStore.ExecuteAsync(connection, PostgresViewStore.ShareTables, [], cancellationToken).ConfigureAwait(false);
        var opened = await OpenFoundAsync(connection, slice, cancellationToken).ConfigureAwait(false);
        await transaction.CommitAsync(cancellationToken).ConfigureAwait(false);
        return opened;
    }

    /// <summary>Makes the live table and, with the first version of its view, the plain name; nothing where another runner was first.</summary>
    private async Task<OpenedSlice?> CreateAsync(NpgsqlConnection connection, Slice slice, CancellationToken cancellationToken)
    {
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken).ConfigureAwait(false);
        await PostgresViewStore.ExecuteAsync(connection, PostgresViewStore.LockTables, [], cancellationToken).ConfigureAwait(false);
        var opened = await OpenFoundAsync(connection, slice, cancellationToken).ConfigureAwait(false);
        if (opened is null)
        {
            var made = await PostgresViewEditions<TRow>.MakeAsync(connection, editions, ViewEdition.FirstReason, null, cancellationToken).ConfigureAwait(false);
            if (await PostgresViewStore.ExecuteAsync(connection, Statements.InsertLive, [Value(View.Name), Value(View.Version)], cancellationToken).ConfigureAwait(false) == 1)
            {
                await PostgresViewStore.ExecuteAsync(connection, editions.Of(made.Number).Sql.CreatePlainName, [], cancellationToken).ConfigureAwait(false);
            }

            opened = await OpenAsync(connection, made.Number, slice, cancellationToken).ConfigureAwait(false);
        }

        await transaction.CommitAsync(cancellationToken).ConfigureAwait(false);
        return opened;
    }

    private async Task<OpenedSlice?> OpenFoundAsync(NpgsqlConnection connection, Slice slice, CancellationToken cancellationToken)
    {
        if (await PostgresEditions<TRow>.FindAsync(connection, role, cancellationToken).ConfigureAwait(false) is not { Number: var number })
        {
            return null;
        }

        var found = await ReadColumnsAsync(connection, editions.Of(number).Table, cancellationToken).ConfigureAwait(false);
        ViewColumn.RequireSame(View, editions.Of(number).Sql.Columns, found);
        return await OpenAsync(connection, number, slice, cancellationToken).ConfigureAwait(false);
    }

    private async Task<OpenedSlice> OpenAsync(NpgsqlConnection connection, int number, Slice slice, CancellationToken cancellationToken)
    {
        var opened = await CheckpointAsync(connection, number, slice, cancellationToken).ConfigureAwait(false);
        _opened = editions.Of(number);
        return opened;
    }

    private static async Task<IReadOnlyDictionary<string, string>> ReadColumnsAsync(NpgsqlConnection connection, string table, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(Statements.ReadColumns, connection) { Parameters = { Value(table) } };
        await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        var columns = new Dictionary<string, string>(StringComparer.Ordinal);
        while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
        {
            columns.Add(reader.GetString(0), reader.GetString(1));
        }

        return columns;
    }

    /// <summary>The checkpoint of the slice, made with those of all others where they are missing.</summary>
    private async Task<OpenedSlice> CheckpointAsync(NpgsqlConnection connection, int number, Slice slice, CancellationToken cancellationToken)
    {
        await PostgresViewStore.ExecuteAsync(
            connection, Statements.InsertCheckpoints, [Value(View.Name), Value(View.Version), Value(ViewEdition.NameOf(role)), Value(number), Value(slice.Count)], cancellationToken).ConfigureAwait(false);

        // A statement of its own: it sees what another opener has made meanwhile.
        await using var command = new NpgsqlCommand(Statements.OpenCheckpoint, connection);
        command.Parameters.AddRange(new[] { Value(View.Name), Value(View.Version), Value(ViewEdition.NameOf(role)), Value(slice.Index) });
        await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        await reader.ReadAsync(cancellationToken).ConfigureAwait(false);
        var (position, slices, isThisLog) = (reader.GetInt64(0), reader.GetInt32(1), reader.GetBoolean(2));
        return !isThisLog ? throw new LogMisconfiguredException($"The table of view {View} was folded from another log.")
            : slices != slice.Count ? throw new LogMisconfiguredException($"The table of view {View} is divided into {slices} slices, not into {slice.Count}.")
            : new OpenedSlice(number, new LogPosition(position), reader.GetInt64(3)) { Mark = Marks.Read(reader, 4) };
    }

    private static void AddRows(NpgsqlBatch batch, ViewSql<TRow> sql, IReadOnlyList<RowChange<TRow>> changes)
    {
        var kept = changes.Where(c => c.Row is not null).ToList();
        if (kept.Count > 0)
        {
            var keys = kept.Select(c => c.Key).ToArray();
            Add(batch, sql.Upsert, [Value(keys), Value(kept.Select(c => c.Position.Value).ToArray()), .. sql.Arrays(kept.ConvertAll(c => c.Row!))]);
            Add(batch, sql.Revive, Value(keys));
        }

        var gone = changes.Where(c => c.Row is null).ToList();
        if (gone.Count > 0)
        {
            Add(batch, sql.Delete, Value(gone.Select(c => c.Key).ToArray()), Value(gone.Select(c => c.Position.Value).ToArray()));
        }
    }

    private static void AddRoutes(NpgsqlBatch batch, ViewSql<TRow> sql, ViewCommit<TRow> commit)
    {
        var kept = commit.Routes.Where(r => r.Route is not null).ToList();
        if (kept.Count > 0)
        {
            Add(
                batch,
                sql.UpsertRoutes,
                Value(commit.Slice.Index),
                Value(kept.Select(r => r.Stream.Value).ToArray()),
                Value(kept.Select(r => r.Route!.Key).ToArray()),
                Value(kept.Select(r => Encoding.UTF8.GetString(r.Route!.State.Span)).ToArray()));
        }

        var forgotten = commit.Routes.Where(r => r.Route is null).Select(r => r.Stream.Value).ToArray();
        if (forgotten.Length > 0)
        {
            Add(batch, sql.ForgetRoutes, Value(commit.Slice.Index), Value(forgotten));
        }
    }

    private static void AddParked(NpgsqlBatch batch, ViewCommit<TRow> commit)
    {
        NpgsqlParameter[] where = [Value(View.Name), Value(View.Version), Value(commit.Edition), Value(commit.Slice.Index)];
        if (commit.Unparked.Count > 0)
        {
            Add(batch, Statements.DeleteParked, [.. where, Value(commit.Unparked.ToArray())]);
        }

        if (commit.Parked.Count > 0)
        {
            Add(
                batch,
                Statements.InsertParked,
                [.. where.Select(p => p.Clone()), Value(commit.Parked.Select(p => p.Key).ToArray()), Value(commit.Parked.Select(p => p.Position.Value).ToArray()), Value(commit.Parked.Select(p => p.Fault).ToArray())]);
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

    private static NpgsqlParameter Value<T>(T value) => PostgresViewStore.Value(value);
}
