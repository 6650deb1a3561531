using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Orleans.EventSourced.Core.Projections;

namespace Orleans.EventSourced.Sqlite;

/// <summary>One table of a version of a view: how its rows are mapped, and its statements. Safe for concurrent use.</summary>
/// <typeparam name="TRow">The class of a row.</typeparam>
internal sealed class SqliteViewEdition<TRow>
    where TRow : class
{
    private readonly ConditionalWeakTable<SqliteSession, ViewContext<TRow>> _contexts = [];
    private readonly Lazy<ViewSql<TRow>> _sql;

    // One statement, so that row and checkpoint are of one moment.
    private readonly Func<ViewContext<TRow>, string, int, string, int, int, string, IEnumerable<RowFound<TRow>>> _one =
        EF.CompileQuery((ViewContext<TRow> context, string view, int version, string role, int edition, int slice, string key) =>
            from checkpoint in context.Set<CheckpointRow>()
            where checkpoint.View == view && checkpoint.Version == version && checkpoint.Role == role && checkpoint.Slice == slice && checkpoint.Edition == edition
            from row in context.Set<TRow>().Where(r => EF.Property<string>(r, ViewContext<TRow>.Key) == key).DefaultIfEmpty()
            select new RowFound<TRow>(
                row,
                row == null ? 0 : EF.Property<long>(row, ViewContext<TRow>.Position),
                context.Set<ParkedRow>()
                    .Where(p => p.View == view && p.Version == version && p.Edition == edition && p.Slice == slice && p.Key == key)
                    .Min(p => (long?)p.Position) - 1 ?? checkpoint.Position));

    public SqliteViewEdition(int number)
    {
        Number = number;
        Table = ViewEdition.TableOf(View, number);
        _sql = new Lazy<ViewSql<TRow>>(() =>
        {
            using var context = new ViewContext<TRow>(Mapping(o => o.UseSqlite()), Table);
            return new ViewSql<TRow>(context);
        });
    }

    public static ViewId View { get; } = ViewId.Of(typeof(TRow));

    public int Number { get; }

    /// <summary>The table's name.</summary>
    public string Table { get; }

    public ViewSql<TRow> Sql => _sql.Value;

    /// <summary>The table as the session sees it.</summary>
    public ViewContext<TRow> Context(SqliteSession session) => _contexts.GetValue(session, s => new ViewContext<TRow>(Mapping(o => o.UseSqlite(s.Connection)), Table));

    /// <summary>A row of a slice, and how far the slice reaches; nothing: the table has not the role, or not that slice.</summary>
    public IEnumerable<RowFound<TRow>> One(ViewContext<TRow> context, string role, int slice, string key) => _one(context, View.Name, View.Version, role, Number, slice, key);

    private static DbContextOptions Mapping(Action<DbContextOptionsBuilder> database)
    {
        var builder = new DbContextOptionsBuilder().UseQueryTrackingBehavior(QueryTrackingBehavior.NoTracking).ReplaceService<IModelCacheKeyFactory, ViewModelKeys>();
        database(builder);
        return builder.Options;
    }
}

/// <summary>A row, and how far it reaches: its slice's checkpoint, or the position before the event at which it is parked.</summary>
internal sealed record RowFound<TRow>(TRow? Row, long Position, long Reflects)
    where TRow : class;

/// <summary>The tables of a version of a view that this process has met. They are few: each is made by an operator's word.</summary>
internal sealed class SqliteEditions<TRow>(SqliteViewsFile file, SqliteOptions options, TimeProvider time)
    where TRow : class
{
    private readonly ConcurrentDictionary<int, SqliteViewEdition<TRow>> _known = new();

    public SqliteViewsFile File => file;

    public SqliteViewEdition<TRow> Of(int number) => _known.GetOrAdd(number, static n => new SqliteViewEdition<TRow>(n));

    /// <summary>The clock, as checkpoints keep it.</summary>
    public long Now() => Core.Log.HashLink.Microseconds(time.GetUtcNow());

    public byte[] LogId() => SqliteSchema.ReadLogId(options);

    /// <summary>The table in a role now, and into how many slices it is divided; null: there is none.</summary>
    public static (int Number, int Slices)? Find(SqliteSession session, ViewRole role)
    {
        var view = SqliteViewEdition<TRow>.View;
        using var reader = session.Prepared(Statements.FindEdition, ("$view", view.Name), ("$version", view.Version), ("$role", ViewEdition.NameOf(role))).ExecuteReader();
        return reader.Read() ? (reader.GetInt32(0), reader.GetInt32(1)) : null;
    }
}
