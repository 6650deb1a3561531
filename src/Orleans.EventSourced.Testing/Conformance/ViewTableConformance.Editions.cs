using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Projections;
using Xunit;
using StreamId = Orleans.EventSourced.Core.Log.StreamId;

namespace Orleans.EventSourced.Testing.Conformance;

/// <content>Tables that are built beside the live one and take its place.</content>
public abstract partial class ViewTableConformance
{
#pragma warning disable CS1591 // The name of a fact is its documentation.
    [Fact]
    public async Task a_table_is_built_beside_the_live_one_and_seen_by_nobody_until_it_is_switched_to()
    {
        var store = await StoreAsync();
        var (live, built, editions, reader) = (store.Table<Shape>(), store.Table<Shape>(ViewRole.Building), store.Editions<Shape>(), store.Reader<Shape>());
        await live.OpenAsync(Slice.Whole, Token);
        Assert.True(await live.CommitAsync(Shapes(1, 0, 5, ("a", 1)), Token));
        Assert.Null(await built.OpenAsync(Slice.Whole, Token));
        Assert.Equal(new SwitchOutcome.NothingBuilt(), await editions.SwitchAsync(2, Token));

        var begun = (await editions.BeginAsync(1, "the fold was mended", "ops", Token))!;
        Assert.Equal((2, ViewRole.Building, "the fold was mended", "ops"), (begun.Number, begun.Role, begun.Reason, begun.Actor));
        Assert.Null(await editions.BeginAsync(1, "again", null, Token));
        Assert.Equal(new OpenedSlice(2, LogPosition.Start, 0), await built.OpenAsync(Slice.Whole, Token));
        var route = new RouteChange(new StreamId("s/a"), new ViewRoute("a", """{"x":2}"""u8.ToArray()));
        Assert.True(await built.CommitAsync(Shapes(2, 0, 3, ("a", 2), ("b", 2)) with { Routes = [route] }, Token));

        Assert.Equal(new SwitchOutcome.Behind(0, new(3), new(5)), await editions.SwitchAsync(2, Token));
        Assert.Equal((1, 5L), await SeenAsync(reader, "a"));
        Assert.Empty(await live.ReadRoutesAsync(Slice.Whole, [route.Stream], Token));
        Assert.Equal((2, 3L), await SeenAsync(store.Reader<Shape>(ViewRole.Building), "a"));
        Assert.True(await built.CommitAsync(Shapes(2, 3, 5), Token));
        Assert.Equal(new SwitchOutcome.NothingBuilt(), await editions.SwitchAsync(3, Token));
        Assert.Equal(new SwitchOutcome.Switched(2), await editions.SwitchAsync(2, Token));

        Assert.Equal((2, 5L), await SeenAsync(reader, "a"));
        Assert.Equal(["a", "b"], (await reader.QueryAsync(new RowQueryPlan<Shape>(new RowQuery()), Token)).Rows.Select(r => r.Key));
        Assert.Equal(
            [(1, ViewRole.Retired, false), (2, ViewRole.Live, false)],
            (await store.ReadCheckpointsAsync(Token)).Select(c => (c.Edition, c.Role, c.Position != new LogPosition(5))));
        Assert.All(await store.ReadCheckpointsAsync(Token), c => Assert.True(c.IsShown));
        Assert.Equal(
            [(1, ViewRole.Retired, ViewEdition.FirstReason, null), (2, (ViewRole?)ViewRole.Live, "the fold was mended", "ops")],
            (await editions.ListAsync(Token)).Select(e => (e.Number, e.Role, e.Reason, e.Actor)));
        Assert.Equal(new SwitchOutcome.NothingBuilt(), await editions.SwitchAsync(2, Token));
    }

