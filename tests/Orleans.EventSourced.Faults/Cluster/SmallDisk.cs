using System.Diagnostics;
using Orleans.EventSourced.IntegrationTests.Servers;

namespace Orleans.EventSourced.Faults.Cluster;

/// <summary>A disk of a known size in memory (tmpfs), so that it can be filled without harm to the machine. Making one needs the rights of root.</summary>
internal sealed class SmallDisk : IAsyncDisposable
{
    private const string Size = "2g";

    private readonly Watchdog _watchdog;

    private SmallDisk(string folder)
    {
        Folder = folder;
        _watchdog = new Watchdog(Path.GetFileName(folder) + "/no-process", folder);
    }

    public string Folder { get; }

    private string Filler => Path.Combine(Folder, "filler");

    /// <summary>Makes one; null where this process may not.</summary>
    public static async Task<SmallDisk?> TryMakeAsync()
    {
        var folder = Directory.CreateTempSubdirectory("es-disk-").FullName;
        if (Environment.IsPrivilegedProcess && await RunAsync("mount", "-t", "tmpfs", "-o", $"size={Size},mode=755", "tmpfs", folder))
        {
            return new SmallDisk(folder);
        }

        Directory.Delete(folder);
        return null;
    }

    /// <summary>Leaves no byte free.</summary>
    public void Fill()
    {
        using var file = new FileStream(Filler, FileMode.Create, FileAccess.Write);
        var block = new byte[1 << 20];
        try
        {
            while (true)
            {
                file.Write(block);
                file.Flush();
            }
        }
        catch (IOException)
        {
            // It is full, but for less than a block.
        }
    }

    public void Free() => File.Delete(Filler);

    public ValueTask DisposeAsync() => _watchdog.DisposeAsync();

    private static async Task<bool> RunAsync(string program, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardError = true })!;
        await process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync();
        return process.ExitCode == 0;
    }
}
