using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using Orleans.EventSourced.IntegrationTests.Servers;
using Orleans.EventSourced.Testing.Faults;

namespace Orleans.EventSourced.Faults.Cluster;

/// <summary>What a silo's process is started with.</summary>
/// <param name="Program">The program, a .dll.</param>
/// <param name="Folder">Where it works and its output is kept.</param>
/// <param name="Marker">What its command line says, so that a watchdog finds it.</param>
/// <param name="Environment">The settings that all silos have.</param>
internal sealed record SiloSettings(string Program, string Folder, string Marker, IReadOnlyDictionary<string, string> Environment);

/// <summary>A process that ended though nobody had told it to.</summary>
/// <param name="At">When, by the clock of all clients.</param>
/// <param name="Code">Its exit code.</param>
/// <param name="WasUp">Whether it had come up before.</param>
internal sealed record OwnEnd(long At, int Code, bool WasUp);

/// <summary>A silo in a process of its own, on ports that stay, with a network of its own to the database. When the process ends without having been told to, it is started again after a second.</summary>
internal sealed class SupervisedSilo : IAsyncDisposable
{
    private static readonly TimeSpan RestartAfter = TimeSpan.FromSeconds(1);

    private readonly SiloSettings _settings;
    private readonly int _siloPort = LoopbackPort.Free();
    private readonly int _gatewayPort = LoopbackPort.Free();
    private readonly StreamWriter _output;
    private readonly Lock _gate = new();
    private readonly ConcurrentQueue<OwnEnd> _ends = [];
    private Process? _process;
    private Process? _told;
    private volatile bool _isUp;
    private bool _isStopped;
    private Dictionary<string, string> _extra = [];

    public SupervisedSilo(string name, SiloSettings settings, FaultProxy? network)
    {
        (Name, _settings, Network, Program) = (name, settings, network, settings.Program);
        Address = new Uri($"http://127.0.0.1:{LoopbackPort.Free()}");
        _output = new StreamWriter(Path.Combine(settings.Folder, $"{name}.log"), append: true) { AutoFlush = true };
    }

    public string Name { get; }

    public Uri Address { get; }

    /// <summary>What is between it and the database; null: nothing.</summary>
    public FaultProxy? Network { get; }

    /// <summary>The program that is started next, a .dll.</summary>
    public string Program { get; set; }

    /// <summary>How often its process ended and was started again.</summary>
    public int Restarts { get; private set; }

    /// <summary>How often it ended by itself.</summary>
    public IReadOnlyCollection<OwnEnd> Ends => _ends;

    /// <summary>The id of its process now; null: there is none.</summary>
    public int? ProcessId
    {
        get
        {
            lock (_gate)
            {
                return _process is { HasExited: false } p ? p.Id : null;
            }
        }
    }

    /// <summary>The memory it has in bytes now; 0: it does not run.</summary>
    public long Memory
    {
        get
        {
            lock (_gate)
            {
                _process?.Refresh();
                return _process is { HasExited: false } p ? p.WorkingSet64 : 0;
            }
        }
    }

    /// <summary>Starts the process, with settings beside the usual ones.</summary>
    public void Start(IReadOnlyDictionary<string, string>? extra = null)
    {
        lock (_gate)
        {
            _isStopped = false;
            _extra = extra?.ToDictionary() ?? [];
            Launch();
        }
    }

    /// <summary>Ends the process by a signal, and waits until it has ended; its supervisor starts it again unless <paramref name="isFinal"/>.</summary>
    public async Task EndAsync(string signal, bool isFinal, IReadOnlyDictionary<string, string>? extra = null)
    {
        Process? process;
        lock (_gate)
        {
            (_isStopped, _extra, process, _told) = (isFinal, extra?.ToDictionary() ?? [], _process, _process);
        }

        if (process is { HasExited: false })
        {
            await Signals.SendAsync(signal, process.Id);
            await process.WaitForExitAsync();
        }
    }

    public async ValueTask DisposeAsync()
    {
        await EndAsync("KILL", isFinal: true);
        if (Network is not null)
        {
            await Network.DisposeAsync();
        }

        lock (_gate)
        {
            _process?.Dispose();
        }

        lock (_output)
        {
            _output.Dispose();
        }
    }

    private void Launch()
    {
        var start = new ProcessStartInfo("dotnet", [Program, "--urls", Address.ToString(), $"--run={_settings.Marker}"])
        {
            WorkingDirectory = _settings.Folder,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (var (name, value) in _settings.Environment.Concat(_extra))
        {
            start.Environment[name] = value;
        }

        start.Environment["Orleans__SiloPort"] = _siloPort.ToString(CultureInfo.InvariantCulture);
        start.Environment["Orleans__GatewayPort"] = _gatewayPort.ToString(CultureInfo.InvariantCulture);
        if (Network is not null)
        {
            start.Environment["ConnectionStrings__eventlog"] = Through(_settings.Environment["ConnectionStrings__eventlog"], Network);
        }

        Write($"== {Name} starts {string.Join(' ', _extra.Select(e => $"{e.Key}={e.Value}"))}");
        var process = new Process { StartInfo = start, EnableRaisingEvents = true };
        _isUp = false;
        process.OutputDataReceived += (_, line) =>
        {
            _isUp |= ReferenceEquals(_process, process) && line.Data?.Contains("Application started", StringComparison.Ordinal) == true;
            Write(line.Data);
        };
        process.ErrorDataReceived += (_, line) => Write(line.Data);
        process.Exited += (_, _) => _ = SuperviseAsync(process);
        process.Start();
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        _process = process;
    }

    /// <summary>What a service manager or a container's restart policy does.</summary>
    private async Task SuperviseAsync(Process ended)
    {
        Write($"== {Name} ended with {ended.ExitCode}");
        lock (_gate)
        {
            if (!ReferenceEquals(_told, ended))
            {
                _ends.Enqueue(new OwnEnd(TimeProvider.System.GetTimestamp(), ended.ExitCode, _isUp));
            }
        }

        await Task.Delay(RestartAfter);
        lock (_gate)
        {
            if (!_isStopped && ReferenceEquals(_process, ended))
            {
                ended.Dispose();
                Restarts++;
                Launch();
            }
        }
    }

    private void Write(string? line)
    {
        if (line is not null)
        {
            lock (_output)
            {
                if (_output.BaseStream is { CanWrite: true })
                {
                    _output.WriteLine($"{TimeProvider.System.GetUtcNow():HH:mm:ss.fff} {line}");
                }
            }
        }
    }

    private static string Through(string connectionString, FaultProxy proxy) =>
        new Npgsql.NpgsqlConnectionStringBuilder(connectionString) { Host = "127.0.0.1", Port = proxy.Port }.ConnectionString;
}
