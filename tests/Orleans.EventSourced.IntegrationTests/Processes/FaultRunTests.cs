using System.Diagnostics;
using System.Text.RegularExpressions;
using Orleans.EventSourced.IntegrationTests.Grains;
using Xunit;

namespace Orleans.EventSourced.IntegrationTests.Processes;

/// <summary>A short fault run: three nodes, a PostgreSQL, clients and faults in processes of their own. Longer ones: tests/faults.sh.</summary>
[Collection("processes")]
public sealed partial class FaultRunTests : IDisposable
{
    private readonly TestFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    /// <summary>By the plan of this seed statements are cancelled, a silo is stopped and woken, a snapshot is held open, the network is slow, and a backend of the server is killed.</summary>
    [Fact]
    public async Task no_fact_is_lost_doubled_or_out_of_order()
    {
        string[] plan = ["--seed", "3", "--minutes", "0.5"];
        var start = new ProcessStartInfo("dotnet", [NodePrograms.FaultRun, .. plan, "--output", _folder.Path]) { RedirectStandardOutput = true, RedirectStandardError = true };
        using var run = Process.Start(start)!;
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(6));
        var errors = run.StandardError.ReadToEndAsync(limit.Token);
        var output = await run.StandardOutput.ReadToEndAsync(limit.Token);
        await run.WaitForExitAsync(limit.Token);
        TestContext.Current.SendDiagnosticMessage(output);
        var last = LastLine().Match(output);
        Assert.True(run.ExitCode == 0 && last.Success, $"{output}{await errors}");
        Assert.True(int.Parse(last.Groups["operations"].Value, null) > 100 && int.Parse(last.Groups["faults"].Value, null) > 0, $"{last.Value}: too few to mean anything");
    }

    [GeneratedRegex(@"(?<operations>\d+) operations, (?<faults>\d+) faults, \d+ unknown, 0 violations\s*$")]
    private static partial Regex LastLine();
}