    [Fact]
    public async Task a_runner_that_has_read_from_a_table_writes_nothing_once_another_one_has_its_role()
    {
        var store = await StoreAsync();
        var (live, built, editions) = (store.Table<Shape>(), store.Table<Shape>(ViewRole.Building), store.Editions<Shape>());
        await live.OpenAsync(Slice.Whole, Token);
        Assert.True(await live.CommitAsync(Shapes(1, 0, 5, ("a", 1)), Token));
        await editions.BeginAsync(1, "why", null, Token);
        await built.OpenAsync(Slice.Whole, Token);
        Assert.True(await built.CommitAsync(Shapes(2, 0, 5, ("a", 2)), Token));
        await editions.SwitchAsync(2, Token);

        // Both tables are at 5: nothing but the edition tells them apart.
        Assert.False(await live.CommitAsync(Shapes(1, 5, 6, ("a", 10)), Token));
        Assert.False(await built.CommitAsync(Shapes(2, 5, 6, ("a", 10)), Token));
        Assert.Null(await built.OpenAsync(Slice.Whole, Token));
        Assert.Equal(new OpenedSlice(2, new(5), 0), await live.OpenAsync(Slice.Whole, Token));
        Assert.Equal(2, (await live.ReadRowsAsync(["a"], Token))["a"].Number);
        Assert.True(await live.CommitAsync(Shapes(2, 5, 6, ("a", 3)), Token));
        Assert.Equal((3, 6L), await SeenAsync(store.Reader<Shape>(), "a"));
    }

    [Fact]
    public async Task what_is_built_can_be_given_up_and_its_number_is_not_used_again()
    {
        var store = await StoreAsync();
        var (live, built, editions) = (store.Table<Shape>(), store.Table<Shape>(ViewRole.Building), store.Editions<Shape>());
        await live.OpenAsync(Slice.Whole, Token);
        Assert.False(await editions.CancelAsync(Token));
        await editions.BeginAsync(1, "first", null, Token);
        await built.OpenAsync(Slice.Whole, Token);
        Assert.True(await built.CommitAsync(Shapes(2, 0, 1, ("a", 1)), Token));
        Assert.True(await editions.CancelAsync(Token));
        Assert.False(await editions.CancelAsync(Token));
        Assert.False(await built.CommitAsync(Shapes(2, 1, 2, ("a", 1)), Token));
        Assert.Null(await built.OpenAsync(Slice.Whole, Token));
        Assert.Equal(3, (await editions.BeginAsync(1, "second", null, Token))!.Number);
        Assert.Equal(new OpenedSlice(3, LogPosition.Start, 0), await built.OpenAsync(Slice.Whole, Token));
        Assert.Empty(await built.ReadRowsAsync(["a"], Token));
        Assert.Equal([ViewRole.Live, null, ViewRole.Building], (await editions.ListAsync(Token)).Select(e => e.Role));
    }

    [Fact]
    public async Task the_retired_table_can_be_built_on_and_switched_back_to()
    {
        var store = await StoreAsync();
        var (live, built, editions, reader) = (store.Table<Shape>(), store.Table<Shape>(ViewRole.Building), store.Editions<Shape>(), store.Reader<Shape>());
        await live.OpenAsync(Slice.Whole, Token);
        Assert.False(await editions.RevertAsync(Token));
        Assert.False(await editions.DropRetiredAsync(Token));
        Assert.True(await live.CommitAsync(Shapes(1, 0, 5, ("a", 1)), Token));
        await editions.BeginAsync(1, "why", null, Token);
        await built.OpenAsync(Slice.Whole, Token);
        Assert.True(await built.CommitAsync(Shapes(2, 0, 5, ("a", 2)), Token));
        await editions.SwitchAsync(2, Token);
        await live.OpenAsync(Slice.Whole, Token);
        Assert.True(await live.CommitAsync(Shapes(2, 5, 7, ("a", 4)), Token));

        Assert.True(await editions.RevertAsync(Token));
        Assert.Equal(new SwitchOutcome.Behind(0, new(5), new(7)), await editions.SwitchAsync(1, Token));
        Assert.Equal(new OpenedSlice(1, new(5), 0), await built.OpenAsync(Slice.Whole, Token));
        Assert.Equal(1, (await built.ReadRowsAsync(["a"], Token))["a"].Number);
        Assert.True(await built.CommitAsync(Shapes(1, 5, 8, ("a", 3)), Token));
        Assert.Equal(new SwitchOutcome.Switched(1), await editions.SwitchAsync(1, Token));
        Assert.Equal((3, 8L), await SeenAsync(reader, "a"));

        Assert.True(await editions.DropRetiredAsync(Token));
        Assert.False(await editions.DropRetiredAsync(Token));
        Assert.Equal((3, 8L), await SeenAsync(reader, "a"));
        Assert.Equal(1, Assert.Single(await store.ReadCheckpointsAsync(Token)).Edition);
    }

