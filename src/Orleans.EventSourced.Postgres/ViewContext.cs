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
        }

        foreach (var computed in typeof(TRow).GetProperties().Where(p => !p.CanWrite))
        {
            row.Ignore(computed.Name);
        }
    }
}
