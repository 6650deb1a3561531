using System.Reflection;
using System.Text.RegularExpressions;

namespace Orleans.EventSourced.Core.Projections;

/// <summary>Names the view whose rows a class holds. The name outlives the class's; a changed fold or shape is a new version, with a table of its own.</summary>
/// <param name="name">1 to 40 characters of <c>a-z 0-9 _</c>, the first a letter: the name in SQL. Not what a store names a table of its own, such as <c>checkpoints</c> or <c>fines_v2</c>.</param>
[AttributeUsage(AttributeTargets.Class, Inherited = false)]
public sealed class ViewAttribute(string name) : Attribute
{
    /// <summary>The name in SQL.</summary>
    public string Name { get; } = name;

    /// <summary>The version of fold and columns, 1 to 9999; default 1.</summary>
    public int Version { get; init; } = 1;
}

/// <summary>One version of one view.</summary>
public readonly partial record struct ViewId
{
    private const int MaxNameLength = 40;
    private const int MaxVersion = 9_999;
    private readonly string? _name;

    /// <param name="name">1 to 40 characters of <c>a-z 0-9 _</c>, the first a letter; not what a store names a table of its own.</param>
    /// <param name="version">1 to 9999.</param>
    /// <exception cref="ArgumentException">One of them is not so; the message says which.</exception>
    public ViewId(string name, int version)
    {
        ArgumentNullException.ThrowIfNull(name);
        if (name.Length is 0 or > MaxNameLength || !char.IsAsciiLetterLower(name[0]) || !name.All(c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) || c == '_'))
        {
            throw new ArgumentException($"A view's name is 1 to {MaxNameLength} characters of a-z, 0-9 and _, the first a letter; got '{name}'.", nameof(name));
        }

        if (TakenName().IsMatch(name))
        {
            throw new ArgumentException($"No view can be named '{name}': stores have a table of that name, or may have one for a version of another view.", nameof(name));
        }

        if (version is < 1 or > MaxVersion)
        {
            throw new ArgumentException($"The version of view '{name}' is {version}; allowed are 1 to {MaxVersion}.", nameof(version));
        }

        (_name, Version) = (name, version);
    }

    /// <summary>The name, the same for every version.</summary>
    /// <exception cref="InvalidOperationException">This is <c>default(ViewId)</c>.</exception>
    public string Name => _name ?? throw new InvalidOperationException("default(ViewId) names no view.");

    /// <summary>The version, 1 or more.</summary>
    public int Version { get; }

    /// <summary>The name of this version's first table; see <see cref="ViewEdition.TableOf"/>.</summary>
    public string Table => string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{Name}_v{Version}");

    /// <summary>The view that <paramref name="row"/> names by its <see cref="ViewAttribute"/>.</summary>
    /// <exception cref="ArgumentException">It carries none, or a bad name or version.</exception>
    public static ViewId Of(Type row)
    {
        ArgumentNullException.ThrowIfNull(row);
        var attribute = row.GetCustomAttribute<ViewAttribute>() ?? throw new ArgumentException($"'{row}' carries no [View(\"name\")].", nameof(row));
        return new ViewId(attribute.Name, attribute.Version);
    }

    /// <inheritdoc/>
    public override string ToString() => _name is null ? "(no view)" : Table;

    [GeneratedRegex("^(checkpoints|editions|live|skipped|snapshots|sqlite_.*|.*_v[0-9]+(_e[0-9]+)?(_routes|_tombstones)?)$")]
    private static partial Regex TakenName();
}
