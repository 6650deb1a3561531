using Npgsql;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Projections;

namespace Orleans.EventSourced.Postgres;

/// <summary>The views of a log in schema <c>es_views</c>, through a pool of their own, so that they cannot starve appends. Safe for concurrent use.</summary>
public sealed class PostgresViewStore : IViewStore, IAsyncDisposable
{
    internal const string Schema = "es_views";

    /// <summary>Held until the commit by whoever makes or drops a table, so that runners that start together make it once.</summary>
    internal const string LockTables = "select pg_catalog.pg_advisory_xact_lock(7306093021735223395)";

    private readonly NpgsqlDataSource _source;

    /// <param name="options">Where the log is; its schema is there already.</param>
    public PostgresViewStore(PostgresOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        _source = PostgresConnections.Create(options);
    }

    /// <inheritdoc/>
    public IViewTable<TRow> Table<TRow>()
        where TRow : class => new PostgresViewTable<TRow>(_source);

    /// <inheritdoc/>
    public IViewReader<TRow> Reader<TRow>()
        where TRow : class => new PostgresViewReader<TRow>(_source);

    /// <inheritdoc/>
    public async Task<IReadOnlyList<Checkpoint>> ReadCheckpointsAsync(CancellationToken cancellationToken)
    {
        try
        {
            await using var command = _source.CreateCommand(Statements.ReadCheckpoints);
            await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
            var checkpoints = new List<Checkpoint>();
            while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
            {
                checkpoints.Add(new Checkpoint(
                    new ViewId(reader.GetString(0), reader.GetInt32(1)),
                    new Slice(reader.GetInt32(2), reader.GetInt32(3)),
                    new LogPosition(reader.GetInt64(4)),
                    reader.GetFieldValue<DateTimeOffset>(5),
                    reader.GetBoolean(6)));
            }

            return checkpoints;
        }
        catch (Exception e) when (PostgresErrors.IsStoreError(e) && !cancellationToken.IsCancellationRequested)
        {
            throw PostgresErrors.OnRead(e);
        }
    }

    /// <inheritdoc/>
    public async Task<bool> DropAsync(ViewId view, CancellationToken cancellationToken)
    {
        try
        {
            await using var connection = await _source.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
            await using var transaction = await connection.BeginTransactionAsync(cancellationToken).ConfigureAwait(false);
            await ExecuteAsync(connection, LockTables, [], cancellationToken).ConfigureAwait(false);

            // A runner holds the row of its checkpoint before it wants the table: in the other order the two would wait for each other.
            if (await ExecuteAsync(connection, Statements.DeleteCheckpoints, [Value(view.Name), Value(view.Version)], cancellationToken).ConfigureAwait(false) == 0)
            {
                return false;
            }

            if (await ExecuteAsync(connection, Statements.DeleteLive, [Value(view.Name), Value(view.Version)], cancellationToken).ConfigureAwait(false) == 1)
            {
                await DropPlainNameAsync(connection, view, cancellationToken).ConfigureAwait(false);
            }

            await ExecuteAsync(connection, $"drop table {Schema}.{view.Table}, {Schema}.{view.Table}_tombstones, {Schema}.{view.Table}_routes", [], cancellationToken).ConfigureAwait(false);
            await transaction.CommitAsync(cancellationToken).ConfigureAwait(false);
            return true;
        }
        catch (Exception e) when (PostgresErrors.IsStoreError(e) && !cancellationToken.IsCancellationRequested)
        {
            throw PostgresErrors.OnDrop(e);
        }
    }

    /// <summary>Closes the connections.</summary>
    public ValueTask DisposeAsync() => _source.DisposeAsync();

    internal static async Task<int> ExecuteAsync(NpgsqlConnection connection, string sql, NpgsqlParameter[] parameters, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        command.Parameters.AddRange(parameters);
        return await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
    }

    private static async Task DropPlainNameAsync(NpgsqlConnection connection, ViewId view, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(Statements.HasVersions, connection) { Parameters = { Value(view.Name) } };
        if (await command.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false) is true)
        {
            throw new LogRequestRefusedException($"{view} is the live version of its view, which has others: drop those first.");
        }

        await ExecuteAsync(connection, $"drop view {Schema}.\"{view.Name}\"", [], cancellationToken).ConfigureAwait(false);
    }

    private static NpgsqlParameter Value<T>(T value) => new NpgsqlParameter<T> { TypedValue = value };
}
