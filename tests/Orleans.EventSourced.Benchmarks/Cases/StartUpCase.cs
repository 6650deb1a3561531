using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Text;
using Orleans.EventSourced.Benchmarks.Compare;
using Orleans.EventSourced.Benchmarks.Measures;
using Orleans.EventSourced.Benchmarks.Peers;
using Orleans.EventSourced.IntegrationTests.Servers;

namespace Orleans.EventSourced.Benchmarks.Cases;

/// <summary>A node of the example from the start of its process until it has accepted its first command over HTTP, on a store that is made already.</summary>
internal sealed class StartUpCase : ICase
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(90);
    private static readonly TimeSpan TryInterval = TimeSpan.FromMilliseconds(20);

    public string Name => "start-up";

    public string Title => "a node's process from its start to its first accepted command over HTTP";

    public Quantity Ranks => Quantity.Seconds;

    public async Task<IReadOnlyList<Entrant>> PrepareAsync(Ground ground, CancellationToken cancellationToken)
    {
        var place = await ground.PlaceAsync(cancellationToken);
        return [new Entrant(Contenders.Ours, (plan, cancel) => MeasureAsync(place, plan.Number, cancel))];
    }

    private static async Task<Round> MeasureAsync(Place place, int number, CancellationToken cancellationToken)
    {
        var output = new DirectoryInfo(AppContext.BaseDirectory);
        var folder = Path.Combine(output.Parent!.Parent!.Parent!.Parent!.Parent!.FullName, "src", "Fines.Host", "bin", output.Parent.Name, output.Name);
        var address = string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{LoopbackPort.Free()}");
        var start = new ProcessStartInfo(Path.Combine(folder, "Fines.Host"), ["--urls", address]) { WorkingDirectory = folder, RedirectStandardOutput = true };
        start.Environment["ASPNETCORE_ENVIRONMENT"] = "Development";
        start.Environment["ConnectionStrings__eventlog"] = place.Store == Place.Postgres ? place.At : $"Data Source={place.At}";
        start.Environment["Orleans__SiloPort"] = LoopbackPort.Free().ToString(CultureInfo.InvariantCulture);
        start.Environment["Orleans__GatewayPort"] = LoopbackPort.Free().ToString(CultureInfo.InvariantCulture);
        using var http = new HttpClient { BaseAddress = new Uri(address) };
        var started = Stopwatch.GetTimestamp();
        using var node = Process.Start(start)!;
        try
        {
            var says = node.StandardOutput.ReadToEndAsync(CancellationToken.None);
            while (!await IsAcceptedAsync(http, number, cancellationToken))
            {
                if (node.HasExited || Stopwatch.GetElapsedTime(started) > Patience)
                {
                    throw new InvalidOperationException($"The node accepted no command in {Patience}{(node.HasExited ? $" and ended: {await says}" : "")}.");
                }

                await Task.Delay(TryInterval, cancellationToken);
            }

            return Round.Of((Quantity.Seconds, Stopwatch.GetElapsedTime(started).TotalSeconds));
        }
        finally
        {
            // It leaves the cluster in good order, so that the next one does not wait for it.
            using var end = Process.Start("kill", ["-TERM", node.Id.ToString(CultureInfo.InvariantCulture)]);
            await node.WaitForExitAsync(CancellationToken.None);
        }
    }

    private static async Task<bool> IsAcceptedAsync(HttpClient http, int number, CancellationToken cancellationToken)
    {
        try
        {
            var fine = $$"""{"fineId":"S{{number}}","amount":"35.00","article":157,"points":0,"vehicleClass":"A","officer":"561","occurredAt":"2026-01-05T09:00:00Z"}""";
            using var answer = await http.PostAsync("/fines", new StringContent(fine, Encoding.UTF8, "application/json"), cancellationToken);
            return answer.StatusCode switch
            {
                HttpStatusCode.Created => true,
                HttpStatusCode.ServiceUnavailable => false,
                var other => throw new InvalidOperationException($"The node answered its first command with {other}: {await answer.Content.ReadAsStringAsync(cancellationToken)}"),
            };
        }
        catch (HttpRequestException e) when (e.StatusCode is null)
        {
            // It does not listen yet.
            return false;
        }
    }
}
