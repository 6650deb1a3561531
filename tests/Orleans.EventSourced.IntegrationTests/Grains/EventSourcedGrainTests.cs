using System.Text;
using Microsoft.Extensions.DependencyInjection;
using Orleans.EventSourced.Commands;
using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Snapshots;
using Orleans.EventSourced.Grains;
using Xunit;

namespace Orleans.EventSourced.IntegrationTests.Grains;

/// <summary>Commands: what they answer, and that a repeated one gets its first answer.</summary>
public sealed class EventSourcedGrainTests : IAsyncLifetime
{
    private readonly TestFolder _folder = new();
    private TestNode _node = null!;

    public async ValueTask InitializeAsync() => _node = await TestNode.StartAsync(_folder.Database);

    public async ValueTask DisposeAsync()
    {
        await _node.DisposeAsync();
        _folder.Dispose();
    }

    [Fact]
    public async Task an_accepted_command_answers_version_position_and_events()
    {
        await Counter("other").AddAsync(1);
        var accepted = Assert.IsType<Accepted<CounterEvent>>(await Counter("a").AddAsync(25));
        Assert.Equal((3, 4L, false), (accepted.Version, accepted.Position, accepted.IsRepeated));
        Assert.Equal([new Added(10), new Added(10), new Added(5)], accepted.Events);
    }

    [Fact]
    public async Task a_command_without_effect_answers_where_the_stream_stands()
    {
        await Counter("a").AddAsync(25);
        await Counter("b").AddAsync(1);
        var accepted = Assert.IsType<Accepted<CounterEvent>>(await Counter("a").AddAsync(0));
        Assert.Equal((3, 3L), (accepted.Version, accepted.Position));
        Assert.Empty(accepted.Events);
    }

    [Fact]
    public async Task a_refused_command_answers_code_and_reason_and_writes_nothing()
    {
        var rejected = Assert.IsType<Rejected<CounterEvent>>(await Counter("a").AddAsync(IntegrationTests.Grains.Counter.Limit + 1));
        Assert.Equal("limit", rejected.Code);
        Assert.Equal(LogPosition.Start, (await _node.Log.ReadHeadAsync(CancellationToken.None)).Position);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(25)]
    public async Task a_repeated_command_gets_its_first_answer_after_others_changed_the_state(int amount)
    {
        var first = Assert.IsType<Accepted<CounterEvent>>(await NamedAsync("a", amount, "key"));
        await Counter("a").AddAsync(IntegrationTests.Grains.Counter.Limit - amount);
        Assert.IsType<Rejected<CounterEvent>>(await Counter("a").AddAsync(amount));

        var again = Assert.IsType<Accepted<CounterEvent>>(await NamedAsync("a", amount, "key"));
        Assert.Equal((first.Version, first.Position, true), (again.Version, again.Position, again.IsRepeated));
        Assert.Equal(first.Events, again.Events);

        await Counter("a").LeaveAsync();
        var cold = Assert.IsType<Accepted<CounterEvent>>(await NamedAsync("a", amount, "key"));
        Assert.Equal((first.Version, first.Position, true), (cold.Version, cold.Position, cold.IsRepeated));
        Assert.Equal(first.Events, cold.Events);
    }

    [Fact]
    public async Task a_repeated_command_of_many_large_events_gets_its_whole_first_answer()
    {
        var context = new CommandContext(CommandId.FromText("large").Value) { IsNamed = true, Reason = new string('r', 10_000) };
        for (var i = 0; i < 2; i++)
        {
            using (CommandContext.Begin(context))
            {
                var accepted = Assert.IsType<Accepted<CounterEvent>>(await Counter("a").AddAsync(IntegrationTests.Grains.Counter.Limit));
                Assert.Equal((500, 500, i == 1), (accepted.Version, accepted.Events.Count, accepted.IsRepeated));
            }

            await Counter("a").LeaveAsync();
        }
    }

