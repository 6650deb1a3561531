using System.Globalization;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Storage.ValueConversion;
using Orleans.EventSourced.Core.Projections;

namespace Orleans.EventSourced.Sqlite;

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

/// <summary>EF Core's mapping of one table of a view: the columns of the row, and beside them its key and the position of the last event folded into it.</summary>
/// <remarks>SQLite keeps any value in any column and takes any word for a type, so the types say how a value is written; its rules give "...integer" integers and "...text" text.</remarks>
/// <typeparam name="TRow">The class of a row.</typeparam>
internal sealed class ViewContext<TRow>(DbContextOptions options, string table) : DbContext(options), IViewContext
    where TRow : class
{
    public const string Key = "key";
    public const string Position = "position";

    // Of one length, so that their order is that of time.
    private const string Instant = "yyyy-MM-dd'T'HH:mm:ss.ffffff'Z'";

    public string Table => table;

    /// <summary>The rows, to be queried.</summary>
    public IQueryable<KeyedRow<TRow>> Rows =>
        Set<TRow>().AsNoTracking().Select(r => new KeyedRow<TRow> { Key = EF.Property<string>(r, Key), Position = EF.Property<long>(r, Position), Row = r });

    protected override void OnModelCreating(ModelBuilder modelBuilder)
    {
        var row = modelBuilder.Entity<TRow>();
        row.ToTable(table);
        row.Property<string>(Key).HasColumnName(Key).HasColumnOrder(0).HasColumnType("text");
        row.Property<long>(Position).HasColumnName(Position).HasColumnOrder(1).HasColumnType("bigint");
        row.HasKey(Key);
        row.HasIndex(Position);
        var columns = ViewColumn.Of(typeof(TRow));
        for (var i = 0; i < columns.Count; i++)
        {
            var (type, converter) = Stored(columns[i]);
            row.Property(columns[i].Property.PropertyType, columns[i].Property.Name).HasColumnName(columns[i].Name).HasColumnOrder(i + 2).HasColumnType(type).HasConversion(converter);
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
        checkpoint.HasNoKey().ToView("checkpoints");
        checkpoint.Property(c => c.View).HasColumnName("view");
        checkpoint.Property(c => c.Version).HasColumnName("version");
        checkpoint.Property(c => c.Role).HasColumnName("role");
        checkpoint.Property(c => c.Edition).HasColumnName("edition");
        checkpoint.Property(c => c.Slice).HasColumnName("slice");
        checkpoint.Property(c => c.Position).HasColumnName("position");

        var parked = modelBuilder.Entity<ParkedRow>();
        parked.HasNoKey().ToView("parked");
        parked.Property(p => p.View).HasColumnName("view");
        parked.Property(p => p.Version).HasColumnName("version");
        parked.Property(p => p.Edition).HasColumnName("edition");
        parked.Property(p => p.Slice).HasColumnName("slice");
        parked.Property(p => p.Key).HasColumnName("key");
        parked.Property(p => p.Position).HasColumnName("position");
    }

    /// <summary>The type that the column declares, and how its values become integers or text where SQLite has no type of the kind.</summary>
    private static (string Type, ValueConverter? Converter) Stored(ViewColumn column)
    {
        var type = Nullable.GetUnderlyingType(column.Property.PropertyType) ?? column.Property.PropertyType;
        return type switch
        {
            _ when column.Scale is { } scale => ($"scaled_integer({scale})", new ValueConverter<decimal, long>(v => ToInteger(v, scale), v => ToDecimal(v, scale))),
            _ when type == typeof(Guid) => ("uuid_text", new ValueConverter<Guid, string>(v => v.ToString("D"), v => Guid.ParseExact(v, "D"))),
            _ when type == typeof(DateTimeOffset) => ("timestamp_text", new ValueConverter<DateTimeOffset, string>(v => ToText(v), v => ToInstant(v))),
            _ when type == typeof(DateOnly) => ("date_text", new ValueConverter<DateOnly, string>(v => ToText(v), v => ToDay(v))),
            _ when type == typeof(bool) => ("boolean", null),
            _ when type == typeof(int) => ("integer", null),
            _ when type == typeof(long) => ("bigint", null),
            _ => ("text", null),
        };
    }

    private static long ToInteger(decimal value, int scale) => decimal.ToInt64(value / new decimal(1, 0, 0, false, (byte)scale));

    private static decimal ToDecimal(long value, int scale)
    {
        var digits = Math.Abs(value);
        return new decimal(unchecked((int)digits), (int)(digits >> 32), 0, value < 0, (byte)scale);
    }

    private static string ToText(DateTimeOffset value) => value.UtcDateTime.ToString(Instant, CultureInfo.InvariantCulture);

    private static DateTimeOffset ToInstant(string value) => DateTimeOffset.ParseExact(value, Instant, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal);

    private static string ToText(DateOnly value) => value.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture);

    private static DateOnly ToDay(string value) => DateOnly.ParseExact(value, "yyyy-MM-dd", CultureInfo.InvariantCulture);
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
