using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Orleans.EventSourced.Commands;
using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Projections;
using Orleans.EventSourced.Hosting;
using Orleans.EventSourced.IntegrationTests.Grains;
using Orleans.EventSourced.IntegrationTests.Projections;
using Orleans.EventSourced.Operations;
using Orleans.EventSourced.Projections;
using Orleans.EventSourced.Sqlite;
using Xunit;

namespace Orleans.EventSourced.IntegrationTests.Operations;

/// <summary>What operators do in real silos is in the log.</summary>
public sealed class OperationsTests(PostgresFixture postgres) : IDisposable
{
    private const string Target = "view:counter";
    private static readonly ViewId View = new("counter", 1);
    private static readonly EventTypeMap Types = new EventTypeMap.Builder().AddFamily<CounterEvent>(JsonSerializerOptions.Web).AddOperationEvents().Build();
    private readonly TestFolder _folder = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("sqlite")]
    [InlineData("postgres")]
    public async Task an_event_that_an_operator_skips_is_in_the_record_with_who_and_why_and_where_the_view_stood_once_a_command(string store)
    {
        await using var node = store == "sqlite" ? await StartAsync(Recorded) : await TestNode.StartPostgresAsync(await postgres.CreateLogAsync(), views: Recorded);
        var (control, operations) = (node.Services.GetRequiredService<ProjectionControl>(), node.Services.GetRequiredService<OperationsLog>());
        await AddAsync(node, 1);
        await AddAsync(node, CounterRow.Poison);
        var poison = (await node.Log.ReadHeadAsync(Token)).Position;
        await Eventually.Async("the view stands at the event", async () => (await control.ListAsync()).Single().Status is { State: ProjectionState.Stopped } s && s.FaultAt == poison);
        await Assert.ThrowsAsync<LogRequestRefusedException>(() => control.SkipAsync(View, new LogPosition(poison.Value - 1), "not that one", "olga", Token));
        await Assert.ThrowsAsync<ArgumentException>(() => control.ResumeAsync(View, 0, " ", "olga", Token));
        Assert.Equal(poison, (await node.Log.ReadHeadAsync(Token)).Position);

        await control.ResumeAsync(View, 0, "perhaps it helps", "olga", Token);
        await Eventually.Async("the view stands there again", async () => (await control.ListAsync()).Single().Status is { State: ProjectionState.Stopped } s && s.FaultAt == poison);
        using (CommandContext.Begin(new CommandContext(Guid.Parse("0197a5a8-1111-7000-8000-000000000001")) { IsNamed = true, Correlation = "ticket-7", Actor = "olga" }))
        {
            await control.SkipAsync(View, poison, "nobody has seven", null, Token);
            await control.SkipAsync(View, poison, "nobody has seven", null, Token);
        }

        var page = await operations.ListAsync(Target);
        Assert.Equal([OperationActions.ProjectionSkip, OperationActions.ProjectionResume], page.Operations.Select(o => o.Action));
        Assert.Null(page.Next);
        var skip = page.Operations[0];
        Assert.Equal(("olga", Target, "nobody has seven", "ticket-7"), (skip.Actor, skip.Target, skip.Reason, skip.Correlation));
        Assert.Equal(("olga", "perhaps it helps"), (page.Operations[1].Actor, page.Operations[1].Reason));
        Assert.True(skip.Position > page.Operations[1].Position && skip.At >= page.Operations[1].At && page.Operations[1].Position > poison.Value, $"{skip} behind {page.Operations[1]} behind {poison}");
        var slice = Assert.Single(JsonElement.Parse(skip.Before!).GetProperty("slices").EnumerateArray());
        Assert.Equal(("live", 0, "stopped", poison.Value - 1, poison.Value), (slice.GetProperty("table").GetString(), slice.GetProperty("slice").GetInt32(), slice.GetProperty("state").GetString(), slice.GetProperty("position").GetInt64(), slice.GetProperty("faultAt").GetInt64()));
        Assert.Contains("This is poison.", slice.GetProperty("fault").GetString(), StringComparison.Ordinal);
        Assert.Equal($$"""{"version":1,"skipped":{{poison}}}""", skip.After);

        // What operators did is passed over by a view of other events.
        var head = (await node.Log.ReadHeadAsync(Token)).Position;
        Assert.Equal(skip.Position, head.Value);
        await Eventually.Async("the view is at the log's head", async () => (await control.ListAsync()).Single().Status is { State: ProjectionState.Live, Fault: null } s && s.Position == head);
        Assert.True((await control.CompareAsync(View, Token)) is { IsEqual: true, Rows: 1 });
    }

    [Fact]
    public async Task a_rebuild_is_in_the_record_from_its_beginning_to_the_switch_and_what_changed_nothing_is_not()
    {
        await using var node = await StartAsync(Recorded);
        var (rebuild, operations) = (node.Services.GetRequiredService<RebuildControl>(), node.Services.GetRequiredService<OperationsLog>());
        await AddAsync(node, 1);
        await Eventually.Async("the view is there", async () => (await node.Services.GetRequiredService<ProjectionControl>().CompareAsync(View, Token)) is { IsEqual: true, Rows: 1 });
        Assert.NotNull(await rebuild.BeginAsync(View, "a row looks odd", "olga", Token));
        Assert.Null(await rebuild.BeginAsync(View, "twice", "olga", Token));
        Assert.Equal(new SwitchOutcome.Switched(2), await rebuild.SwitchAsync(View, TimeSpan.FromSeconds(20), "it is equal", "otto", Token));
        Assert.Equal(new SwitchOutcome.NothingBuilt(), await rebuild.SwitchAsync(View, TimeSpan.Zero, "again", "otto", Token));
        Assert.True(await rebuild.RevertAsync(View, "it was better", "olga", Token));
        Assert.True(await rebuild.CancelAsync(View, "it was not", "olga", Token));
        Assert.False(await rebuild.CancelAsync(View, "again", "olga", Token));
        Assert.False(await rebuild.DropRetiredAsync(View, "there is none", "olga", Token));

        var all = (await operations.ListAsync()).Operations;
        Assert.Equal(
            [
                (OperationActions.RebuildCancel, "olga", "it was not", """{"version":1,"live":2,"building":1,"shown":1}""", """{"version":1,"live":2,"shown":1}"""),
                (OperationActions.RebuildRevert, "olga", "it was better", """{"version":1,"live":2,"retired":1,"shown":1}""", """{"version":1,"live":2,"building":1,"shown":1}"""),
                (OperationActions.RebuildSwitch, "otto", "it is equal", """{"version":1,"live":1,"building":2,"shown":1}""", """{"version":1,"live":2,"retired":1,"shown":1}"""),
                (OperationActions.RebuildBegin, "olga", "a row looks odd", """{"version":1,"live":1,"shown":1}""", """{"version":1,"live":1,"building":2,"shown":1}"""),
            ],
            all.Select(o => (o.Action, o.Actor!, o.Reason, o.Before!, o.After!)));

        // Page by page it is the same, and what lies before a position that is none of its own too.
        var (first, rest) = (await operations.ListAsync(Target, limit: 3), await operations.ListAsync(Target, new LogPosition(all[2].Position)));
        Assert.Equal((all[2].Position, 3), (first.Next, first.Operations.Count));
        Assert.Equal(all, [.. first.Operations, .. rest.Operations]);
        Assert.Null(rest.Next);
        Assert.Empty((await operations.ListAsync(before: new LogPosition(all[3].Position))).Operations);
        Assert.Equal(all, (await operations.ListAsync(before: new LogPosition(all[0].Position + 1_000))).Operations);
        Assert.Empty((await operations.ListAsync("view:other")).Operations);
    }

    [Fact]
    public async Task without_its_events_operators_can_do_the_same_and_nothing_is_written()
    {
        await using var node = await StartAsync(Counted);
        var (control, operations) = (node.Services.GetRequiredService<ProjectionControl>(), node.Services.GetRequiredService<OperationsLog>());
        await AddAsync(node, CounterRow.Poison);
        await Eventually.Async("the view stands at the event", async () => (await control.ListAsync()).Single().Status.State == ProjectionState.Stopped);
        await control.SkipAsync(View, new LogPosition(1), "nobody has seven", "olga", Token);
        await Eventually.Async("the view goes on", async () => (await control.ListAsync()).Single().Status is { State: ProjectionState.Live, Position.Value: 1 });
        Assert.Equal(1, (await node.Log.ReadHeadAsync(Token)).Position.Value);
        Assert.False(operations.IsKept);
        Assert.Contains("AddOperationEvents", (await Assert.ThrowsAsync<InvalidOperationException>(() => operations.ListAsync())).Message, StringComparison.Ordinal);
    }

    private static void Counted(ISiloBuilder silo) => silo.AddView(Projection.Of<CounterRow, CounterEvent>());

    private static void Recorded(ISiloBuilder silo)
    {
        silo.Services.Configure<EventSourcingOptions>(o => o.EventTypes = Types);
        silo.Services.Configure<ProjectionOptions>(o => o.Attempts = 1);
        Counted(silo);
    }

    private static Task AddAsync(TestNode node, int amount) => node.Grains.GetGrain<ICounterGrain>("c0").AddAsync(amount);

    private Task<TestNode> StartAsync(Action<ISiloBuilder> views) => TestNode.StartAsync(services => services.AddSqliteEventLog(o => o.Path = _folder.Database), views: views);
}