    [Fact]
    public async Task a_command_id_used_again_with_another_content_is_refused()
    {
        await NamedAsync("a", 1, "key", hash: "one");
        Assert.IsType<IdReused<CounterEvent>>(await NamedAsync("a", 2, "key", hash: "two"));
        await Counter("a").LeaveAsync();
        Assert.IsType<IdReused<CounterEvent>>(await NamedAsync("a", 2, "key", hash: "two"));
        Assert.Equal(1, (await Counter("a").GetAsync()).Total);
    }

    [Fact]
    public async Task an_expected_version_that_is_not_there_is_answered_with_the_actual_one()
    {
        await Counter("a").AddAsync(1);
        using (CommandContext.Begin(new CommandContext(CommandId.New(TimeProvider.System).Value) { ExpectedVersion = 5 }))
        {
            Assert.Equal(new VersionMismatch<CounterEvent>(1), await Counter("a").AddAsync(1));
        }

        using (CommandContext.Begin(new CommandContext(CommandId.New(TimeProvider.System).Value) { ExpectedVersion = 1 }))
        {
            Assert.IsType<Accepted<CounterEvent>>(await Counter("a").AddAsync(1));
        }
    }

    [Fact]
    public async Task a_cold_activation_of_1000_events_reads_the_stream_once()
    {
        await AppendAsync("long", 1_000);
        var (reads, events) = (_node.Reads.StreamReads, _node.Reads.EventsRead);
        Assert.Equal((1_000, 1_000), ((await Counter("long").GetAsync()).Total, (await Counter("long").GetAsync()).Version));
        Assert.Equal((1, 1_000), (_node.Reads.StreamReads - reads, _node.Reads.EventsRead - events));
    }

    [Fact]
    public async Task with_a_snapshot_a_cold_activation_reads_snapshot_and_tail()
    {
        await AppendAsync("long", 1_000);
        await Counter("long").GetAsync();
        await Counter("long").LeaveAsync();
        await Eventually.Async("a snapshot at version 1000", async () => (await SnapshotAsync("long"))?.Version == new StreamVersion(1_000));
        await AppendAsync("long", 7);

        var (reads, events) = (_node.Reads.StreamReads, _node.Reads.EventsRead);
        var (total, version, position) = await Counter("long").GetAsync();
        Assert.Equal((1_007, 1_007, 1_007L), (total, version, position));

        // The seven, and the snapshot's own, which shows that the snapshot is of this log.
        Assert.Equal((1, 8), (_node.Reads.StreamReads - reads, _node.Reads.EventsRead - events));
    }

    [Fact]
    public async Task snapshots_are_taken_every_so_many_events_while_the_grain_works()
    {
        for (var i = 0; i < 250; i++)
        {
            await Counter("busy").AddAsync(1);
        }

        await Eventually.Async("a snapshot at version 200", async () => (await SnapshotAsync("busy"))?.Version == new StreamVersion(200));
    }

    [Fact]
    public async Task a_snapshot_of_another_fold_is_not_read()
    {
        await AppendAsync("a", 3);
        await WriteSnapshotAsync("a", version: 2, foldVersion: 99, "{\"total\":77}");
        Assert.Equal(3, (await Counter("a").GetAsync()).Total);
    }

    [Fact]
    public async Task a_snapshot_that_does_not_fit_the_state_is_passed_over()
    {
        await AppendAsync("a", 3);
        await WriteSnapshotAsync("a", version: 2, foldVersion: 1, "{\"total\":\"many\"}");
        Assert.Equal(3, (await Counter("a").GetAsync()).Total);
    }

