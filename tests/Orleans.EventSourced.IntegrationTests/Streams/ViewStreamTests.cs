using Microsoft.Extensions.DependencyInjection;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Projections;
using Orleans.EventSourced.Core.Snapshots;
using Orleans.EventSourced.Hosting;
using Orleans.EventSourced.IntegrationTests.Grains;
using Orleans.EventSourced.IntegrationTests.Projections;
using Orleans.EventSourced.Projections;
using Orleans.EventSourced.Queries;
using Orleans.EventSourced.Streams;
using Orleans.Serialization;
using Xunit;

namespace Orleans.EventSourced.IntegrationTests.Streams;

/// <summary>The changes of a view as a stream: whoever keeps the last one of each row has the view, as the query grain answers it.</summary>
public sealed class ViewStreamTests
{
    private const int Counters = 40;
    private static readonly ViewId View = new("standing", 1);
    private readonly InMemoryEventLog _log = new(TimeProvider.System);
    private readonly InMemoryViewStore _views = new(TimeProvider.System);
    private readonly KeptRows _kept = new();

    [Fact]
    public async Task followers_from_the_beginning_get_every_row_and_then_what_changes_or_is_deleted()
    {
        await using var node = await StartAsync();
        await WholeAsync(node, ViewKeeperGrain.Name);
        await AddAsync(node, 1);
        await FollowAsync(node, "late", null);
        await WholeAsync(node, ViewKeeperGrain.Name, "late");

        await AddAsync(node, 2);
        await node.Grains.GetGrain<ICounterGrain>("c7").AddAsync(Standing.Deletes);
        await WholeAsync(node, ViewKeeperGrain.Name, "late");
        Assert.DoesNotContain("c7", _kept.RowsOf("late").Keys);
        await FollowAsync(node, "later", "0-0");
        await WholeAsync(node, "later");
        await node.Grains.GetGrain<ICounterGrain>("c7").AddAsync(3);
        await WholeAsync(node, ViewKeeperGrain.Name, "late", "later");
        Assert.Equal(new Standing(3, ""), _kept.RowsOf("later")["c7"].Row);
        Assert.Equal((0, 0), (_kept.ResetsOf("late"), _kept.ResetsOf("later")));
    }

    [Fact]
    public async Task a_delivery_at_which_a_follower_throws_comes_again_until_it_is_taken_and_others_go_on()
    {
        await using var node = await StartAsync();
        await AddAsync(node, 1);
        await WholeAsync(node, ViewKeeperGrain.Name);
        var tries = 0;
        _kept.Before = (follower, change) =>
        {
            if (follower == "clumsy" && change.Key == "c20" && Interlocked.Increment(ref tries) <= 2)
            {
                throw new InvalidOperationException("Dropped.");
            }
        };
        await FollowAsync(node, "clumsy", null);
        await FollowAsync(node, "steady", null);
        await AddAsync(node, 1);
        await WholeAsync(node, "clumsy", "steady");
        Assert.InRange(tries, 3, int.MaxValue);
        var again = _kept.ChangesOf("clumsy").TakeWhile(c => c.Key != "c20").ToList();
        Assert.Equal(3, again.GroupBy(c => c.Position).Max(g => g.Count()));
        Assert.Equal(_kept.ChangesOf("clumsy").Select(c => c.Position).Distinct().Order(), _kept.ChangesOf("clumsy").Select(c => c.Position).Distinct());
    }

    [Fact]
    public async Task a_follower_that_was_away_goes_on_behind_its_token_and_hears_of_rows_deleted_meanwhile()
    {
        await using var node = await StartAsync();
        await AddAsync(node, 1);
        await FollowAsync(node, "traveller", null);
        for (var i = 0; i < 3; i++)
        {
            await WholeAsync(node, ViewKeeperGrain.Name, "traveller");
            await node.Grains.GetGrain<IFollowerGrain>("traveller").LeaveAsync();
            await node.Grains.GetGrain<IViewKeeperGrain>("standing").LeaveAsync();
            await AddAsync(node, 1);
            await node.Grains.GetGrain<ICounterGrain>($"c{i}").AddAsync(Standing.Deletes);
        }

        await WholeAsync(node, ViewKeeperGrain.Name, "traveller");
        Assert.Equal(Counters - 1, _kept.RowsOf("traveller").Count);
        foreach (var follower in new[] { ViewKeeperGrain.Name, "traveller" })
        {
            var positions = _kept.ChangesOf(follower).Select(c => c.Position).ToList();
            Assert.Equal(positions.Distinct().Order(), positions);
        }
    }

