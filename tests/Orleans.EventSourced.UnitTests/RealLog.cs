namespace Orleans.EventSourced.UnitTests;

/// <summary>The public event log of real fines, which is no part of the project: found by the variable FINES_LOG, or in a folder <c>shared/data</c> beside the repository.</summary>
public static class RealLog
{
    public const string Missing = "the real event log was not found: set FINES_LOG to road-traffic-fines.xes.gz (doi 10.4121/uuid:270fd440-1057-4fb9-89a9-b699b47990f5)";

    public static string? Path { get; } = Find();

    private static string? Find()
    {
        if (Environment.GetEnvironmentVariable("FINES_LOG") is { Length: > 0 } named)
        {
            return File.Exists(named) ? named : throw new FileNotFoundException($"FINES_LOG names '{named}', which is not there.");
        }

        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(System.IO.Path.Combine(folder.FullName, "Orleans.EventSourced.sln")))
            {
                var beside = System.IO.Path.Combine(folder.FullName, "..", "shared", "data", "road-traffic-fines.xes.gz");
                return File.Exists(beside) ? beside : null;
            }
        }

        return null;
    }
}
