using System.Globalization;
using System.Runtime.Versioning;
using Orleans.EventSourced.IntegrationTests.Servers;

namespace Orleans.EventSourced.Benchmarks.Compare;

/// <summary>The processor time of the private server, all of its processes together, those that ended included: on one machine it is as much a part of the cost as the client's.</summary>
internal static class ServerMeter
{
    private const int TicksPerSecond = 100;

    // Places behind the name in /proc/PID/stat: user, system, and the same of children that ended.
    private static readonly int[] Places = [11, 12, 13, 14];

    /// <summary>What it took since it was started; null: it is no process of this machine that can be read.</summary>
    public static TimeSpan? Read(PostgresServer server) => OperatingSystem.IsLinux() && server is PrivatePostgres own ? Read(own) : null;

    [SupportedOSPlatform("linux")]
    private static TimeSpan Read(PrivatePostgres server) => TimeSpan.FromSeconds(server.ProcessesWithMarker().Sum(TicksOf) / (double)TicksPerSecond);

    private static long TicksOf(int process)
    {
        try
        {
            var facts = File.ReadAllText(string.Create(CultureInfo.InvariantCulture, $"/proc/{process}/stat"));
            var fields = facts[(facts.LastIndexOf(')') + 2)..].Split(' ');
            return Places.Sum(p => long.Parse(fields[p], CultureInfo.InvariantCulture));
        }
        catch (IOException)
        {
            // It has ended meanwhile; its time is among its parent's.
            return 0;
        }
    }
}