    [Fact]
    public async Task after_a_restart_who_keeps_a_cursor_goes_on_and_one_of_the_feed_is_as_good()
    {
        string since;
        await using (var first = await StartAsync())
        {
            await AddAsync(first, 1);
            await WholeAsync(first, ViewKeeperGrain.Name);
            since = Assert.IsType<ViewAnswer<ViewChanges>>(await first.Grains.GetGrain<IViewQueryGrain>("standing").ListChangesAsync(null, 1)).Value.Next;
        }

        await using var second = await StartAsync();
        await second.Grains.GetGrain<ICounterGrain>("c1").AddAsync(1);
        await FollowAsync(second, "newcomer", since);
        await WholeAsync(second, ViewKeeperGrain.Name);
        await Eventually.Async("the newcomer has what changed", () => Task.FromResult(_kept.ChangesOf("newcomer").Count > 0));
        Assert.Equal(("c1", Counters + 1L), Assert.Single(_kept.ChangesOf("newcomer")) is var c ? (c.Key, c.Position) : default);
        Assert.Equal(Counters + 1, _kept.ChangesOf(ViewKeeperGrain.Name).Count);
    }

    [Fact]
    public async Task when_the_view_is_made_anew_followers_are_told_to_forget_and_get_the_whole_of_the_new_table()
    {
        await using var node = await StartAsync();
        await AddAsync(node, 1);
        await FollowAsync(node, "present", null);
        await FollowAsync(node, "absent", null);
        await WholeAsync(node, ViewKeeperGrain.Name, "present", "absent");
        var older = _kept.CursorOf("absent")!;
        _kept.Pretend("present", "ghost");

        var rebuild = node.Services.GetRequiredService<RebuildControl>();
        Assert.NotNull(await rebuild.BeginAsync(View, "to see who hears of it", null, CancellationToken.None));
        await AddAsync(node, 1);
        Assert.Equal(new SwitchOutcome.Switched(2), await rebuild.SwitchAsync(View, TimeSpan.FromSeconds(20), "it is filled", "ops", CancellationToken.None));
        await AddAsync(node, 1);
        _kept.Pretend("returned", "ghost");
        await FollowAsync(node, "returned", older);
        await WholeAsync(node, ViewKeeperGrain.Name, "present", "absent", "returned");
        foreach (var follower in new[] { ViewKeeperGrain.Name, "present", "absent", "returned" })
        {
            Assert.Equal(1, _kept.ResetsOf(follower));
            Assert.InRange(_kept.ChangesOf(follower).SkipWhile(c => !c.IsReset).Count(), Counters + 1, int.MaxValue);
        }

        Assert.True(_kept.ChangesOf("returned")[0] is { IsReset: true, Cursor: "10002-0", Key: "", Row: null });
    }

    [Fact]
    public async Task a_place_beyond_the_end_of_the_log_is_of_another_history_and_gives_a_reset_and_all_rows()
    {
        await using var node = await StartAsync();
        await AddAsync(node, 1);
        await FollowAsync(node, "displaced", "10001-5000");
        await WholeAsync(node, "displaced");
        Assert.Equal((1, true), (_kept.ResetsOf("displaced"), _kept.ChangesOf("displaced")[0].IsReset));
    }

