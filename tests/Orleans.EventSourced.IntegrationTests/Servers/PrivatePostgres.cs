using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Runtime.Versioning;
using Npgsql;

namespace Orleans.EventSourced.IntegrationTests.Servers;

/// <summary>
/// A cluster of our own, made by <c>initdb</c> in a temporary folder and reachable on 127.0.0.1 only (Linux). PostgreSQL refuses to run as root;
/// then its programs run as the user <c>postgres</c>. When this process
/// ends, however it ends, a watchdog ends the server and removes the folder.
/// </summary>
[SupportedOSPlatform("linux")]
internal sealed class PrivatePostgres : PostgresServer
{
    private const string UnprivilegedUser = "postgres";
    private const string Administrator = "es_test_admin";
    private const int LinesKept = 200;

    private static readonly TimeSpan StopTimeout = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan LookInterval = TimeSpan.FromMilliseconds(20);

    private readonly string _programs;
    private readonly string _folder;
    private readonly string _marker;
    private readonly string _password = RandomName();
    private readonly int _port;
    private readonly IReadOnlyDictionary<string, string> _settings;
    private readonly ConcurrentQueue<string> _lastLines = new();
    private readonly Watchdog _watchdog;
    private Process? _postmaster;

    private PrivatePostgres(string programs, IReadOnlyDictionary<string, string> settings, string parent)
    {
        _programs = programs;
        _settings = settings;
        _marker = "es-test-" + RandomName();
        _folder = Path.Combine(parent, _marker);
        _port = LoopbackPort.Free();
        AdminConnectionString = new NpgsqlConnectionStringBuilder
        {
            Host = "127.0.0.1",
            Port = _port,
            Username = Administrator,
            Password = _password,
            Database = "postgres",
            IncludeErrorDetail = true,
        }.ConnectionString;
        Directory.CreateDirectory(_folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        // The marker is in the command line of the postmaster (its data folder) and in the title of each of its children (cluster_name).
        _watchdog = new Watchdog(_marker, _folder);
    }

    public override string AdminConnectionString { get; }

    public override bool CanBeKilled => true;

    private string DataFolder => Path.Combine(_folder, "data");

    /// <summary>The folder with the newest <c>initdb</c> and <c>postgres</c> of this machine, or null.</summary>
    public static string? FindPrograms()
    {
        const string debian = "/usr/lib/postgresql";
        var folders = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':', StringSplitOptions.RemoveEmptyEntries).ToList();
        if (Directory.Exists(debian))
        {
            folders.AddRange(Directory.GetDirectories(debian)
                .OrderByDescending(folder => int.TryParse(Path.GetFileName(folder), NumberStyles.None, CultureInfo.InvariantCulture, out var version) ? version : 0)
                .Select(folder => Path.Combine(folder, "bin")));
        }

        return folders.Find(folder => File.Exists(Path.Combine(folder, "initdb")) && File.Exists(Path.Combine(folder, "postgres")));
    }

