using System.Runtime.CompilerServices;
using System.Xml.Linq;

namespace Orleans.EventSourced.UnitTests.Architecture;

/// <summary>The files of this repository, as the house rules see them: source only, nothing that a build made.</summary>
internal static class Repository
{
    private static readonly string[] Rooms = ["src", "tests"];
    private static readonly string[] Made = ["bin", "obj", "artifacts", "node_modules"];

    /// <summary>The folder of the solution file.</summary>
    public static string Root { get; } = FindRoot();

    /// <summary>The paths of all source files under src and tests, relative to <see cref="Root"/>, with '/' between the parts.</summary>
    public static IReadOnlyList<string> Sources { get; } = [.. Rooms.SelectMany(room => SourcesUnder(Path.Combine(Root, room))).Order(StringComparer.Ordinal)];

    /// <summary>The paths of all project files, relative to <see cref="Root"/>.</summary>
    public static IReadOnlyList<string> Projects { get; } = [.. Sources.Where(path => path.EndsWith(".csproj", StringComparison.Ordinal))];

    /// <summary>The source files with this ending, relative to <see cref="Root"/>.</summary>
    public static IEnumerable<string> SourcesWith(string ending) => Sources.Where(path => path.EndsWith(ending, StringComparison.Ordinal));

    public static string[] Lines(string path) => File.ReadAllLines(Path.Combine(Root, path));

    public static XDocument Project(string path) => XDocument.Load(Path.Combine(Root, path));

    /// <summary>The name of the project that a file belongs to: the folder below src or tests.</summary>
    public static string ProjectOf(string path) => path.Split('/')[1];

    /// <summary>The assembly of a project under src, built in the configuration in which these tests were built.</summary>
    public static string AssemblyOf(string project)
    {
        var output = new DirectoryInfo(AppContext.BaseDirectory);
        return Path.Combine(Root, "src", project, "bin", output.Parent!.Name, output.Name, project + ".dll");
    }

    private static IEnumerable<string> SourcesUnder(string folder)
    {
        foreach (var file in Directory.EnumerateFiles(folder))
        {
            yield return Path.GetRelativePath(Root, file).Replace('\\', '/');
        }

        foreach (var child in Directory.EnumerateDirectories(folder).Where(child => !Made.Contains(Path.GetFileName(child))))
        {
            foreach (var file in SourcesUnder(child))
            {
                yield return file;
            }
        }
    }

    private static string FindRoot([CallerFilePath] string thisFile = "")
    {
        for (var folder = new DirectoryInfo(Path.GetDirectoryName(thisFile)!); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "Orleans.EventSourced.sln")))
            {
                return folder.FullName;
            }
        }

        throw new InvalidOperationException($"No Orleans.EventSourced.sln above {thisFile}: the architecture tests run where the solution was built.");
    }
}
