using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Projections;
using Xunit;

namespace Orleans.EventSourced.Testing.Conformance;

/// <content>Rows that stand still at an event that their fold refuses.</content>
public abstract partial class ViewTableConformance
{
#pragma warning disable CS1591 // The name of a fact is its documentation.
    [Fact]
    public async Task what_waits_for_a_parked_row_is_kept_with_the_commit_and_no_answer_claims_that_it_is_folded()
    {
        var store = await StoreAsync();
        var (table, reader) = (store.Table<Shape>(), store.Reader<Shape>());
        var (slice, other) = (Slice.Of("a", 2), new Slice(1 - Slice.Of("a", 2).Index, 2));
        await table.OpenAsync(slice, Token);
        await table.OpenAsync(other, Token);
        ParkedEvent[] parked = [new("a", new(3), "refused"), new("a", new(5), null), new("not there", new(7), "refused too")];
        Assert.True(await table.CommitAsync(new ViewCommit<Shape>(slice, 1, new(0), new(9), [new("a", new(1, 1, ""), new(2))], []) { Parked = parked }, Token));
        Assert.True(await table.CommitAsync(new ViewCommit<Shape>(other, 1, new(0), new(9), [], []), Token));

        Assert.Equal(parked, await table.ReadParkedAsync(slice, Token));
        Assert.Empty(await table.ReadParkedAsync(other, Token));
        Assert.Equal(2, (await reader.ReadAsync("a", slice, Token)).Reflects.Value);
        Assert.Equal(6, (await reader.ReadAsync("not there", slice, Token)).Reflects.Value);
        Assert.Equal(9, (await reader.ReadAsync("b", slice, Token)).Reflects.Value);
        Assert.Equal(2, (await reader.QueryAsync(new RowQueryPlan<Shape>(new RowQuery()), Token)).Reflects.Value);

        // The checkpoint stays where it is; the row takes one of the two events.
        ParkedEvent still = new("a", new(5), "refused by now");
        Assert.True(await table.CommitAsync(new ViewCommit<Shape>(slice, 1, new(9), new(9), [new("a", new(2, 1, ""), new(3))], []) { Unparked = ["a"], Parked = [still] }, Token));
        Assert.Equal([still, parked[2]], await table.ReadParkedAsync(slice, Token));
        Assert.Equal(4, (await reader.ReadAsync("a", slice, Token)).Reflects.Value);
        Assert.True(await table.CommitAsync(new ViewCommit<Shape>(slice, 1, new(9), new(9), [], []) { Retries = 1, Unparked = ["a", "not there"] }, Token));
        Assert.Empty(await table.ReadParkedAsync(slice, Token));
        Assert.Equal(9, (await reader.QueryAsync(new RowQueryPlan<Shape>(new RowQuery()), Token)).Reflects.Value);
    }

    [Fact]
    public async Task a_commit_that_comes_too_late_parks_nothing()
    {
        var table = (await StoreAsync()).Table<Shape>();
        await table.OpenAsync(Slice.Whole, Token);
        Assert.True(await table.CommitAsync(new ViewCommit<Shape>(Slice.Whole, 1, new(0), new(4), [], []) { Parked = [new("a", new(3), "refused")] }, Token));
        Assert.False(await table.CommitAsync(new ViewCommit<Shape>(Slice.Whole, 1, new(0), new(5), [], []) { Parked = [new("b", new(5), "refused")], Unparked = ["a"] }, Token));
        Assert.Equal([new("a", new(3), "refused")], await table.ReadParkedAsync(Slice.Whole, Token));
    }

