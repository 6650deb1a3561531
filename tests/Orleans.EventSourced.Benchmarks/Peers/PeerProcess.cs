using System.Diagnostics;
using Npgsql;
using Orleans.EventSourced.Benchmarks.Compare;
using Orleans.EventSourced.Benchmarks.Measures;

namespace Orleans.EventSourced.Benchmarks.Peers;

/// <summary>
/// A peer in a process of its own: what it keeps in memory is not collected beside ours, and Akka.Persistence.Sql needs another driver anyway. The loop of the callers runs there
/// (<see cref="PeerProtocol"/>).
/// </summary>
internal sealed class PeerProcess : IContender, IColdContender
{
    public const string Verb = "peer";

    /// <summary>The variable of its environment that has its connection string.</summary>
    public const string Connection = "BENCH_CONNECTION";

    private const string This = "Orleans.EventSourced.Benchmarks";
    private const string Akka = "Orleans.EventSourced.Benchmarks.Akka";
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(10);
    private static readonly TimeSpan PatienceAtTheEnd = TimeSpan.FromSeconds(30);
    private readonly Process _process;
    private readonly string _name;
    private readonly Place _place;

    private PeerProcess(Process process, string name, Place place) => (_process, _name, _place) = (process, name, place);

    /// <summary>Starts this program again, to be one of Orleans' own.</summary>
    /// <exception cref="InvalidOperationException">It ended instead; its own error output says why.</exception>
    public static Task<PeerProcess> StartOrleansAsync(string name, Place place, CancellationToken cancellationToken) =>
        StartAsync(new ProcessStartInfo(Path.Combine(AppContext.BaseDirectory, This), [Verb, "--name", name]), name, place, place.At, cancellationToken);

    /// <summary>Starts the program that has Akka in it, in bin/CONFIGURATION/FRAMEWORK of the project beside this one.</summary>
    /// <exception cref="InvalidOperationException">It ended instead; its own error output says why.</exception>
    public static Task<PeerProcess> StartAkkaAsync(Place place, CancellationToken cancellationToken)
    {
        var output = new DirectoryInfo(AppContext.BaseDirectory);
        var path = Path.Combine(output.Parent!.Parent!.Parent!.Parent!.FullName, Akka, "bin", output.Parent.Name, output.Name, Akka);
        return StartAsync(new ProcessStartInfo(path), Contenders.Akka, place, new NpgsqlConnectionStringBuilder(place.At) { IncludeErrorDetail = false }.ConnectionString, cancellationToken);
    }

    public Task<Round> AppendAsync(AppendLoad load, CancellationToken cancellationToken) => AskAsync(PeerProtocol.Append, load.ToJson(), cancellationToken);

    public Task<long> StoredBytesAsync(CancellationToken cancellationToken) => _place.BytesAsync(cancellationToken);

    public Task FillAsync(ColdStreams streams, CancellationToken cancellationToken) => AskAsync(PeerProtocol.Fill, streams.ToJson(), cancellationToken);

    public Task<Round> ActivateAsync(ColdStreams streams, CancellationToken cancellationToken) => AskAsync(PeerProtocol.Activate, streams.ToJson(), cancellationToken);

    public async ValueTask DisposeAsync()
    {
        try
        {
            // The end of its input is its order to end.
            _process.StandardInput.Close();
            await _process.WaitForExitAsync().WaitAsync(PatienceAtTheEnd);
        }
        catch (IOException)
        {
            // It has ended already.
        }
        catch (TimeoutException)
        {
            _process.Kill();
        }

        _process.Dispose();
    }

    private static async Task<PeerProcess> StartAsync(ProcessStartInfo start, string name, Place place, string connectionString, CancellationToken cancellationToken)
    {
        (start.RedirectStandardInput, start.RedirectStandardOutput) = (true, true);
        start.Environment[Connection] = connectionString;
        var peer = new PeerProcess(Process.Start(start)!, name, place);
        await peer.AskAsync(PeerProtocol.Ready, "", cancellationToken);
        return peer;
    }

    private async Task<Round> AskAsync(string verb, string parameters, CancellationToken cancellationToken)
    {
        await _process.StandardInput.WriteLineAsync($"{verb} {parameters}".AsMemory(), cancellationToken);
        await _process.StandardInput.FlushAsync(cancellationToken);
        var answer = await _process.StandardOutput.ReadLineAsync(cancellationToken).AsTask().WaitAsync(Patience, cancellationToken);
        return Round.Parse(answer ?? throw new InvalidOperationException($"The process of {_name} ended when it was asked to {verb}."));
    }
}
