using Microsoft.Extensions.DependencyInjection;
using Orleans.EventSourced.Commands;
using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.Log;
using Orleans.Runtime.Placement;
using Xunit;

namespace Orleans.EventSourced.IntegrationTests.Grains;

/// <summary>Two silos of one cluster over one log: every grain can go from either to the other.</summary>
public sealed class PairOfNodes(PostgresFixture postgres) : IAsyncLifetime
{
    private readonly List<TestNode> _nodes = [];

    public TestNode First => _nodes[0];

    public TestNode Second => _nodes[1];

    public async ValueTask InitializeAsync()
    {
        var database = await postgres.CreateLogAsync();
        _nodes.Add(await TestNode.StartPostgresAsync(database));
        _nodes.Add(await TestNode.StartPostgresAsync(database, beside: First));
        foreach (var node in _nodes)
        {
            var manifests = node.Services.GetRequiredService<IClusterManifestProvider>();
            await Eventually.Async("each silo knows the other one's grains", () => Task.FromResult(manifests.Current.Silos.Count == 2));
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var node in Enumerable.Reverse(_nodes))
        {
            await node.DisposeAsync();
        }
    }
}

/// <summary>A grain that is moved to another silo takes its state along and reads only what came after; where it cannot, it is read from the log as ever.</summary>
public sealed class MigrationTests(PairOfNodes nodes) : IClassFixture<PairOfNodes>
{
    private const int Events = 500;

    [Theory]
    [InlineData("tally")]
    [InlineData("purse")]
    public async Task a_grain_goes_to_the_other_silo_with_its_state_and_none_of_its_events_is_read_again(string type)
    {
        var id = await ActivateAsync(type);
        var before = Reads();

        await MoveAsync(id);

        Assert.Equal((Events, Events), await Grain(id).GetAsync());
        Assert.Equal((1, 0), Since(before));
        for (var added = 1; added <= 3; added++)
        {
            Assert.Equal(Events + added, await Grain(id).AddAsync(1));
        }

        Assert.Equal((Events + 3, Events + 3), await Grain(id).GetAsync());
        Assert.Equal((1, 0), Since(before));
        await AssertLogAsync(id, Events + 3);
    }

    [Theory]
    [InlineData("tally")]
    [InlineData("purse")]
    public async Task a_grain_goes_back_and_forth_with_what_was_added_on_the_way(string type)
    {
        var id = await ActivateAsync(type);
        var before = Reads();
        for (var round = 1; round <= 4; round++)
        {
            await MoveAsync(id);
            Assert.Equal(Events + round, await Grain(id).AddAsync(1));
        }

        Assert.Equal((Events + 4, Events + 4), await Grain(id).GetAsync());
        Assert.Equal((4, 0), Since(before));
        await AssertLogAsync(id, Events + 4);
    }

    [Theory]
    [InlineData("tally")]
    [InlineData("purse")]
    public async Task what_another_writer_wrote_and_the_grain_had_not_seen_is_read_after_the_move(string type)
    {
        var id = await ActivateAsync(type);
        await AppendBehindItsBackAsync(id, 3);
        Assert.Equal((Events, Events), await Grain(id).GetAsync());
        var before = Reads();

        await MoveAsync(id);

        Assert.Equal((Events + 3, Events + 3), await Grain(id).GetAsync());
        Assert.Equal((1, 3), Since(before));
        Assert.Equal(Events + 4, await Grain(id).AddAsync(1));
        Assert.Equal((1, 3), Since(before));
        await AssertLogAsync(id, Events + 4);
    }

    [Theory]
    [InlineData("tally")]
    [InlineData("purse")]
    public async Task what_is_committed_while_the_state_is_on_its_way_is_read_after_the_move(string type)
    {
        var id = await ActivateAsync(type);
        var before = Reads();
        (await OtherThanAsync(id)).Reads.BeforeNextRead(() => AppendBehindItsBackAsync(id, 3));

        await MoveAsync(id);

        Assert.Equal((Events + 3, Events + 3), await Grain(id).GetAsync());
        Assert.Equal((1, 3), Since(before));
        Assert.Equal(Events + 4, await Grain(id).AddAsync(1));
        await AssertLogAsync(id, Events + 4);
    }

    [Theory]
    [InlineData("tally")]
    [InlineData("purse")]
    public async Task an_event_that_is_still_on_its_way_to_the_log_is_written_once_and_moves_along(string type)
    {
        var id = await ActivateAsync(type);
        var before = Reads();

        await MoveAsync(id, grain => grain.AddAndMoveAsync(7));

        Assert.Equal((Events + 7, Events + 1), await Grain(id).GetAsync());
        Assert.Equal((1, 0), Since(before));
        Assert.Equal(Events + 2, await Grain(id).AddAsync(1));
        await AssertLogAsync(id, Events + 2);
    }

