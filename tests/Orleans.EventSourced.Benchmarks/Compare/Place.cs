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

    /// <summary>How large the whole database is now.</summary>
    public async Task<long> BytesAsync(CancellationToken cancellationToken)
    {
        if (Store == Sqlite)
        {
            return Directory.EnumerateFiles(Path.GetDirectoryName(At)!).Sum(f => new FileInfo(f).Length);
        }

        await using var connection = new NpgsqlConnection(At + ";Pooling=false");
        await connection.OpenAsync(cancellationToken);
        await using var command = new NpgsqlCommand("select pg_database_size(current_database())", connection);
        return (long)(await command.ExecuteScalarAsync(cancellationToken))!;
    }
}