    [Fact]
    public async Task a_delivery_is_limited_by_rows_and_by_bytes()
    {
        await using var node = await StartAsync();
        await Task.WhenAll(Enumerable.Range(0, 520).Select(i => node.Grains.GetGrain<ICounterGrain>($"c{i}").AddAsync(1)));
        for (var i = 0; i < 5; i++)
        {
            await node.Grains.GetGrain<ICounterGrain>($"large{i}").AddAsync(Standing.Fills);
        }

        await WholeAsync(node, ViewKeeperGrain.Name);
        await FollowAsync(node, "counting", null);
        await WholeAsync(node, "counting");
        Assert.Equal([500, 22, 2, 1], _kept.BatchesOf("counting"));
    }

    [Fact]
    public async Task a_change_is_the_same_on_the_other_side_of_a_wire()
    {
        await using var node = await StartAsync();
        await AddAsync(node, 1);
        await node.Grains.GetGrain<ICounterGrain>("c0").AddAsync(Standing.Deletes);
        await WholeAsync(node, ViewKeeperGrain.Name);
        await FollowAsync(node, "writer", "7-3");
        await WholeAsync(node, "writer");
        var serializer = node.Services.GetRequiredService<Serializer>();
        var sent = _kept.ChangesOf("writer");
        Assert.Equal((Counters + 1, true, true), (sent.Count, sent[0].IsReset, sent[^1].Row is null));
        Assert.Equal(sent, serializer.Deserialize<StreamedViewChange[]>(serializer.SerializeToArray(sent.ToArray())));
    }

    [Fact]
    public async Task rows_that_cannot_go_from_silo_to_silo_are_refused_when_the_silo_starts()
    {
        var refused = await Assert.ThrowsAnyAsync<Exception>(() => StartAsync(silo => silo.AddView(Projection.Of<CounterRow, CounterEvent>())));
        Assert.Contains(typeof(CounterRow).FullName!, Assert.IsType<OrleansConfigurationException>(refused.GetBaseException()).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("0-0")]
    [InlineData("3-4711")]
    [InlineData("2147483647-9223372036854775807")]
    public void a_token_stands_for_a_cursor(string cursor) => Assert.Equal(cursor, ViewStreams.CursorOf(ViewStreams.TokenAfter(cursor)));

    private static Task FollowAsync(TestNode node, string follower, string? since) => node.Grains.GetGrain<IFollowerGrain>(follower).FollowAsync(since);

    private static Task AddAsync(TestNode node, int amount) => Task.WhenAll(Enumerable.Range(0, Counters).Select(i => node.Grains.GetGrain<ICounterGrain>($"c{i}").AddAsync(amount)));

    /// <summary>Waits until the followers have the rows that the query grain answers for all of the log.</summary>
    private async Task WholeAsync(TestNode node, params string[] followers)
    {
        var head = (await node.Log.ReadHeadAsync(CancellationToken.None)).Position.Value;
        var list = await node.Grains.GetGrain<IViewQueryGrain>("standing").ListAsync(new RowQuery { Limit = RowQuery.MaxLimit }, new Consistency.AtLeast(head, TimeSpan.FromSeconds(20)));
        var expected = Assert.IsType<ViewAnswer<ViewRows>>(list).Value.Rows.ToDictionary(r => r.Key, r => (r.Row, r.Position));
        foreach (var follower in followers)
        {
            await Eventually.Async($"{follower} has the {expected.Count} rows", () => Task.FromResult(_kept.RowsOf(follower) is var rows && rows.Count == expected.Count && rows.All(r => r.Value.Equals(expected.GetValueOrDefault(r.Key)))));
        }
    }

    private Task<TestNode> StartAsync(Action<ISiloBuilder>? more = null) => TestNode.StartAsync(
        services =>
        {
            services.AddSingleton<IEventLog>(_ => _log);
            services.AddSingleton<ISnapshotStore>(_ => new InMemorySnapshotStore());
            services.AddSingleton<IViewStore>(_views);
            services.AddSingleton(_kept);
        },
        views: silo =>
        {
            silo.AddMemoryGrainStorage("PubSubStore");
            silo.AddView(Projection.Of<Standing, CounterEvent>(), 2);
            silo.AddViewStreams();
            more?.Invoke(silo);
        });
}
