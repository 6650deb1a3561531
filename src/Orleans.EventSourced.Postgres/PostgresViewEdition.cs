using System.Collections.Concurrent;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Npgsql;
using Orleans.EventSourced.Core.Projections;

namespace Orleans.EventSourced.Postgres;

/// <summary>One table of a version of a view: how its rows are mapped, and its statements. Safe for concurrent use.</summary>
/// <typeparam name="TRow">The class of a row.</typeparam>
internal sealed class PostgresViewEdition<TRow>
    where TRow : class
{
    private readonly Lazy<DbContextOptions> _mapping;
    private readonly Lazy<ViewSql<TRow>> _sql;

    public PostgresViewEdition(NpgsqlDataSource source, int number)
    {
        Number = number;
        Table = ViewEdition.TableOf(View, number);
        _mapping = new Lazy<DbContextOptions>(() =>
            new DbContextOptionsBuilder().UseNpgsql(source).UseQueryTrackingBehavior(QueryTrackingBehavior.NoTracking).ReplaceService<IModelCacheKeyFactory, ViewModelKeys>().Options);
        _sql = new Lazy<ViewSql<TRow>>(() => new ViewSql<TRow>(Table));
    }

    public static ViewId View { get; } = ViewId.Of(typeof(TRow));

    public int Number { get; }

    /// <summary>The table's name.</summary>
    public string Table { get; }

    public ViewSql<TRow> Sql => _sql.Value;

    /// <summary>The table for pages of rows. EF Core builds its model of it by then, not for a runner or for a row by its key, which have no use for it.</summary>
    public ViewContext<TRow> Context() => new(_mapping.Value, Table);
}

/// <summary>The tables of a version of a view that this process has met. They are few: each is made by an operator's word.</summary>
internal sealed class PostgresEditions<TRow>(NpgsqlDataSource source)
    where TRow : class
{
    private readonly ConcurrentDictionary<int, PostgresViewEdition<TRow>> _known = new();

    public NpgsqlDataSource Source => source;

    public PostgresViewEdition<TRow> Of(int number) => _known.GetOrAdd(number, n => new PostgresViewEdition<TRow>(source, n));

    /// <summary>The table in a role now, and into how many slices it is divided; null: there is none.</summary>
    public static async Task<(int Number, int Slices)?> FindAsync(NpgsqlConnection connection, ViewRole role, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(Statements.FindEdition, connection)
        {
            Parameters = { PostgresViewStore.Value(PostgresViewEdition<TRow>.View.Name), PostgresViewStore.Value(PostgresViewEdition<TRow>.View.Version), PostgresViewStore.Value(ViewEdition.NameOf(role)) },
        };
        await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        return await reader.ReadAsync(cancellationToken).ConfigureAwait(false) ? (reader.GetInt32(0), reader.GetInt32(1)) : null;
    }
}
