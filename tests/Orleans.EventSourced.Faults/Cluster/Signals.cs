using System.Diagnostics;
using System.Globalization;

namespace Orleans.EventSourced.Faults.Cluster;

/// <summary>Signals to processes that this program started.</summary>
internal static class Signals
{
    /// <summary>Sends a signal; a process that has ended meanwhile is none to send it to.</summary>
    public static async Task SendAsync(string signal, params IReadOnlyCollection<int> processes)
    {
        if (processes.Count > 0)
        {
            var start = new ProcessStartInfo("kill", [$"-{signal}", .. processes.Select(p => p.ToString(CultureInfo.InvariantCulture))]) { RedirectStandardError = true };
            using var kill = Process.Start(start)!;
            await kill.StandardError.ReadToEndAsync();
            await kill.WaitForExitAsync();
        }
    }
}
