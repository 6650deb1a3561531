using System.Diagnostics;

namespace Orleans.EventSourced.IntegrationTests.Servers;

/// <summary>
/// Ends other processes when this one ends, however it ends: a small shell waits on a pipe that this process holds. When the pipe closes, the shell kills every process whose command line has the
/// marker, and removes a folder, which may be a disk of its own (Linux).
/// </summary>
internal sealed class Watchdog : IAsyncDisposable
{
    private const string Script = """
        trap '' INT TERM HUP
        cat >/dev/null
        for p in /proc/[0-9]*; do
          if grep -qsaF "$ES_MARKER" "$p/cmdline"; then kill -9 "${p#/proc/}" 2>/dev/null; fi
        done
        if mountpoint -q "$ES_FOLDER"; then umount -l "$ES_FOLDER"; fi
        rm -rf "$ES_FOLDER"
        """;

    private readonly Process _shell;

    public Watchdog(string marker, string folder)
    {
        var start = new ProcessStartInfo("/bin/sh", ["-c", Script]) { RedirectStandardInput = true };
        start.Environment["ES_MARKER"] = marker;
        start.Environment["ES_FOLDER"] = folder;
        _shell = Process.Start(start)!;
    }

    /// <summary>Does it now.</summary>
    public async ValueTask DisposeAsync()
    {
        _shell.StandardInput.Close();
        await _shell.WaitForExitAsync().ConfigureAwait(false);
        _shell.Dispose();
    }
}
