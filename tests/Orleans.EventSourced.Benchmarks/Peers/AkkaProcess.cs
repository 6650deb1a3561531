using System.Diagnostics;
using Npgsql;
using Orleans.EventSourced.Benchmarks.Compare;
using Orleans.EventSourced.Benchmarks.Measures;

namespace Orleans.EventSourced.Benchmarks.Peers;

/// <summary>
/// Akka.Persistence.Sql in a process of its own, because it needs an older driver than ours. One request a line goes to its input (a verb and JSON), one round as a line of JSON comes back; the loop of
/// the callers runs there.
/// </summary>
internal sealed class AkkaProcess : IContender, IColdContender
{
    private const string Program = "Orleans.EventSourced.Benchmarks.Akka";
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(10);
    private readonly Process _process;
    private readonly Place _place;

    private AkkaProcess(Process process, Place place) => (_process, _place) = (process, place);

    /// <summary>Starts it and waits until it takes requests.</summary>
    /// <exception cref="InvalidOperationException">It ended instead; its own error output says why.</exception>
    public static async Task<AkkaProcess> StartAsync(string connectionString, CancellationToken cancellationToken)
    {
        // Built with this program, into a folder of its own: bin/CONFIGURATION/FRAMEWORK of the project beside this one.
        var output = new DirectoryInfo(AppContext.BaseDirectory);
        var path = Path.Combine(output.Parent!.Parent!.Parent!.Parent!.FullName, Program, "bin", output.Parent.Name, output.Name, Program);

        // A word of ours that the other's older driver does not know would be refused.
        var known = new NpgsqlConnectionStringBuilder(connectionString) { IncludeErrorDetail = false };
        var start = new ProcessStartInfo(path) { RedirectStandardInput = true, RedirectStandardOutput = true };
        start.Environment["BENCH_CONNECTION"] = known.ConnectionString;
        var peer = new AkkaProcess(Process.Start(start)!, new Place(Place.Postgres, connectionString));
        await peer.AskAsync("ready", "", cancellationToken);
        return peer;
    }

    public Task<Round> AppendAsync(AppendLoad load, CancellationToken cancellationToken) => AskAsync("append", load.ToJson(), cancellationToken);

    public Task<long> StoredBytesAsync(CancellationToken cancellationToken) => _place.BytesAsync(cancellationToken);

    public Task FillAsync(ColdStreams streams, CancellationToken cancellationToken) => AskAsync("fill", streams.ToJson(), cancellationToken);

    public Task<Round> ActivateAsync(ColdStreams streams, CancellationToken cancellationToken) => AskAsync("activate", streams.ToJson(), cancellationToken);

    public async ValueTask DisposeAsync()
    {
        // The end of its input is its order to end.
        _process.StandardInput.Close();
        await _process.WaitForExitAsync();
        _process.Dispose();
    }

    private async Task<Round> AskAsync(string verb, string parameters, CancellationToken cancellationToken)
    {
        await _process.StandardInput.WriteLineAsync($"{verb} {parameters}".AsMemory(), cancellationToken);
        await _process.StandardInput.FlushAsync(cancellationToken);
        var answer = await _process.StandardOutput.ReadLineAsync(cancellationToken).AsTask().WaitAsync(Patience, cancellationToken);
        return Round.Parse(answer ?? throw new InvalidOperationException($"{Program} ended when it was asked to {verb}."));
    }
}
