using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Xunit;

namespace Orleans.EventSourced.IntegrationTests.Security;

/// <summary>
/// Spoilt requests to every endpoint of the real node, over several connections at once. <c>EVENTSOURCED_FUZZ_SEED</c> makes the same inputs again, <c>EVENTSOURCED_FUZZ_INPUTS</c> says how many there are for each endpoint.
/// </summary>
[Collection("processes")]
public sealed class HttpFuzzTests(ITestOutputHelper output)
{
    private const int Connections = 8;
    private const int MaxFaultsShown = 20;
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(20);

    [Fact]
    public async Task no_input_to_any_endpoint_gets_an_error_of_the_program_or_no_answer()
    {
        var seed = Setting("SEED", Random.Shared.Next());
        var inputs = Setting("INPUTS", 500);
        output.WriteLine($"EVENTSOURCED_FUZZ_SEED={seed} EVENTSOURCED_FUZZ_INPUTS={inputs}");
        await using var node = await InProcessNode.StartAsync(settings: "--History:MaxKeptViews=1000");
        await PrepareAsync(node);
        Assert.Equal(node.Endpoints.Order(StringComparer.Ordinal), FuzzCases.All.Keys.Order(StringComparer.Ordinal));

        var started = Stopwatch.GetTimestamp();
        var faults = new ConcurrentQueue<string>();
        var (statuses, times) = (new ConcurrentDictionary<int, int>(), new ConcurrentDictionary<string, double>());
        var work = new ConcurrentQueue<(string Endpoint, int Input)>(Enumerable.Range(0, inputs).SelectMany(i => FuzzCases.All.Keys.Select(e => (e, i))));
        await Task.WhenAll(Enumerable.Range(0, Connections).Select(_ => Task.Run(async () =>
        {
            using var http = new RawHttp(node.Address);
            while (work.TryDequeue(out var next) && faults.Count < MaxFaultsShown)
            {
                var request = Input(seed, next.Endpoint, next.Input);
                var sent = Stopwatch.GetTimestamp();
                if (await FaultOfAsync(http, next.Endpoint, request, statuses) is { } fault)
                {
                    faults.Enqueue($"{next.Endpoint}, input {next.Input} of seed {seed}: {fault}\n{request}");
                }

                times.AddOrUpdate(next.Endpoint, Stopwatch.GetElapsedTime(sent).TotalSeconds, (_, sum) => sum + Stopwatch.GetElapsedTime(sent).TotalSeconds);
            }
        })));
        output.WriteLine($"{Stopwatch.GetElapsedTime(started).TotalSeconds:0.0} s; {string.Join(", ", statuses.OrderBy(s => s.Key).Select(s => $"{s.Key}: {s.Value}"))}");
        output.WriteLine(string.Join('\n', times.OrderByDescending(t => t.Value).Take(8).Select(t => $"{t.Value:0.0} s {t.Key}")));
        Assert.True(faults.IsEmpty, $"{string.Join("\n\n", faults)}\n\n{node.Errors}");

        // What was taken did no harm: whatever is in the log, all views fold it.
        using var client = node.Client(InProcessNode.Anna);
        var health = "";
        await Eventually.Async($"a healthy node, seed {seed}", async () =>
        {
            using var answer = await client.GetAsync("/health");
            health = await answer.Content.ReadAsStringAsync();
            return answer.StatusCode == HttpStatusCode.OK && JsonElement.Parse(health).GetProperty("status").GetString() == "Healthy";
        });
    }

    private static int Setting(string name, int otherwise) => Environment.GetEnvironmentVariable($"EVENTSOURCED_FUZZ_{name}") is { Length: > 0 } text ? int.Parse(text, CultureInfo.InvariantCulture) : otherwise;

    /// <summary>Depends on nothing but the three numbers and names.</summary>
    private static RawRequest Input(int seed, string endpoint, int input)
    {
        var random = new Random(BitConverter.ToInt32(SHA256.HashData(Encoding.UTF8.GetBytes($"{seed} {endpoint} {input}"))));
        return new FuzzMutations(random).Spoil(FuzzCases.All[endpoint](random), InProcessNode.Anna);
    }

    private static async Task PrepareAsync(InProcessNode node)
    {
        using var http = new RawHttp(node.Address);
        foreach (var fine in (string[])["F1", "F2", "F3"])
        {
            foreach (var (path, body) in new[] { ("/fines", $$"""{"fineId":"{{fine}}","amount":"35.00","article":157,"points":0,"vehicleClass":"A","officer":"561","occurredAt":"2026-01-01T09:00:00Z"}"""), ($"/fines/{fine}/payments", """{"amount":"1.00","occurredAt":"2026-01-02T09:00:00Z"}""") })
            {
                var answer = await http.SendAsync(new RawRequest("POST", path, [("Authorization", $"Bearer {InProcessNode.Anna}"), ("Content-Type", "application/json"), ("X-Correlation-Id", "case-7")], Encoding.UTF8.GetBytes(body)), TestContext.Current.CancellationToken);
                Assert.InRange(answer.Status, 200, 201);
            }
        }
    }

    private static async Task<string?> FaultOfAsync(RawHttp http, string endpoint, RawRequest request, ConcurrentDictionary<int, int> statuses)
    {
        using var deadline = new CancellationTokenSource(Deadline);
        try
        {
            var answer = await http.SendAsync(request, deadline.Token);
            statuses.AddOrUpdate(answer.Status, 1, (_, n) => n + 1);
            return FaultIn(answer, endpoint);
        }
        catch (OperationCanceledException)
        {
            return $"no answer within {Deadline}";
        }
        catch (IOException e)
        {
            // A server may cut off what is larger than it takes.
            return request.ToBytes().Length > 1_000_000 ? null : $"no answer: {e.Message}";
        }
    }

    private static string? FaultIn(RawAnswer answer, string endpoint)
    {
        var seen = $"{answer.Status} {answer.ContentType} {answer.Body[..Math.Min(600, answer.Body.Length)]}";
        if (answer.Status < 400)
        {
            return answer.ContentType.StartsWith("application/json", StringComparison.Ordinal) && !IsJson(answer.Body) ? $"no JSON: {seen}" : null;
        }

        // The server itself answers what is no HTTP, or too long, and says so by its status alone.
        if (answer.Body.Length == 0 && answer.Status is 400 or 405 or 413 or 414 or 431 && answer.Headers.GetValueOrDefault("connection", "") == "close")
        {
            return null;
        }

        if (endpoint == "GET /health" && answer.Status == 503)
        {
            return null;
        }

        return !answer.ContentType.StartsWith("application/problem+json", StringComparison.Ordinal) || !IsJson(answer.Body) ? $"no problem: {seen}"
            : answer.Status >= 500 && !MayBeAway(answer, endpoint) ? seen
            : null;
    }

    /// <summary>A view may be behind, and a branch be dropped while it is asked, made or dropped: whether that took effect is not known then.</summary>
    private static bool MayBeAway(RawAnswer answer, string endpoint)
    {
        return answer.Status == 503 && (Says("view-behind")
            || (endpoint.Contains("branches", StringComparison.Ordinal) && Says("node-unavailable"))
            || (endpoint is "POST /_es/branches" or "DELETE /_es/branches/{id}" && Says("outcome-unknown")));

        bool Says(string problem) => answer.Body.Contains($"urn:problem:{problem}", StringComparison.Ordinal);
    }

    private static bool IsJson(string text)
    {
        try
        {
            JsonDocument.Parse(text).Dispose();
            return true;
        }
        catch (JsonException)
        {
            return false;
        }
    }
}
