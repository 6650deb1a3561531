using Microsoft.EntityFrameworkCore;
using Orleans.EventSourced.Core.Projections;

namespace Orleans.EventSourced.Postgres;

/// <summary>EF Core's mapping of one view: the columns of the row, and beside them its key and the position of the last event folded into it.</summary>
/// <typeparam name="TRow">The class of a row.</typeparam>
internal sealed class ViewContext<TRow>(DbContextOptions options) : DbContext(options)
    where TRow : class
{
    public const string Key = "key";
    public const string Position = "position";

    // What a 64-bit integer holds, as all tables keep decimals no greater.
    private const int Precision = 19;

    /// <summary>The rows, to be queried.</summary>
    public IQueryable<KeyedRow<TRow>> Rows =>
        Set<TRow>().AsNoTracking().Select(r => new KeyedRow<TRow> { Key = EF.Property<string>(r, Key), Position = EF.Property<long>(r, Position), Row = r });

    protected override void OnModelCreating(ModelBuilder modelBuilder)
    {
        var row = modelBuilder.Entity<TRow>();
        row.ToTable(ViewId.Of(typeof(TRow)).Table, PostgresViewStore.Schema);
        row.Property<string>(Key).HasColumnName(Key).HasColumnOrder(0).UseCollation("C");
        row.Property<long>(Position).HasColumnName(Position).HasColumnOrder(1);
        row.HasKey(Key);
        row.HasIndex(Position);
        var columns = ViewColumn.Of(typeof(TRow));
        for (var i = 0; i < columns.Count; i++)
        {
            var property = row.Property(columns[i].Property.PropertyType, columns[i].Property.Name).HasColumnName(columns[i].Name).HasColumnOrder(i + 2);
            if (columns[i].Scale is { } scale)
            {
                property.HasPrecision(Precision, scale);
            }
            else if (columns[i].Property.PropertyType == typeof(string))
            {
                property.UseCollation("C");
            }
        }

        foreach (var indexed in columns.Where(c => c.IsIndexed))
        {
            row.HasIndex(indexed.Property.Name, Key);
        }

        foreach (var computed in typeof(TRow).GetProperties().Where(p => !p.CanWrite))
        {
            row.Ignore(computed.Name);
        }

        var checkpoint = modelBuilder.Entity<CheckpointRow>();
        checkpoint.HasNoKey().ToView("checkpoints", PostgresViewStore.Schema);
        checkpoint.Property(c => c.View).HasColumnName("view");
        checkpoint.Property(c => c.Version).HasColumnName("version");
        checkpoint.Property(c => c.Slice).HasColumnName("slice");
        checkpoint.Property(c => c.Position).HasColumnName("position");
    }
}

/// <summary>A slice's checkpoint, to be read beside its rows.</summary>
internal sealed class CheckpointRow
{
    public string View { get; init; } = "";

    public int Version { get; init; }

    public int Slice { get; init; }

    public long Position { get; init; }
}
