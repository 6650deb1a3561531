using System.Text;
using Microsoft.Extensions.DependencyInjection;
using Orleans.EventSourced.Commands;
using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Projections;
using Orleans.EventSourced.Hosting;
using Orleans.EventSourced.IntegrationTests.Grains;
using Orleans.EventSourced.IntegrationTests.Projections;
using Orleans.EventSourced.Projections;
using Orleans.EventSourced.Sqlite;
using Orleans.EventSourced.Tracing;
using Xunit;
using EventId = Orleans.EventSourced.Core.Events.EventId;

namespace Orleans.EventSourced.IntegrationTests.Tracing;

/// <summary>The view of traces in real silos, over both databases.</summary>
public sealed class TraceViewTests(PostgresFixture postgres) : IDisposable
{
    private const string Strange = "from-the-future";
    private static readonly ViewId View = new("es_trace", 1);
    private readonly TestFolder _folder = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("sqlite")]
    [InlineData("postgres")]
    public async Task an_event_of_a_type_that_nobody_knows_stops_other_views_and_not_this_one_and_a_rebuild_gives_the_same(string store)
    {
        await using var node = store == "sqlite"
            ? await TestNode.StartAsync(services => services.AddSqliteEventLog(o => o.Path = _folder.Database), views: Views)
            : await TestNode.StartPostgresAsync(await postgres.CreateLogAsync(), views: Views);
        var (control, rebuild, traces) = (node.Services.GetRequiredService<ProjectionControl>(), node.Services.GetRequiredService<RebuildControl>(), node.Services.GetRequiredService<Traces>());
        await AddAsync(node, "c1", "before");
        var strange = await StrangeAsync(node);
        await AddAsync(node, "c2", Strange);
        var head = (await node.Log.ReadHeadAsync(Token)).Position;
        await Eventually.Async("the traces follow", async () => (await control.ListAsync()).Where(s => s.Status.View == View).All(s => s.Status.Position == head), seconds: 40);
        Assert.All((await control.ListAsync()).Where(s => s.Status.View != View), s => Assert.InRange(s.Status.Position.Value, 0, 1));

        var (trace, reflects) = await traces.FindAsync(strange.ToString(), Token);
        Assert.Equal((head.Value, Strange, 4), (reflects, trace!.Correlation, trace.Nodes.Count));
        Assert.Equal("counter/odd", Assert.IsType<TraceNode.Event>(trace.Nodes.Single(n => n.Id == strange.ToString())).Stream);
        Assert.True((await control.CompareAsync(View, Token)) is { IsEqual: true, Rows: 3 });

        await rebuild.BeginAsync(View, "to see it", "ops", Token);
        Assert.IsType<SwitchOutcome.Switched>(await rebuild.SwitchAsync(View, TimeSpan.FromSeconds(30), "it is filled", "ops", Token));
        await AddAsync(node, "c3", Strange);
        await Eventually.Async("the traces go on", async () => (await traces.FindAsync(Strange, Token)).Trace is { Nodes.Count: 6 });
        Assert.True((await control.CompareAsync(View, Token)) is { IsEqual: true, Rows: 4 });
        Assert.True(await rebuild.DropRetiredAsync(View, "a test", null, Token));
    }

    private static void Views(ISiloBuilder silo) => silo.AddTrace(slices: 2).AddView(Projection.Of<CounterRow, CounterEvent>());

    private static async Task AddAsync(TestNode node, string counter, string workflow)
    {
        using (CommandContext.Begin(new CommandContext(CommandId.New(TimeProvider.System).Value) { Correlation = workflow, Actor = "anna" }))
        {
            await node.Grains.GetGrain<ICounterGrain>(counter).AddAsync(1);
        }
    }

    private static async Task<EventId> StrangeAsync(TestNode node)
    {
        var (stream, command) = (new StreamId("counter", "odd"), CommandId.New(TimeProvider.System));
        var id = EventId.Derive(command, stream, 0);
        await node.Log.AppendAsync(
            [new AppendRequest(stream, ExpectedVersion.NoStream, [new NewEvent(id, Strange, 1, Encoding.UTF8.GetBytes("{\"flux\":1.21}"), new EventMetadata(command, Strange).ToJson())])], CancellationToken.None);
        return id;
    }
}
