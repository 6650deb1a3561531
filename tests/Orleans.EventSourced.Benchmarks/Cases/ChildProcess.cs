using System.Diagnostics;
using Orleans.EventSourced.Benchmarks.Measures;

namespace Orleans.EventSourced.Benchmarks.Cases;

/// <summary>A round in a process of its own, for what is measured on code that nobody compiled before: this very program, with a verb that ends its output with a round.</summary>
internal static class ChildProcess
{
    /// <exception cref="InvalidOperationException">It failed; its error output is this process's.</exception>
    public static async Task<Round> RunAsync(IReadOnlyList<string> arguments, CancellationToken cancellationToken)
    {
        var start = new ProcessStartInfo(Path.Combine(AppContext.BaseDirectory, "Orleans.EventSourced.Benchmarks"), arguments) { RedirectStandardOutput = true };
        using var child = Process.Start(start)!;
        try
        {
            var printed = await child.StandardOutput.ReadToEndAsync(cancellationToken);
            await child.WaitForExitAsync(cancellationToken);
            return child.ExitCode == 0 ? Round.Parse(printed) : throw new InvalidOperationException($"'{string.Join(' ', arguments)}' ended with {child.ExitCode}: {printed}");
        }
        catch (OperationCanceledException)
        {
            child.Kill();
            throw;
        }
    }
}
