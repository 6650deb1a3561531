using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Orleans.EventSourced.Core.Projections;

namespace Orleans.EventSourced.Postgres;

/// <summary>What tells the mapping of one table from that of another with the same rows.</summary>
internal interface IViewContext
{
    string Table { get; }
}

/// <summary>One model for each table, not only for each class of rows.</summary>
internal sealed class ViewModelKeys : IModelCacheKeyFactory
{
    public object Create(DbContext context, bool designTime) => (context.GetType(), ((IViewContext)context).Table, designTime);
}

/// <summary>EF Core's mapping of one table of a view, for queries: the columns of the row, and beside them its key and the position of the last event folded into it. <see cref="ViewSql{TRow}"/> makes the table.</summary>
/// <typeparam name="TRow">The class of a row.</typeparam>
internal sealed class ViewContext<TRow>(DbContextOptions options, string table) : DbContext(options), IViewContext
    where TRow : class
{
    public const string Key = "key";
    public const string Position = "position";

    // What a 64-bit integer holds, as all tables keep decimals no greater.
    public const int Precision = 19;

    public string Table => table;

    /// <summary>The rows, to be queried.</summary>
    public IQueryable<KeyedRow<TRow>> Rows =>
        Set<TRow>().AsNoTracking().Select(r => new KeyedRow<TRow> { Key = EF.Property<string>(r, Key), Position = EF.Property<long>(r, Position), Row = r });

    protected override void OnModelCreating(ModelBuilder modelBuilder)
    {
        var row = modelBuilder.Entity<TRow>();
        row.ToTable(table, PostgresViewStore.Schema);
        row.Property<string>(Key).HasColumnName(Key);
        row.Property<long>(Position).HasColumnName(Position);
        row.HasKey(Key);
        foreach (var column in ViewColumn.Of(typeof(TRow)))
        {
            var property = row.Property(column.Property.PropertyType, column.Property.Name).HasColumnName(column.Name);
            if (column.Scale is { } scale)
            {
                property.HasPrecision(Precision, scale);
            }
        }

        foreach (var computed in typeof(TRow).GetProperties().Where(p => !p.CanWrite))
        {
            row.Ignore(computed.Name);
        }

        var checkpoint = modelBuilder.Entity<CheckpointRow>();
        checkpoint.HasNoKey().ToView("checkpoints", PostgresViewStore.Schema);
        checkpoint.Property(c => c.View).HasColumnName("view");
        checkpoint.Property(c => c.Version).HasColumnName("version");
        checkpoint.Property(c => c.Role).HasColumnName("role");
        checkpoint.Property(c => c.Edition).HasColumnName("edition");
        checkpoint.Property(c => c.Slice).HasColumnName("slice");
        checkpoint.Property(c => c.Position).HasColumnName("position");

        var parked = modelBuilder.Entity<ParkedRow>();
        parked.HasNoKey().ToView("parked", PostgresViewStore.Schema);
        parked.Property(p => p.View).HasColumnName("view");
        parked.Property(p => p.Version).HasColumnName("version");
        parked.Property(p => p.Edition).HasColumnName("edition");
        parked.Property(p => p.Slice).HasColumnName("slice");
        parked.Property(p => p.Key).HasColumnName("key");
        parked.Property(p => p.Position).HasColumnName("position");
    }
}

/// <summary>A slice's checkpoint, to be read beside its rows.</summary>
internal sealed class CheckpointRow
{
    public string View { get; init; } = "";

    public int Version { get; init; }

    public string Role { get; init; } = "";

    public int Edition { get; init; }

    public int Slice { get; init; }

    public long Position { get; init; }
}

/// <summary>An event that waits for a parked row, to be read beside the rows.</summary>
internal sealed class ParkedRow
{
    public string View { get; init; } = "";

    public int Version { get; init; }

    public int Edition { get; init; }

    public int Slice { get; init; }

    public string Key { get; init; } = "";

    public long Position { get; init; }
}
