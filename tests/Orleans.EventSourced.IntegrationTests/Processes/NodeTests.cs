using System.Diagnostics;
using System.Net;
using Orleans.EventSourced.IntegrationTests.Grains;
using Orleans.EventSourced.IntegrationTests.Servers;
using Xunit;

namespace Orleans.EventSourced.IntegrationTests.Processes;

/// <summary>Nodes on PostgreSQL as their operator sees them.</summary>
[Collection("processes")]
public sealed class NodeTests(PostgresFixture postgres) : IDisposable
{
    private readonly TestFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task a_killed_node_started_again_serves_within_20_seconds()
    {
        var eventlog = await postgres.CreateDatabaseAsync();
        var (http, silo) = (LoopbackPort.Free(), LoopbackPort.Free());
        await using (var node = await HostProcess.ServeAsync(_folder, eventlog, http, silo))
        {
            Assert.Equal(HttpStatusCode.Created, (await node.PostAsync("/fines", Issue("a"))).StatusCode);
            await node.KillAsync();
        }

        await Task.Delay(TimeSpan.FromSeconds(5), TimeProvider.System);
        var started = Stopwatch.GetTimestamp();
        await using var again = await HostProcess.ServeAsync(_folder, eventlog, http, silo);
        Assert.Equal(HttpStatusCode.OK, (await again.PostAsync("/fines/a/payments", new { amount = 1 })).StatusCode);
        Assert.InRange(Stopwatch.GetElapsedTime(started).TotalSeconds, 0, 20);
    }

    [Fact]
    public async Task two_nodes_with_one_connection_string_are_one_cluster_and_one_ends_without_the_other()
    {
        var eventlog = await postgres.CreateDatabaseAsync();
        await using var one = await HostProcess.ServeAsync(_folder, eventlog);
        await using var two = await HostProcess.ServeAsync(_folder, eventlog);
        await one.PostAsync("/fines", Issue("a"));
        Assert.Equal(HttpStatusCode.OK, (await two.PostAsync("/fines/a/payments", new { amount = 35.5 })).StatusCode);
        Assert.True((await one.GetAsync("/fines/a")).GetProperty("settled").GetBoolean());

        Assert.Equal(0, await one.TerminateAsync());
        Assert.Equal(HttpStatusCode.OK, (await two.PostAsync("/fines/a/payments", new { amount = 1 })).StatusCode);
        Assert.Equal(3, (await two.GetAsync("/fines/a")).GetProperty("version").GetInt32());

        var import = await HostProcess.RunToEndAsync(_folder, eventlog, "generate", "200", "--json");
        Assert.True(import.Code == 0, import.Errors);
        Assert.True((await two.GetAsync("/fines/G200")).GetProperty("version").GetInt32() > 0);
    }

    private static object Issue(string id) => new { fineId = id, amount = 35.5, article = 157, points = 0, vehicleClass = "A", officer = "561" };
}
