using System.Data.Common;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Projections;
using Orleans.EventSourced.Postgres;
using Orleans.EventSourced.Sqlite;

namespace Orleans.EventSourced.Benchmarks.Compare;

/// <summary>Where a log is.</summary>
/// <param name="Store"><see cref="Postgres"/> or <see cref="Sqlite"/>.</param>
/// <param name="At">The connection string, or the file.</param>
internal sealed record Place(string Store, string At)
{
    public const string Postgres = "postgres";
    public const string Sqlite = "sqlite";

    private PostgresOptions Options => new() { ConnectionString = At };

    /// <summary>The connection string for Orleans' own providers in the same database.</summary>
    public string ForOrleans => PostgresConnectionString.ForOrleans(Options);

    public Task MigrateAsync(CancellationToken cancellationToken) => Store == Postgres ? PostgresSchema.MigrateAsync(Options, cancellationToken) : Task.CompletedTask;

    public void AddTo(IServiceCollection services) => _ = Store == Postgres ? services.AddPostgresEventLog(o => o.ConnectionString = At) : services.AddSqliteEventLog(o => o.Path = At);

    /// <summary>The log, to be disposed by its user (<see cref="IAsyncDisposable"/>).</summary>
    public IEventLog OpenLog() => Store == Postgres ? new PostgresEventLog(Options) : new SqliteEventLog(new SqliteOptions { Path = At }, TimeProvider.System);

    /// <summary>The views, to be disposed by their user (<see cref="IAsyncDisposable"/>).</summary>
    public IViewStore OpenViews() => Store == Postgres ? new PostgresViewStore(Options) : new SqliteViewStore(new SqliteOptions { Path = At }, TimeProvider.System);

    /// <summary>How large the whole database is now; in SQLite that of the log, with what has not been moved from the write-ahead log into the file.</summary>
    public Task<long> BytesAsync(CancellationToken cancellationToken) => Store == Postgres
        ? ReadAsync(new NpgsqlConnection(At + ";Pooling=false"), "select pg_database_size(current_database())", cancellationToken)
        : ReadAsync(new SqliteConnection($"Data Source={At};Mode=ReadOnly;Pooling=False"), "select page_count * page_size from pragma_page_count, pragma_page_size", cancellationToken);

    private static async Task<long> ReadAsync(DbConnection connection, string sql, CancellationToken cancellationToken)
    {
        await using (connection)
        {
            await connection.OpenAsync(cancellationToken);
            await using var command = connection.CreateCommand();
            command.CommandText = sql;
            return (long)(await command.ExecuteScalarAsync(cancellationToken))!;
        }
    }
}