    /// <param name="programs">The folder of <c>initdb</c> and <c>postgres</c>.</param>
    /// <param name="settings">Server settings on top of the defaults.</param>
    /// <param name="parent">Where the server's folder is made; null: among the temporary ones.</param>
    public static async Task<PrivatePostgres> StartAsync(string programs, IReadOnlyDictionary<string, string> settings, string? parent = null)
    {
        var server = new PrivatePostgres(programs, settings, parent ?? Path.GetTempPath());
        try
        {
            await server.InitializeAsync().ConfigureAwait(false);
            await server.LaunchAsync().ConfigureAwait(false);
            return server;
        }
        catch
        {
            await server.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    public override async Task KillAsync()
    {
        if (_postmaster is null)
        {
            return;
        }

        _postmaster.Kill();
        await _postmaster.WaitForExitAsync().ConfigureAwait(false);
        _postmaster.Dispose();
        _postmaster = null;

        // A new server refuses the folder as long as one backend of the old one is attached to its shared memory.
        var started = Stopwatch.StartNew();
        while (ProcessesWithMarker() is { Count: > 0 } left)
        {
            left.ForEach(KillIfAlive);
            if (started.Elapsed > StopTimeout)
            {
                throw new InvalidOperationException($"Backends of the killed PostgreSQL still run after {StopTimeout}: {string.Join(", ", left)}.");
            }

            await Task.Delay(LookInterval).ConfigureAwait(false);
        }
    }

    public override Task StopAsync() => StopAsync("fast");

    public override async Task RestartAsync()
    {
        await StopAsync().ConfigureAwait(false);
        await LaunchAsync().ConfigureAwait(false);
    }

    public override async ValueTask DisposeAsync()
    {
        await StopAsync("immediate").ConfigureAwait(false);
        await _watchdog.DisposeAsync().ConfigureAwait(false);
        if (Directory.Exists(_folder))
        {
            Directory.Delete(_folder, recursive: true);
        }
    }

    private async Task InitializeAsync()
    {
        if (Environment.IsPrivilegedProcess)
        {
            await RunAsync("chown", UnprivilegedUser, _folder).ConfigureAwait(false);
        }

        var passwordFile = Path.Combine(_folder, "password");
        await File.WriteAllTextAsync(passwordFile, _password).ConfigureAwait(false);
        await RunAsPostgresAsync(
            "initdb", "--pgdata", DataFolder, "--encoding", "UTF8", "--locale", "C", "--username", Administrator,
            "--auth-local", "scram-sha-256", "--auth-host", "scram-sha-256", "--pwfile", passwordFile).ConfigureAwait(false);
    }

    private async Task LaunchAsync()
    {
        List<string> arguments = ["-D", DataFolder];
        var settings = new Dictionary<string, string>(_settings)
        {
            ["port"] = _port.ToString(CultureInfo.InvariantCulture),
            ["listen_addresses"] = "127.0.0.1",
            ["unix_socket_directories"] = _folder,
            ["cluster_name"] = _marker,
        };
        settings.TryAdd("max_connections", "500");
        settings.TryAdd("fsync", "on");
        foreach (var (name, value) in settings)
        {
            arguments.AddRange(["-c", $"{name}={value}"]);
        }

        var start = AsPostgres("postgres", arguments);
        start.RedirectStandardInput = true;
        _postmaster = Process.Start(start)!;
        _postmaster.StandardInput.Close();
        _postmaster.OutputDataReceived += (_, line) => Keep(line.Data);
        _postmaster.ErrorDataReceived += (_, line) => Keep(line.Data);
        _postmaster.BeginOutputReadLine();
        _postmaster.BeginErrorReadLine();

        var started = Stopwatch.StartNew();
        while (true)
        {
            try
            {
                await ExecuteAsync("select 1").ConfigureAwait(false);
                return;
            }
            catch (NpgsqlException e) when (_postmaster.HasExited || started.Elapsed > StartTimeout)
            {
                var why = _postmaster.HasExited ? $"ended with exit code {_postmaster.ExitCode}" : $"took no connection within {StartTimeout}";
                throw new InvalidOperationException($"PostgreSQL in {_folder} {why}. Its last lines:\n{string.Join('\n', _lastLines)}", e);
            }
            catch (NpgsqlException)
            {
                // Not listening yet, or still recovering (57P03): the loop's deadline bounds how often this is asked again.
                await Task.Delay(LookInterval).ConfigureAwait(false);
            }
        }
    }

    private async Task StopAsync(string mode)
    {
        if (_postmaster is null)
        {
            return;
        }

        if (!_postmaster.HasExited)
        {
            var seconds = ((int)StopTimeout.TotalSeconds).ToString(CultureInfo.InvariantCulture);
            await RunAsPostgresAsync("pg_ctl", "stop", "--pgdata", DataFolder, "--mode", mode, "--wait", "--timeout", seconds).ConfigureAwait(false);
        }

        await KillAsync().ConfigureAwait(false);
    }

    private Task RunAsPostgresAsync(string program, params string[] arguments) => RunAsync(AsPostgres(program, arguments));

    // setpriv replaces itself by the program, so the process that is started here is the postmaster itself.
    private ProcessStartInfo AsPostgres(string program, IEnumerable<string> arguments)
    {
        var path = Path.Combine(_programs, program);
        var start = Environment.IsPrivilegedProcess
            ? new ProcessStartInfo("setpriv", [$"--reuid={UnprivilegedUser}", $"--regid={UnprivilegedUser}", "--init-groups", "--", path, .. arguments])
            : new ProcessStartInfo(path, arguments);
        start.RedirectStandardOutput = true;
        start.RedirectStandardError = true;
        start.WorkingDirectory = _folder;
        start.Environment["LC_ALL"] = "C";
        return start;
    }

    private static Task RunAsync(string program, params string[] arguments) =>
        RunAsync(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true });

    private static async Task RunAsync(ProcessStartInfo start)
    {
        using var process = Process.Start(start)!;
        var output = process.StandardOutput.ReadToEndAsync();
        var errors = process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync().ConfigureAwait(false);
        if (process.ExitCode != 0)
        {
            throw new InvalidOperationException(
                $"{start.FileName} {string.Join(' ', start.ArgumentList)} ended with exit code {process.ExitCode}:\n{await output.ConfigureAwait(false)}{await errors.ConfigureAwait(false)}");
        }
    }

    /// <summary>The postmaster and all its children.</summary>
    public List<int> ProcessesWithMarker()
    {
        List<int> found = [];
        foreach (var folder in Directory.EnumerateDirectories("/proc"))
        {
            if (int.TryParse(Path.GetFileName(folder), NumberStyles.None, CultureInfo.InvariantCulture, out var id) && CommandLine(folder).Contains(_marker, StringComparison.Ordinal))
            {
                found.Add(id);
            }
        }

        return found;
    }

    private static string CommandLine(string processFolder)
    {
        try
        {
            return File.ReadAllText(Path.Combine(processFolder, "cmdline"));
        }
        catch (IOException)
        {
            // The process ended while the folder was being listed: it has no command line any more.
            return "";
        }
    }

    private static void KillIfAlive(int id)
    {
        try
        {
            using var process = Process.GetProcessById(id);
            process.Kill();
        }
        catch (ArgumentException)
        {
            // It ended by itself, which is what is wanted.
        }
    }

    private void Keep(string? line)
    {
        if (line is null)
        {
            return;
        }

        _lastLines.Enqueue(line);
        while (_lastLines.Count > LinesKept)
        {
            _lastLines.TryDequeue(out _);
        }
    }
}