    [Fact]
    public async Task the_next_table_that_is_begun_drops_the_retired_one_and_readers_follow_from_one_to_the_next()
    {
        var store = await StoreAsync();
        var (live, built, editions, reader) = (store.Table<Shape>(), store.Table<Shape>(ViewRole.Building), store.Editions<Shape>(), store.Reader<Shape>());
        await live.OpenAsync(Slice.Whole, Token);
        Assert.True(await live.CommitAsync(Shapes(1, 0, 1, ("a", 1)), Token));
        Assert.Equal((1, 1L), await SeenAsync(reader, "a"));
        for (var edition = 2; edition <= 4; edition++)
        {
            await editions.BeginAsync(1, "why", null, Token);
            await built.OpenAsync(Slice.Whole, Token);
            Assert.True(await built.CommitAsync(Shapes(edition, 0, edition, ("a", edition)), Token));
            await built.IndexAsync(Token);
            Assert.Equal(new SwitchOutcome.Switched(edition), await editions.SwitchAsync(edition, Token));
        }

        // The reader has last seen the first table, which is gone.
        Assert.Equal((4, 4L), await SeenAsync(reader, "a"));
        Assert.Equal([null, null, ViewRole.Retired, ViewRole.Live], (await editions.ListAsync(Token)).Select(e => e.Role));
        await Assert.ThrowsAnyAsync<ArgumentException>(() => editions.BeginAsync(1, " ", null, Token));
        await Assert.ThrowsAnyAsync<ArgumentException>(() => editions.BeginAsync(1, "why", new string('x', ViewEdition.MaxText + 1), Token));
        await Assert.ThrowsAsync<LogRequestRefusedException>(() => store.Editions<SecondShape>().BeginAsync(1, "there is no live one", null, Token));
        Assert.True(await store.DropAsync(new ViewId("shape", 1), Token));
        Assert.Empty(await store.ReadCheckpointsAsync(Token));
    }

    [Fact]
    public async Task a_table_of_slices_is_switched_to_when_each_of_them_is_as_far()
    {
        var store = await StoreAsync();
        var (live, built, editions) = (store.Table<Shape>(), store.Table<Shape>(ViewRole.Building), store.Editions<Shape>());
        var slices = Enumerable.Range(0, 3).Select(i => new Slice(i, 3)).ToList();
        foreach (var slice in slices.Take(2))
        {
            await live.OpenAsync(slice, Token);
        }

        Assert.True(await live.CommitAsync(new ViewCommit<Shape>(slices[1], 1, new(0), new(4), [], []), Token));
        await Assert.ThrowsAsync<LogRequestRefusedException>(() => editions.BeginAsync(2, "another number", null, Token));
        await editions.BeginAsync(3, "why", null, Token);
        Assert.Equal(new SwitchOutcome.Behind(1, new(0), new(4)), await editions.SwitchAsync(2, Token));
        Assert.Equal(new OpenedSlice(2, new(0), 0), await built.OpenAsync(slices[1], Token));
        Assert.True(await built.CommitAsync(new ViewCommit<Shape>(slices[1], 2, new(0), new(4), [], []), Token));

        // One that nobody had opened is there all the same.
        Assert.Equal(new SwitchOutcome.Switched(2), await editions.SwitchAsync(2, Token));
        Assert.Equal([new(2, new(0), 0), new(2, new(4), 0), new(2, new(0), 0)], await Task.WhenAll(slices.Select(s => live.OpenAsync(s, Token))));
    }