    [Fact]
    public async Task a_row_that_was_taken_up_lets_no_commit_pass_that_does_not_know_of_it()
    {
        var table = (await StoreAsync()).Table<Shape>();
        await table.OpenAsync(Slice.Whole, Token);
        Assert.True(await table.CommitAsync(new ViewCommit<Shape>(Slice.Whole, 1, new(0), new(4), [], []) { Parked = [new("a", new(3), "refused")] }, Token));
        var again = new ViewCommit<Shape>(Slice.Whole, 1, new(4), new(4), [new("a", new(1, 1, ""), new(3))], []) { Unparked = ["a"] };
        Assert.True(await table.CommitAsync(again, Token));
        Assert.Equal(new OpenedSlice(1, new(4), 1), await table.OpenAsync(Slice.Whole, Token));

        // The checkpoint is where both left it.
        Assert.False(await table.CommitAsync(again with { Rows = [new("a", new(2, 1, ""), new(3))] }, Token));
        Assert.False(await table.CommitAsync(new ViewCommit<Shape>(Slice.Whole, 1, new(4), new(5), [], []) { Parked = [new("a", new(5), null)] }, Token));
        Assert.Equal(new Shape(1, 1, ""), (await table.ReadRowsAsync(["a"], Token))["a"]);
        Assert.Empty(await table.ReadParkedAsync(Slice.Whole, Token));
        Assert.True(await table.CommitAsync(new ViewCommit<Shape>(Slice.Whole, 1, new(4), new(5), [], []) { Retries = 1 }, Token));
    }

    [Fact]
    public async Task no_table_with_parked_rows_becomes_the_live_one()
    {
        var store = await StoreAsync();
        var (live, built, editions) = (store.Table<Shape>(), store.Table<Shape>(ViewRole.Building), store.Editions<Shape>());
        await live.OpenAsync(Slice.Whole, Token);
        Assert.True(await live.CommitAsync(new ViewCommit<Shape>(Slice.Whole, 1, new(0), new(4), [new("b", new(1, 1, ""), new(4))], []), Token));
        Assert.NotNull(await editions.BeginAsync(1, "the fold was mended", null, Token));
        await built.OpenAsync(Slice.Whole, Token);
        Assert.True(await built.CommitAsync(new ViewCommit<Shape>(Slice.Whole, 2, new(0), new(4), [], []) { Parked = [new("b", new(2), "refused"), new("b", new(4), null), new("c", new(3), "refused")] }, Token));

        // Who was told of position 4 by the live table would be told of 1.
        Assert.Equal(new SwitchOutcome.Parked(2), await editions.SwitchAsync(2, Token));
        Assert.True(await built.CommitAsync(new ViewCommit<Shape>(Slice.Whole, 2, new(4), new(4), [], []) { Unparked = ["b", "c"] }, Token));
        Assert.Equal(new SwitchOutcome.Switched(2), await editions.SwitchAsync(2, Token));
    }

    [Fact]
    public async Task each_table_of_a_view_has_its_own_parked_rows_and_they_go_with_it()
    {
        var store = await StoreAsync();
        var (live, built, editions) = (store.Table<Shape>(), store.Table<Shape>(ViewRole.Building), store.Editions<Shape>());
        await live.OpenAsync(Slice.Whole, Token);
        Assert.True(await live.CommitAsync(new ViewCommit<Shape>(Slice.Whole, 1, new(0), new(4), [], []) { Parked = [new("a", new(3), "refused")] }, Token));
        Assert.NotNull(await editions.BeginAsync(1, "the fold was mended", null, Token));
        await built.OpenAsync(Slice.Whole, Token);
        Assert.Empty(await built.ReadParkedAsync(Slice.Whole, Token));
        Assert.True(await built.CommitAsync(new ViewCommit<Shape>(Slice.Whole, 2, new(0), new(4), [new("a", new(1, 1, ""), new(4))], []), Token));

        Assert.Equal(new SwitchOutcome.Switched(2), await editions.SwitchAsync(2, Token));
        await live.OpenAsync(Slice.Whole, Token);
        Assert.Empty(await live.ReadParkedAsync(Slice.Whole, Token));
        Assert.Equal(4, (await store.Reader<Shape>().ReadAsync("a", Slice.Whole, Token)).Reflects.Value);
        Assert.True(await live.CommitAsync(new ViewCommit<Shape>(Slice.Whole, 2, new(4), new(6), [], []) { Parked = [new("b", new(6), "refused")] }, Token));

        Assert.True(await store.DropAsync(new ViewId("shape", 1), Token));
        Assert.Equal(LogPosition.Start, (await live.OpenAsync(Slice.Whole, Token))!.Position);
        Assert.Empty(await live.ReadParkedAsync(Slice.Whole, Token));
    }
#pragma warning restore CS1591
}