    [Fact]
    public async Task interleaved_commands_are_each_decided_on_what_the_others_did()
    {
        var answers = await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => Counter("a").AddAtOnceAsync(IntegrationTests.Grains.Counter.Limit / 10)));
        Assert.Equal((10, 10), (answers.Count(a => a is Accepted<CounterEvent>), answers.Count(a => a is Rejected<CounterEvent>)));
        Assert.Equal(IntegrationTests.Grains.Counter.Limit, (await Counter("a").GetAsync()).Total);
    }

    [Fact]
    public async Task a_command_is_decided_on_the_events_raised_before_it_in_the_same_call()
    {
        Assert.IsType<Rejected<CounterEvent>>(await Counter("a").RaiseAndAddAsync(1, IntegrationTests.Grains.Counter.Limit));
        Assert.Equal(1, (await Counter("a").GetAsync()).Total);
    }

    [Fact]
    public async Task an_event_raised_after_a_command_that_was_sent_before_is_not_taken_for_the_commands()
    {
        var context = new CommandContext(CommandId.FromText("both").Value) { IsNamed = true };
        foreach (var raised in (int[])[0, 5, 5])
        {
            // The first time the call ends before it raises its event.
            using (CommandContext.Begin(context))
            {
                await Counter("a").AddAndRaiseAsync(7, raised);
            }
        }

        Assert.Equal((12, 2), ((await Counter("a").GetAsync()).Total, (await Counter("a").GetAsync()).Version));
    }

    [Fact]
    public async Task two_commands_decided_in_one_call_have_first_answers_of_their_own()
    {
        for (var i = 0; i < 2; i++)
        {
            using (CommandContext.Begin(new CommandContext(CommandId.FromText("both").Value) { IsNamed = true }))
            {
                Assert.Equal((1, 2), await Counter("a").AddTwiceAsync(3, 4));
            }

            await Counter("a").LeaveAsync();
        }

        Assert.Equal((7, 2), ((await Counter("a").GetAsync()).Total, (await Counter("a").GetAsync()).Version));
    }

    [Theory]
    [InlineData(100, false)]
    [InlineData(10_000, true)]
    public async Task a_grain_keeps_its_last_events_in_memory_up_to_a_number_of_bytes(int reasonBytes, bool isAsked)
    {
        await NamedAsync("a", 1, "key");
        for (var i = 0; i < 10; i++)
        {
            using (CommandContext.Begin(new CommandContext(CommandId.New(TimeProvider.System).Value) { Reason = new string('r', reasonBytes) }))
            {
                await Counter("a").AddAsync(1);
            }
        }

        var asked = false;
        _node.Reads.BeforeNextAppend(() => Task.FromResult(asked = true));
        Assert.True(Assert.IsType<Accepted<CounterEvent>>(await NamedAsync("a", 1, "key")).IsRepeated);
        Assert.Equal(isAsked, asked);
    }

    private ICounterGrain Counter(string key) => _node.Grains.GetGrain<ICounterGrain>(key);

    private async Task<Snapshot?> SnapshotAsync(string key)
    {
        var log = await _node.Log.ReadHeadAsync(CancellationToken.None);
        return await _node.Services.GetRequiredService<ISnapshotStore>().ReadLatestAsync(log.LogId, new StreamId("counter", key), 1, null, CancellationToken.None);
    }

    private async Task WriteSnapshotAsync(string key, int version, int foldVersion, string state)
    {
        var log = await _node.Log.ReadHeadAsync(CancellationToken.None);
        var e = (await _node.Loader.ReadAsync(new StreamId("counter", key), StreamVersion.None))[version - 1];
        var snapshot = new Snapshot(log.LogId, e.Stream, e.Version, e.Position, e.Id, foldVersion, Encoding.UTF8.GetBytes(state));
        await _node.Services.GetRequiredService<ISnapshotStore>().WriteAsync(snapshot, CancellationToken.None);
    }

    private async Task<CommandResult<CounterEvent>> NamedAsync(string grain, int amount, string key, string? hash = null)
    {
        using (CommandContext.Begin(new CommandContext(CommandId.FromText(key).Value) { IsNamed = true, RequestHash = hash }))
        {
            return await Counter(grain).AddAsync(amount);
        }
    }

    private async Task AppendAsync(string key, int count)
    {
        var stream = new StreamId("counter", key);
        var command = CommandId.New(TimeProvider.System);
        var codec = new JsonEventCodec(TestNode.Types);
        var metadata = new EventMetadata(command).ToJson();
        var events = Enumerable.Range(0, count).Select(i => codec.Encode(EventId.Derive(command, stream, i), new Added(1), metadata)).ToList();
        Assert.IsType<AppendOutcome.Appended>(Assert.Single(await _node.Log.AppendAsync([new AppendRequest(stream, ExpectedVersion.Any, events)], CancellationToken.None)));
    }
}