    [Fact]
    public async Task the_plain_name_can_be_given_to_another_version_and_back()
    {
        var store = await StoreAsync();
        await Assert.ThrowsAsync<LogRequestRefusedException>(() => store.Editions<Shape>().ShowAsync(Token));
        await store.Table<Shape>().OpenAsync(Slice.Whole, Token);
        await store.Table<SecondShape>().OpenAsync(Slice.Whole, Token);
        Assert.False(await store.Editions<Shape>().ShowAsync(Token));
        Assert.True(await store.Editions<SecondShape>().ShowAsync(Token));
        Assert.Equal([(1, false), (2, true)], (await store.ReadCheckpointsAsync(Token)).Select(c => (c.View.Version, c.IsShown)));
        Assert.True(await store.DropAsync(new ViewId("shape", 1), Token));
        await store.Table<Shape>().OpenAsync(Slice.Whole, Token);
        Assert.True(await store.Editions<Shape>().ShowAsync(Token));
        Assert.Equal([(1, 2, true), (2, 1, false)], (await store.ReadCheckpointsAsync(Token)).Select(c => (c.View.Version, c.Edition, c.IsShown)));
    }

    [Fact]
    public async Task begins_switches_and_commits_at_once_leave_one_live_table_whose_rows_are_as_far_as_its_checkpoint()
    {
        var store = await StoreAsync();
        var editions = store.Editions<Shape>();
        await store.Table<Shape>().OpenAsync(Slice.Whole, Token);
        var runners = Enumerable.Range(0, 4).Select(i => Task.Run(() => FollowAsync(store.Table<Shape>(i % 2 == 0 ? ViewRole.Live : ViewRole.Building), 40), Token)).ToList();
        var switched = 0;
        while (runners.Exists(r => !r.IsCompleted))
        {
            await editions.BeginAsync(1, "why", null, Token);
            switched += await SwitchAsync() is SwitchOutcome.Switched ? 1 : 0;
        }

        await Task.WhenAll(runners);
        await editions.BeginAsync(1, "the last one, if there was none", null, Token);
        await FollowAsync(store.Table<Shape>(ViewRole.Building), 41);
        switched += await SwitchAsync() is SwitchOutcome.Switched ? 1 : 0;
        Assert.InRange(switched, 1, int.MaxValue);
        var live = Assert.Single(await store.ReadCheckpointsAsync(Token), c => c.Role == ViewRole.Live);
        var read = await store.Reader<Shape>().ReadAsync("n", Slice.Whole, Token);
        Assert.Equal((live.Position.Value, live.Position.Value), (read.Reflects.Value, (long)(read.Row?.Row.Number ?? 0)));
        Assert.InRange(live.Position.Value, 40, 41);

        async Task<SwitchOutcome> SwitchAsync() => await editions.SwitchAsync((await editions.ListAsync(Token)).First(e => e.Role == ViewRole.Building).Number, Token);
    }

    /// <summary>A runner that counts the events of a log in a row, one a step, up to a number at least.</summary>
    private static async Task FollowAsync(IViewTable<Shape> table, int wanted)
    {
        for (var tries = 0; tries < 20_000; tries++)
        {
            try
            {
                if (await table.OpenAsync(Slice.Whole, Token) is not { } opened)
                {
                    continue;
                }

                if (opened.Position.Value >= wanted)
                {
                    return;
                }

                var before = (await table.ReadRowsAsync(["n"], Token)).GetValueOrDefault("n")?.Number ?? 0;
                await table.CommitAsync(Shapes(opened.Edition, opened.Position.Value, opened.Position.Value + 1, ("n", before + 1)), Token);
            }
            catch (LogException e) when (e is LogUnavailableException or LogMisconfiguredException)
            {
                // The table was given up between two statements.
            }
        }
    }

    private static ViewCommit<Shape> Shapes(int edition, long from, long to, params (string Key, int Number)[] rows) =>
        new(Slice.Whole, edition, new(from), new(to), [.. rows.Select(r => new RowChange<Shape>(r.Key, new Shape(r.Number, 1, ""), new(to)))], []);

    private static async Task<(int Number, long Reflects)> SeenAsync(IViewReader<Shape> reader, string key) =>
        await reader.ReadAsync(key, Slice.Whole, Token) is var (row, reflects) ? (row!.Row.Number, reflects.Value) : default;
}
