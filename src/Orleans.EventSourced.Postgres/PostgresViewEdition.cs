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
    private readonly Lazy<Mapping> _mapping;
    private readonly Lazy<ViewSql<TRow>> _sql;

    public PostgresViewEdition(NpgsqlDataSource source, int number)
    {
        Number = number;
        Table = ViewEdition.TableOf(View, number);
        _mapping = new Lazy<Mapping>(() => new Mapping(source));
        _sql = new Lazy<ViewSql<TRow>>(() => new ViewSql<TRow>(Table));
    }

    public static ViewId View { get; } = ViewId.Of(typeof(TRow));

    public int Number { get; }

    /// <summary>The table's name.</summary>
    public string Table { get; }

    public ViewSql<TRow> Sql => _sql.Value;

    /// <summary>The table for queries. EF Core builds its model of it by then, not for a runner, which has no use for it.</summary>
    public ViewContext<TRow> Context() => new(_mapping.Value.Options, Table);

    /// <summary>A row of a slice, and how far the slice reaches; nothing: the table has not the role, or not that slice.</summary>
    public IAsyncEnumerable<RowFound<TRow>> One(ViewContext<TRow> context, string role, int slice, string key) => _mapping.Value.One(context, View.Name, View.Version, role, Number, slice, key);

    private sealed class Mapping(NpgsqlDataSource source)
    {
        public DbContextOptions Options { get; } =
            new DbContextOptionsBuilder().UseNpgsql(source).UseQueryTrackingBehavior(QueryTrackingBehavior.NoTracking).ReplaceService<IModelCacheKeyFactory, ViewModelKeys>().Options;

        // One statement, so that row and checkpoint are of one moment.
        public Func<ViewContext<TRow>, string, int, string, int, int, string, IAsyncEnumerable<RowFound<TRow>>> One { get; } =
            EF.CompileAsyncQuery((ViewContext<TRow> context, string view, int version, string role, int edition, int slice, string key) =>
                from checkpoint in context.Set<CheckpointRow>()
                where checkpoint.View == view && checkpoint.Version == version && checkpoint.Role == role && checkpoint.Slice == slice && checkpoint.Edition == edition
                from row in context.Set<TRow>().Where(r => EF.Property<string>(r, ViewContext<TRow>.Key) == key).DefaultIfEmpty()
                select new RowFound<TRow>(
                    row,
                    row == null ? 0 : EF.Property<long>(row, ViewContext<TRow>.Position),
                    context.Set<ParkedRow>()
                        .Where(p => p.View == view && p.Version == version && p.Edition == edition && p.Slice == slice && p.Key == key)
                        .Min(p => (long?)p.Position) - 1 ?? checkpoint.Position));
    }
}

/// <summary>A row, and how far it reaches: its slice's checkpoint, or the position before the event at which it is parked.</summary>
internal sealed record RowFound<TRow>(TRow? Row, long Position, long Reflects)
    where TRow : class;

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
