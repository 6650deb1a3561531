using System.Collections.Concurrent;
using Npgsql;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Projections;

namespace Orleans.EventSourced.Postgres;

/// <summary>The views of a log in schema <c>es_views</c>, through a pool of their own, so that they cannot starve appends. Safe for concurrent use.</summary>
public sealed class PostgresViewStore : IViewStore, IAsyncDisposable
{
    internal const string Schema = "es_views";

    /// <summary>Held until the commit by whoever makes or drops a table, or gives it another role.</summary>
    internal const string LockTables = "select pg_catalog.pg_advisory_xact_lock(7306093021735223395)";

    /// <summary>Held until the commit by who relies on which tables there are.</summary>
    internal const string ShareTables = "select pg_catalog.pg_advisory_xact_lock_shared(7306093021735223395)";

    private readonly NpgsqlDataSource _source;

    // One for each class of rows: tables, readers and rebuilds of a version share its mappings and statements.
    private readonly ConcurrentDictionary<Type, object> _editions = new();

    /// <param name="options">Where the log is; its schema is there already.</param>
    public PostgresViewStore(PostgresOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        _source = PostgresConnections.Create(options);
    }

    /// <inheritdoc/>
    public IViewTable<TRow> Table<TRow>(ViewRole role = ViewRole.Live)
        where TRow : class => new PostgresViewTable<TRow>(EditionsOf<TRow>(), role);

    /// <inheritdoc/>
    public IViewReader<TRow> Reader<TRow>(ViewRole role = ViewRole.Live)
        where TRow : class => new PostgresViewReader<TRow>(EditionsOf<TRow>(), role);

    /// <inheritdoc/>
    public IViewEditions Editions<TRow>()
        where TRow : class => new PostgresViewEditions<TRow>(EditionsOf<TRow>());

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
                    ViewEdition.RoleOf(reader.GetString(6)),
                    reader.GetInt32(7),
                    reader.GetBoolean(8)));
            }

            return checkpoints;
        }
        catch (Exception e) when (PostgresErrors.IsStoreError(e) && !cancellationToken.IsCancellationRequested)
        {
            throw PostgresErrors.OnRead(e);
        }
    }

    /// <inheritdoc/>
    public Task<bool> DropAsync(ViewId view, CancellationToken cancellationToken) => ChangeTablesAsync(
        _source,
        async connection =>
        {
            if (await ExecuteAsync(connection, Statements.DeleteLive, [Value(view.Name), Value(view.Version)], cancellationToken).ConfigureAwait(false) == 1)
            {
                await DropPlainNameAsync(connection, view, cancellationToken).ConfigureAwait(false);
            }

            return await DropTablesAsync(connection, view, null, cancellationToken).ConfigureAwait(false);
        },
        cancellationToken);

    /// <summary>Closes the connections.</summary>
    public ValueTask DisposeAsync() => _source.DisposeAsync();

    /// <summary>Changes which tables there are, or their roles, in one transaction under the lock of all tables.</summary>
    internal static async Task<T> ChangeTablesAsync<T>(NpgsqlDataSource source, Func<NpgsqlConnection, Task<T>> change, CancellationToken cancellationToken)
    {
        try
        {
            await using var connection = await source.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
            await using var transaction = await connection.BeginTransactionAsync(cancellationToken).ConfigureAwait(false);
            await ExecuteAsync(connection, LockTables, [], cancellationToken).ConfigureAwait(false);
            var result = await change(connection).ConfigureAwait(false);
            await transaction.CommitAsync(cancellationToken).ConfigureAwait(false);
            return result;
        }
        catch (Exception e) when (PostgresErrors.IsStoreError(e) && !cancellationToken.IsCancellationRequested)
        {
            throw PostgresErrors.OnDrop(e);
        }
    }

    internal static async Task<int> ExecuteAsync(NpgsqlConnection connection, string sql, NpgsqlParameter[] parameters, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        command.Parameters.AddRange(parameters);
        return await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
    }

    internal static NpgsqlParameter Value<T>(T value) => new NpgsqlParameter<T> { TypedValue = value };

    /// <summary>Drops the tables of a version, all or the one in a role, under the lock of all tables. False: there is none. Runners hold the row of a checkpoint before they want the table: so does this.</summary>
    internal static async Task<bool> DropTablesAsync(NpgsqlConnection connection, ViewId view, ViewRole? role, CancellationToken cancellationToken)
    {
        var dropped = new List<int>();
        await using (var command = new NpgsqlCommand(Statements.DeleteCheckpoints, connection))
        {
            command.Parameters.AddRange((NpgsqlParameter[])[Value(view.Name), Value(view.Version), Value(role is { } r ? ViewEdition.NameOf(r) : null)]);
            await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
            while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
            {
                dropped.Add(reader.GetInt32(0));
            }
        }

        foreach (var table in dropped.Select(n => $"{Schema}.{ViewEdition.TableOf(view, n)}"))
        {
            await ExecuteAsync(connection, $"drop table {table}, {table}_tombstones, {table}_routes", [], cancellationToken).ConfigureAwait(false);
        }

        return dropped.Count > 0;
    }

    private static async Task DropPlainNameAsync(NpgsqlConnection connection, ViewId view, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(Statements.HasVersions, connection) { Parameters = { Value(view.Name), Value(view.Version) } };
        if (await command.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false) is true)
        {
            throw new LogRequestRefusedException($"{view} is the version shown of its view, which has others: drop those first.");
        }

        await ExecuteAsync(connection, $"drop view {Schema}.\"{view.Name}\"", [], cancellationToken).ConfigureAwait(false);
    }

    private PostgresEditions<TRow> EditionsOf<TRow>()
        where TRow : class => (PostgresEditions<TRow>)_editions.GetOrAdd(typeof(TRow), static (_, source) => new PostgresEditions<TRow>(source), _source);
}
