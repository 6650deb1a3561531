using System.Globalization;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text;
using Orleans.EventSourced.Core.Log;

namespace Orleans.EventSourced.Core.Projections;

/// <summary>How many decimals a <c>decimal</c> column keeps: 0 to 10. Every decimal of a row declares it, so that sums and order are exact in every store.</summary>
/// <param name="digits">0 to 10.</param>
[AttributeUsage(AttributeTargets.Property)]
public sealed class ScaleAttribute(int digits) : Attribute
{
    /// <summary>The decimals kept.</summary>
    public int Digits { get; } = digits;
}

/// <summary>
/// A column of a view's table: a property of the row that can be set when the row is made, and never after that: a fold must not change a row that is being written. What is computed is not stored. Text is kept up to <see cref="MaxTextBytes"/>, without NUL;
/// an instant in UTC, to the microsecond; a decimal with its scale, up to <see cref="MaxDecimal"/>.
/// </summary>
/// <param name="Name">Its name in SQL: the property's, in lower case with underscores, 63 bytes of UTF-8 at most.</param>
/// <param name="Property">The property.</param>
/// <param name="Scale">The decimals kept, of a <c>decimal</c>; else null.</param>
/// <param name="IsNullable">Whether it may be null.</param>
/// <param name="IsIndexed">Whether readers may filter and sort by it: <see cref="IndexedAttribute"/>.</param>
public sealed record ViewColumn(string Name, PropertyInfo Property, int? Scale, bool IsNullable, bool IsIndexed)
{
    /// <summary>The longest text, in bytes of UTF-8: as long as an event.</summary>
    public const int MaxTextBytes = 1_048_576;

    /// <summary>The longest text of a column with <see cref="IndexedAttribute"/>, in bytes of UTF-8: with the key beside it, an entry of PostgreSQL's indexes takes no more than about 2,700.</summary>
    public const int MaxIndexedTextBytes = 512;

    private const int MaxScale = 10;
    private const int MaxNameBytes = 63;

    // The last ones are columns that every table of PostgreSQL has.
    private static readonly HashSet<string> Reserved = ["key", "position", "tableoid", "ctid", "xmin", "cmin", "xmax", "cmax"];
    private static readonly HashSet<Type> Allowed = [typeof(string), typeof(bool), typeof(int), typeof(long), typeof(decimal), typeof(Guid), typeof(DateTimeOffset), typeof(DateOnly)];

    /// <summary>The columns of a row's class, in the order of its properties.</summary>
    /// <exception cref="ArgumentException">A property has a type that no column takes, can be changed after the row was made, or is a decimal without its <see cref="ScaleAttribute"/>, or a name is taken; the message names it.</exception>
    public static IReadOnlyList<ViewColumn> Of(Type row)
    {
        ArgumentNullException.ThrowIfNull(row);
        var nullability = new NullabilityInfoContext();
        var columns = row.GetProperties(BindingFlags.Public | BindingFlags.Instance).Where(p => p.CanWrite && p.GetIndexParameters().Length == 0).Select(p => Of(row, p, nullability)).ToList();
        if (columns.GroupBy(c => c.Name, StringComparer.Ordinal).FirstOrDefault(g => g.Count() > 1) is { } twins)
        {
            throw new ArgumentException($"The row '{row}' has several properties that would be the column '{twins.Key}'.", nameof(row));
        }

        return columns.Count > 0 ? columns : throw new ArgumentException($"The row '{row}' has no property to be stored.", nameof(row));
    }

    /// <summary>The greatest decimal kept with so many decimals, and below 0 the least: what 64 bits hold as a whole number of its last decimal.</summary>
    public static decimal MaxDecimal(int scale) => new(-1, int.MaxValue, 0, false, (byte)scale);

    /// <summary>Refuses a table whose columns are not those of the class of its rows: it was made by another class that declares the same version.</summary>
    /// <param name="view">The view and the version.</param>
    /// <param name="expected">The type of each column, as the store makes it for the class.</param>
    /// <param name="found">The type of each column that is there.</param>
    /// <exception cref="LogMisconfiguredException">They differ; the message names view, column, and both types.</exception>
    public static void RequireSame(ViewId view, IReadOnlyDictionary<string, string> expected, IReadOnlyDictionary<string, string> found)
    {
        ArgumentNullException.ThrowIfNull(expected);
        ArgumentNullException.ThrowIfNull(found);
        const string None = "no such column";
        foreach (var name in expected.Keys.Union(found.Keys, StringComparer.Ordinal))
        {
            var (wanted, there) = (expected.GetValueOrDefault(name, None), found.GetValueOrDefault(name, None));
            if (wanted != there)
            {
                throw new LogMisconfiguredException($"The table of view {view} does not fit the class of its rows: column '{name}', expected {wanted}, found {there}. A changed row needs a table of its own: declare a new Version.");
            }
        }
    }

    private static ViewColumn Of(Type row, PropertyInfo property, NullabilityInfoContext nullability)
    {
        var type = Nullable.GetUnderlyingType(property.PropertyType) ?? property.PropertyType;
        var scale = property.GetCustomAttribute<ScaleAttribute>()?.Digits;
        var name = SnakeCase(property.Name);
        return !Allowed.Contains(type) ? throw Fault($"has the type {property.PropertyType}; columns are {string.Join(", ", Allowed.Select(t => t.Name))}, or nullable ones")
            : !IsInitOnly(property) ? throw Fault("can be changed after the row was made; declare it with init instead of set")
            : (type == typeof(decimal)) != (scale is not null) ? throw Fault("is a decimal without [Scale], or has one and is none")
            : scale is < 0 or > MaxScale ? throw Fault($"has the scale {scale}; allowed are 0 to {MaxScale}")
            : Reserved.Contains(name) ? throw Fault($"would be the column '{name}', which every view has already")
            : Encoding.UTF8.GetByteCount(name) > MaxNameBytes ? throw Fault($"would be a column whose name is longer than {MaxNameBytes} bytes")
            : new ViewColumn(name, property, scale, nullability.Create(property).WriteState == NullabilityState.Nullable, property.IsDefined(typeof(IndexedAttribute)));

        ArgumentException Fault(string fault) => new($"The property {property.Name} of the row '{row}' {fault}.", nameof(row));
    }

    private static bool IsInitOnly(PropertyInfo property) => property.SetMethod!.ReturnParameter.GetRequiredCustomModifiers().Contains(typeof(IsExternalInit));

    private static string SnakeCase(string name)
    {
        var text = new StringBuilder(name.Length + 8);
        for (var i = 0; i < name.Length; i++)
        {
            if (i > 0 && char.IsUpper(name[i]) && (!char.IsUpper(name[i - 1]) || (i + 1 < name.Length && char.IsLower(name[i + 1]))))
            {
                text.Append('_');
            }

            text.Append(char.ToLower(name[i], CultureInfo.InvariantCulture));
        }

        return text.ToString();
    }
}