    [Theory]
    [InlineData("plain-tally")]
    [InlineData("plain-purse")]
    [InlineData("foreign-tally")]
    public async Task a_state_that_cannot_be_sent_or_that_another_build_has_folded_is_folded_from_the_log_on_the_other_silo(string type)
    {
        var id = await ActivateAsync(type);
        var before = Reads();

        await MoveAsync(id);

        Assert.Equal((Events, Events), await Grain(id).GetAsync());
        Assert.Equal((1, Events), Since(before));
        Assert.Equal(Events + 1, await Grain(id).AddAsync(1));
        await AssertLogAsync(id, Events + 1);
    }

    [Theory]
    [InlineData("tally")]
    [InlineData("purse")]
    public async Task a_command_repeated_after_the_move_takes_no_second_effect(string type)
    {
        var id = await ActivateAsync(type);
        Assert.Equal(Events + 1, await NamedAddAsync(id));
        await MoveAsync(id);

        Assert.Equal(Events + 1, await NamedAddAsync(id));
        await AssertLogAsync(id, Events + 1);
    }

    private static async Task<int> AddAsync(IMovingGrain grain, string command)
    {
        using (CommandContext.Begin(new CommandContext(CommandId.FromText(command).Value) { IsNamed = true }))
        {
            return await grain.AddAsync(1);
        }
    }

    private Task<int> NamedAddAsync(GrainId id) => AddAsync(Grain(id), $"once {id}");

    private IMovingGrain Grain(GrainId id) => nodes.First.Grains.GetGrain<IMovingGrain>(id);

    /// <summary>A grain of many events, fully read.</summary>
    private async Task<GrainId> ActivateAsync(string type)
    {
        var id = GrainId.Create(type, Path.GetRandomFileName());
        await AppendBehindItsBackAsync(id, Events);
        Assert.Equal((Events, Events), await Grain(id).GetAsync());
        return id;
    }

    private async Task<TestNode> OtherThanAsync(GrainId id) => nodes.First.Silo.SiloAddress.Equals(await Grain(id).WhereAsync()) ? nodes.Second : nodes.First;

    private async Task MoveAsync(GrainId id, Func<IMovingGrain, Task>? how = null)
    {
        var there = (await OtherThanAsync(id)).Silo.SiloAddress;
        RequestContext.Set(IPlacementDirector.PlacementHintKey, there);
        try
        {
            await (how ?? (grain => grain.MoveAsync()))(Grain(id));
        }
        finally
        {
            RequestContext.Remove(IPlacementDirector.PlacementHintKey);
        }

        // The runtime ignores a move to a silo that still has an activation on its way out, so the one left behind must be gone too.
        var management = nodes.First.Grains.GetGrain<IManagementGrain>(0);
        await Eventually.Async(
            $"{id} is on {there} and nowhere else",
            async () => there.Equals(await Grain(id).WhereAsync())
                && (await management.GetDetailedGrainStatistics()).Where(a => a.GrainId == id).Select(a => a.SiloAddress).ToList() is [var only] && only.Equals(there));
    }

    private (long Streams, long Events) Reads() =>
        (nodes.First.Reads.StreamReads + nodes.Second.Reads.StreamReads, nodes.First.Reads.EventsRead + nodes.Second.Reads.EventsRead);

    private (long Streams, long Events) Since((long Streams, long Events) before) => (Reads().Streams - before.Streams, Reads().Events - before.Events);

    private async Task AppendBehindItsBackAsync(GrainId id, int count)
    {
        var stream = new StreamId(id.Type.ToString()!, id.Key.ToString()!);
        var command = CommandId.New(TimeProvider.System);
        var codec = new JsonEventCodec(TestNode.Types);
        var metadata = new EventMetadata(command).ToJson();
        var events = Enumerable.Range(0, count).Select(i => codec.Encode(EventId.Derive(command, stream, i), new Added(1), metadata)).ToList();
        Assert.IsType<AppendOutcome.Appended>(Assert.Single(await nodes.First.Log.AppendAsync([new AppendRequest(stream, ExpectedVersion.Any, events)], CancellationToken.None)));
    }

    private async Task AssertLogAsync(GrainId id, int count)
    {
        var events = await nodes.First.Loader.ReadAsync(new StreamId(id.Type.ToString()!, id.Key.ToString()!), StreamVersion.None);
        Assert.Equal(Enumerable.Range(1, count), events.Select(e => e.Version.Value));
        Assert.Equal(count, events.Select(e => e.Id).Distinct().Count());
    }
}
