using System.Net;
using Orleans.EventSourced.IntegrationTests.Grains;
using Xunit;

namespace Orleans.EventSourced.IntegrationTests.Processes;

/// <summary>Two nodes that do not know of each other keep one fine each in memory, as one does that was cut off and has not learnt yet that the others go on without it.</summary>
[Collection("processes")]
public sealed class ReadAfterTests(PostgresFixture postgres) : IDisposable
{
    private const string Day = "2006-07-24T00:00:00+02:00";
    private readonly TestFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task who_names_the_position_it_knows_is_shown_no_older_state()
    {
        var eventlog = await postgres.CreateDatabaseAsync();
        await using var one = await HostProcess.ServeAsync(_folder, eventlog);
        await using var other = await HostProcess.ServeAsync(_folder, eventlog, null, null, "Orleans__ClusterId=other");
        foreach (var id in (string[])["twice", "once"])
        {
            await one.PostAsync("/fines", new { fineId = id, amount = "35.00", article = 157, points = 0, vehicleClass = "A", officer = "561", occurredAt = Day });
            await one.GetAsync($"/fines/{id}");
        }

        using var paid = await other.PostAsync("/fines/twice/payments", new { amount = "5.00", occurredAt = Day });
        var position = long.Parse(paid.Headers.GetValues("ES-Position").Single(), null);
        Assert.Equal(("35.00", "0.00", 1), PastFines.Shown(await one.AskAsync("/fines/twice")));
        Assert.Equal(("35.00", "5.00", 2), PastFines.Shown(await one.AskAsync($"/fines/twice?after={position}")));
        using var answer = await one.Http.GetAsync($"/fines/twice?after={position}");
        Assert.Equal((position, "\"2\""), (long.Parse(answer.Headers.GetValues("ES-Position").Single(), null), answer.Headers.ETag?.Tag));

        // Nothing more has happened to the other one: it is as new as the position.
        Assert.Equal(("35.00", "0.00", 1), PastFines.Shown(await one.AskAsync($"/fines/once?after={position}")));
        foreach (var query in (string[])["after=-1", "after=1&asOf=v1", "after=1&branch=b1"])
        {
            Assert.Equal((HttpStatusCode.BadRequest, "bad-request"), await one.RefusedAsync($"/fines/twice?{query}"));
        }
    }

    [Fact]
    public async Task a_session_knows_at_each_node_what_it_took_at_another_and_what_became_of_it()
    {
        var eventlog = await postgres.CreateDatabaseAsync();
        await using var one = await HostProcess.ServeAsync(_folder, eventlog);
        await using var other = await HostProcess.ServeAsync(_folder, eventlog, null, null, "Orleans__ClusterId=other");
        await one.PostAsync("/fines", new { fineId = "s", amount = "35.00", article = 157, points = 0, vehicleClass = "A", officer = "561", occurredAt = Day });
        HostProcess[] nodes = [one, other, one, other];
        for (var n = 0; n < nodes.Length; n++)
        {
            using var taken = await nodes[n].PostAsync("/fines/s/payments", new { amount = "1.00", occurredAt = Day }, ("Prefer", "respond-async"), ("ES-Session", "tab"));
            Assert.Equal(HttpStatusCode.Accepted, taken.StatusCode);
            foreach (var node in (HostProcess[])[one, other])
            {
                Assert.Contains((await node.AskAsync(taken.Headers.Location!.ToString())).GetProperty("state").GetString(), (string[])["requested", "accepted"]);
                await Eventually.Async("it is accepted", async () => (await node.AskAsync(taken.Headers.Location!.ToString())).GetProperty("state").GetString() == "accepted");
                Assert.Equal(n + 1, (await node.AskAsync("/sessions/tab/mutations")).GetProperty("mutations").GetArrayLength());
            }
        }
    }
}
