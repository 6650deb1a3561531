using System.Diagnostics;
using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using Orleans.EventSourced.AspNetCore;
using Orleans.EventSourced.IntegrationTests.Grains;
using Orleans.EventSourced.IntegrationTests.Servers;

namespace Orleans.EventSourced.IntegrationTests.Processes;

/// <summary>The real host in a process of its own, in a folder of the test's.</summary>
public sealed class HostProcess : IAsyncDisposable
{
    private static readonly string Program = Path.Combine(AppContext.BaseDirectory, "Fines.Host.dll");
    private readonly Process _process;
    private readonly StringBuilder _output = new();
    private readonly StringBuilder _errors = new();

    private HostProcess(Process process, Uri address)
    {
        _process = process;
        Http = new HttpClient { BaseAddress = address, Timeout = TimeSpan.FromSeconds(40) };
        Http.DefaultRequestHeaders.Add(ApiAccess.OperateHeader, "1");
        process.OutputDataReceived += (_, line) => Add(_output, line.Data);
        process.ErrorDataReceived += (_, line) => Add(_errors, line.Data);
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
    }

    public HttpClient Http { get; }

    public string Output => Text(_output);

    public string Errors => Text(_errors);

    /// <summary>The most memory that the process has had, in bytes, as long as it lives.</summary>
    public long PeakMemory
    {
        get
        {
            var line = File.ReadLines($"/proc/{_process.Id}/status").First(l => l.StartsWith("VmHWM", StringComparison.Ordinal));
            return long.Parse(new string([.. line.Where(char.IsAsciiDigit)]), null) * 1024;
        }
    }

    public bool HasExited => _process.HasExited;

    /// <summary>Starts a node and waits until it is healthy.</summary>
    public static Task<HostProcess> ServeAsync(TestFolder folder, string? eventlog, int? http = null, int? silo = null, params string[] settings) =>
        HealthyAsync(new Uri($"http://127.0.0.1:{http ?? LoopbackPort.Free()}"), address => Start(Program, folder, eventlog, ["--urls", address, .. settings], silo ?? LoopbackPort.Free()));

    /// <summary>Starts a node of another program, and waits until it is healthy. A setting like <c>TestNode__Slices=4</c> is a variable of its environment.</summary>
    public static Task<HostProcess> ServeAsync(string program, TestFolder folder, string eventlog, params string[] settings) =>
        HealthyAsync(new Uri($"http://127.0.0.1:{LoopbackPort.Free()}"), address => Start(program, folder, eventlog, ["--urls", address, .. settings], LoopbackPort.Free()));

    /// <summary>Starts a verb. An argument like <c>Fines__ViewSlices=4</c> is a variable of its environment.</summary>
    public static HostProcess Run(TestFolder folder, string? eventlog, params string[] arguments) => new(Start(Program, folder, eventlog, arguments, LoopbackPort.Free()), new Uri("http://127.0.0.1:1"));

    /// <summary>Starts a node at a silo's port, and waits for nothing.</summary>
    public static HostProcess Run(TestFolder folder, string? eventlog, int silo, params string[] arguments) => new(Start(Program, folder, eventlog, arguments, silo), new Uri("http://127.0.0.1:1"));

    /// <summary>Runs a verb to its end.</summary>
    public static async Task<(int Code, string Output, string Errors)> RunToEndAsync(TestFolder folder, string? eventlog, params string[] arguments)
    {
        await using var host = Run(folder, eventlog, arguments);
        return await host.EndAsync();
    }

    public async Task<(int Code, string Output, string Errors)> EndAsync()
    {
        await _process.WaitForExitAsync(new CancellationTokenSource(TimeSpan.FromMinutes(4)).Token);
        _process.WaitForExit();
        return (_process.ExitCode, Output, Errors);
    }

    public async Task<bool> IsHealthyAsync()
    {
        try
        {
            return (await Http.GetAsync("/health")).StatusCode == HttpStatusCode.OK;
        }
        catch (HttpRequestException)
        {
            return false;
        }
    }

    /// <summary>kill -9.</summary>
    public async Task KillAsync()
    {
        _process.Kill();
        await _process.WaitForExitAsync();
    }

    public async Task<int> TerminateAsync()
    {
        using var kill = Process.Start("kill", ["-TERM", _process.Id.ToString(null, null)]);
        return (await EndAsync()).Code;
    }

    public Task<HttpResponseMessage> PostAsync(string path, object body, params (string Name, string Value)[] headers) => SendAsync(path, JsonContent.Create(body), headers);

    public async Task<HttpResponseMessage> SendAsync(string path, HttpContent content, params (string Name, string Value)[] headers)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = content };
        foreach (var (name, value) in headers)
        {
            request.Headers.TryAddWithoutValidation(name, value);
        }

        return await Http.SendAsync(request);
    }

    public async Task<JsonElement> GetAsync(string path) => await Http.GetFromJsonAsync<JsonElement>(path);

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
        {
            await KillAsync();
        }

        Http.Dispose();
        _process.Dispose();
    }

    /// <summary>The node whose start fails leaves no process behind.</summary>
    private static async Task<HostProcess> HealthyAsync(Uri address, Func<string, Process> start)
    {
        var host = new HostProcess(start(address.ToString()), address);
        try
        {
            await Eventually.Async($"a healthy node at {address}", async () => host.HasExited ? throw new InvalidOperationException($"The host ended: {host.Output}{host.Errors}") : await host.IsHealthyAsync(), seconds: 60);
            return host;
        }
        catch
        {
            await host.DisposeAsync();
            throw;
        }
    }

    private static Process Start(string program, TestFolder folder, string? eventlog, string[] arguments, int silo)
    {
        var start = new ProcessStartInfo("dotnet") { WorkingDirectory = folder.Path, RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false };
        start.ArgumentList.Add(program);
        start.Environment["ASPNETCORE_ENVIRONMENT"] = "Development";
        foreach (var argument in arguments)
        {
            if (argument.Split('=') is [var name, var value] && name.Contains("__", StringComparison.Ordinal))
            {
                start.Environment[name] = value;
            }
            else
            {
                start.ArgumentList.Add(argument);
            }
        }

        start.Environment["Orleans__SiloPort"] = silo.ToString(null, null);
        start.Environment["Orleans__GatewayPort"] = LoopbackPort.Free().ToString(null, null);
        start.Environment["ConnectionStrings__eventlog"] = eventlog ?? "";
        return Process.Start(start) ?? throw new InvalidOperationException("dotnet did not start.");
    }

    private static void Add(StringBuilder to, string? line)
    {
        lock (to)
        {
            to.AppendLine(line);
        }
    }

    private static string Text(StringBuilder from)
    {
        lock (from)
        {
            return from.ToString();
        }
    }
}
