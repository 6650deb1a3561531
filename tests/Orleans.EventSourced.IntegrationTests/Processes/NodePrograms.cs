namespace Orleans.EventSourced.IntegrationTests.Processes;

/// <summary>Programs of tests that run as processes. Of the two for one cluster, the newer one knows an event type more, and one of the two views in its next version.</summary>
internal static class NodePrograms
{
    public static string Old => PathOf("Orleans.EventSourced.TestNode");

    public static string Next => PathOf("Orleans.EventSourced.TestNode.Next");

    public static string FaultRun => PathOf("Orleans.EventSourced.Faults", "Orleans.EventSourced.Faults.dll");

    /// <summary>The two nodes are called the same; each program is in its project's own folder, built in the configuration of these tests.</summary>
    private static string PathOf(string project, string file = "Orleans.EventSourced.TestNode.dll")
    {
        var output = new DirectoryInfo(AppContext.BaseDirectory);
        return Path.Combine(output.Parent!.Parent!.Parent!.Parent!.FullName, project, "bin", output.Parent.Name, output.Name, file);
    }
}
