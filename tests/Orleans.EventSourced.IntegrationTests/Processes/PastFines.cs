using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using Xunit;

namespace Orleans.EventSourced.IntegrationTests.Processes;

/// <summary>Fines of the past over HTTP, and what is answered about them.</summary>
internal static class PastFines
{
    public static (string? Due, string? Paid, int Version) Shown(JsonElement fine) => (fine.GetProperty("due").GetString(), fine.GetProperty("paid").GetString(), fine.GetProperty("version").GetInt32());

    public static async Task<JsonElement> AskAsync(this HostProcess host, string path)
    {
        var answer = await host.Http.GetAsync(path);
        Assert.True(answer.IsSuccessStatusCode, $"{path}: {answer.StatusCode} {await answer.Content.ReadAsStringAsync()}");
        return await answer.Content.ReadFromJsonAsync<JsonElement>();
    }

    public static async Task<(HttpStatusCode, string?)> RefusedAsync(this HostProcess host, string path)
    {
        var answer = await host.Http.GetAsync(path);
        return (answer.StatusCode, (await answer.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("title").GetString());
    }

    /// <summary>A fine of 50.00 of 2005, and payments of 10.00, one each year from then on; the positions of its events.</summary>
    public static async Task<List<long>> LiveAsync(this HostProcess host, string id, int payments)
    {
        var positions = new List<long> { Position(await host.PostAsync("/fines", new { fineId = id, amount = "50.00", article = 157, points = 0, vehicleClass = "A", officer = "561", occurredAt = "2005-01-01T00:00:00Z" }, ("Idempotency-Key", $"history/{id}"))) };
        for (var i = 0; i < payments; i++)
        {
            positions.Add(Position(await host.PostAsync($"/fines/{id}/payments", new { amount = "10.00", occurredAt = $"{Math.Min(2190, 2005 + i)}-06-01T00:00:00Z" })));
        }

        return positions;

        static long Position(HttpResponseMessage answer)
        {
            Assert.True(answer.IsSuccessStatusCode, $"{answer.StatusCode}");
            return long.Parse(answer.Headers.GetValues("ES-Position").Single(), null);
        }
    }
}
