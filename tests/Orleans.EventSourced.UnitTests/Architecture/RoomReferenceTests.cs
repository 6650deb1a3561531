using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;
using System.Xml.Linq;
using Xunit;

namespace Orleans.EventSourced.UnitTests.Architecture;

/// <summary>Which room may know which: the stores know Core, the silo part knows Core, and only the host knows everything.</summary>
public sealed class RoomReferenceTests
{
    private const string Core = "Orleans.EventSourced.Core";
    private const string Silo = "Orleans.EventSourced";
    private const string Postgres = "Orleans.EventSourced.Postgres";
    private const string Sqlite = "Orleans.EventSourced.Sqlite";
    private const string AspNetCore = "Orleans.EventSourced.AspNetCore";
    private const string Host = "Fines.Host";
    private const string Extensions = "Microsoft.Extensions.";

    // Packages and assemblies are named by how their names begin; the host, the one composition root, may use any. A new project needs a row
    // here, so that its place is a decision.
    private static readonly Dictionary<string, Room> Rooms = new()
    {
        [Core] = new([], Packages: [], Assemblies: []),
        [Postgres] = new([Core], Packages: ["Npgsql", "Microsoft.EntityFrameworkCore"], Assemblies: ["Npgsql", "Microsoft.EntityFrameworkCore"]),
        [Sqlite] = new([Core], Packages: ["Microsoft.Data.Sqlite", "Microsoft.EntityFrameworkCore"], Assemblies: ["Microsoft.Data.Sqlite", "Microsoft.EntityFrameworkCore", "SQLitePCLRaw"]),
        [Silo] = new([Core], Packages: ["Microsoft.Orleans."], Assemblies: ["Orleans."]),
        [AspNetCore] = new([Silo, Core], Packages: ["Microsoft.AspNetCore."], Assemblies: ["Microsoft.AspNetCore.", "Microsoft.Net.Http.Headers", "Orleans."]),
        ["Orleans.EventSourced.Testing"] = new([Silo, Core], Packages: ["Microsoft.Orleans.", "xunit.v3.", "CsCheck"], Assemblies: ["Orleans.", "xunit.", "CsCheck"]),
        ["Fines"] = new([Silo, Core], Packages: ["Microsoft.Orleans.Sdk"], Assemblies: ["Orleans."]),
        [Host] = new([Core, Silo, Postgres, Sqlite, AspNetCore, "Fines"], Packages: [""], Assemblies: [""]),
    };

    public static TheoryData<string> Projects => [.. Repository.Projects.Where(path => path.StartsWith("src/", StringComparison.Ordinal)).Select(Repository.ProjectOf)];

    /// <summary>All but the host: that one may know everything, and it is built last.</summary>
    public static TheoryData<string> Libraries => [.. Projects.Select(row => row.Data).Where(project => project != Host)];

    [Theory]
    [MemberData(nameof(Projects))]
    public void a_project_file_names_only_what_its_room_may_know(string project)
    {
        var room = RoomOf(project);
        var file = $"src/{project}/{project}.csproj";
        var xml = Repository.Project(file);

        foreach (var reference in Included(xml, "ProjectReference").Select(path => Path.GetFileNameWithoutExtension(path.Replace('\\', '/'))))
        {
            Assert.True(room.Projects.Contains(reference), $"{file}: {project} may not know {reference}, only {Listed(room.Projects)}.");
        }

        var packages = xml.Descendants("PackageReference").Where(package => (string?)package.Attribute("PrivateAssets") != "all").Select(package => (string)package.Attribute("Include")!);
        foreach (var package in packages)
        {
            Assert.True(
                BeginsWithOneOf(package, [Extensions, .. room.Packages]),
                $"{file}: {project} may not use the package {package}, only {Listed([Extensions, .. room.Packages])}.");
        }

        if (project is not (AspNetCore or Host))
        {
            Assert.True(!Included(xml, "FrameworkReference").Any() && (string?)xml.Root!.Attribute("Sdk") == "Microsoft.NET.Sdk", $"{file}: only {AspNetCore} and {Host} know ASP.NET.");
        }
    }

    [Theory]
    [MemberData(nameof(Libraries))]
    public void a_compiled_assembly_references_only_what_its_room_may_know(string project)
    {
        var room = RoomOf(project);
        foreach (var reference in ReferencesOf(project))
        {
            var allowed = IsRoom(reference)
                ? room.Projects.Contains(reference)
                : IsPlatform(reference) || BeginsWithOneOf(reference, [Extensions, .. room.Assemblies]);
            Assert.True(allowed, $"{project}.dll: it uses {reference}; {project} may know only the platform, {Listed([Extensions, .. room.Projects, .. room.Assemblies])}.");
        }
    }

    [Fact]
    public void only_test_projects_know_a_test_framework_or_the_host()
    {
        foreach (var file in Repository.Projects)
        {
            var xml = Repository.Project(file);
            var isTest = file.StartsWith("tests/", StringComparison.Ordinal);
            Assert.True(isTest || !Included(xml, "PackageReference").Any(package => package is "xunit.v3"), $"{file}: only projects under tests/ are test programs.");
            Assert.True(isTest || !Included(xml, "ProjectReference").Any(path => path.EndsWith("Fines.Host.csproj", StringComparison.Ordinal)), $"{file}: nothing under src/ may know the host.");
        }
    }

    private static Room RoomOf(string project)
    {
        Assert.True(Rooms.ContainsKey(project), $"src/{project}: this project has no row in {nameof(RoomReferenceTests)}; decide what it may know.");
        return Rooms[project];
    }

    private static List<string> ReferencesOf(string project)
    {
        var path = Repository.AssemblyOf(project);
        Assert.True(File.Exists(path), $"{path} is not there: build the solution in the configuration of these tests first.");
        using var file = new PEReader(File.OpenRead(path));
        var metadata = file.GetMetadataReader();
        return [.. metadata.AssemblyReferences.Select(handle => metadata.GetString(metadata.GetAssemblyReference(handle).Name))];
    }

    private static IEnumerable<string> Included(XDocument project, string element) => project.Descendants(element).Select(item => (string?)item.Attribute("Include") ?? "");

    private static bool IsRoom(string assembly) => Rooms.ContainsKey(assembly);

    private static bool IsPlatform(string assembly) => BeginsWithOneOf(assembly, ["System.", "Microsoft.CSharp", "Microsoft.Win32."]) || assembly is "System" or "netstandard" or "mscorlib";

    private static bool BeginsWithOneOf(string name, string[] beginnings) => Array.Exists(beginnings, beginning => name.StartsWith(beginning, StringComparison.Ordinal));

    private static string Listed(string[] names) => names.Length == 0 ? "no other" : string.Join(", ", names);

    private sealed record Room(string[] Projects, string[] Packages, string[] Assemblies);
}
