using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Projections;
using Xunit;

namespace Orleans.EventSourced.Testing.Conformance;

/// <content>What changed behind a cursor.</content>
public abstract partial class ViewTableConformance
{
    private const int First = 10_001;
    private const int Second = 10_002;

#pragma warning disable CS1591 // The name of a fact is its documentation.
    [Fact]
    public async Task changes_are_read_by_position_with_deleted_rows_and_no_further_than_the_slowest_slice()
    {
        var store = await StoreAsync();
        var (table, reader) = (store.Table<Shape>(), store.Reader<Shape>());
        var early = (await reader.ReadChangesAsync(null, 10, Token)).Next;
        Assert.Equal(new RowCursor(0, new(0)), early);
        Assert.Equal(early, (await reader.ReadChangesAsync(early, 10, Token)).Next);
        var (slice, other) = (Slice.Of("a", 2), new Slice(1 - Slice.Of("a", 2).Index, 2));
        await table.OpenAsync(slice, Token);
        await table.OpenAsync(other, Token);
        Assert.Equal(new RowCursor(First, new(0)), (await reader.ReadChangesAsync(null, 10, Token)).Next);

        Assert.True(await table.CommitAsync(new ViewCommit<Shape>(slice, 1, new(0), new(9), [new("a", new(1, 1, ""), new(2)), new("gone", null, new(5)), new("late", new(2, 1, ""), new(8))], []), Token));
        Assert.True(await table.CommitAsync(new ViewCommit<Shape>(other, 1, new(0), new(6), [new("b", new(3, 1, ""), new(4))], []), Token));
        var all = await reader.ReadChangesAsync(new(First, new(0)), 10, Token);
        Assert.Equal([new("a", new(1, 1, ""), new(2)), new("b", new(3, 1, ""), new(4)), new("gone", null, new(5))], all.Changes);
        Assert.Equal((new RowCursor(First, new(6)), false), (all.Next, all.IsReset));

        // Who began before there was a table misses nothing of the first; who begins now begins at the end.
        var first = await reader.ReadChangesAsync(early, 2, Token);
        Assert.Equal((new RowCursor(First, new(4)), false), (first.Next, first.IsReset));
        Assert.Equal(all.Changes, first.Changes.Concat((await reader.ReadChangesAsync(first.Next, 10, Token)).Changes));
        var begun = await reader.ReadChangesAsync(null, 10, Token);
        Assert.Equal((all.Next, 0, false), (begun.Next, begun.Changes.Count, begun.IsReset));

        // Page by page it is the same; at the end nothing comes, however often one asks.
        first = await reader.ReadChangesAsync(new(First, new(0)), 2, Token);
        Assert.Equal((new RowCursor(First, new(4)), 2), (first.Next, first.Changes.Count));
        var second = await reader.ReadChangesAsync(first.Next, 2, Token);
        Assert.Equal(all.Changes, first.Changes.Concat(second.Changes));
        Assert.Empty((await reader.ReadChangesAsync(second.Next, 2, Token)).Changes);
        var told = await reader.ReadChangesAsync(new(First, new(7)), 2, Token);
        Assert.Equal((new RowCursor(First, new(7)), 6L), (told.Next, told.Reflects.Value));
        Assert.Equal(new RowCursor(First, new(6)), (await reader.ReadChangesAsync(second.Next, 2, Token)).Next);

        // What is changed again comes at its new position alone, and a row that is there again is no deleted one.
        Assert.True(await table.CommitAsync(new ViewCommit<Shape>(slice, 1, new(9), new(12), [new("a", new(4, 1, ""), new(10)), new("gone", new(5, 1, ""), new(11))], []), Token));
        Assert.True(await table.CommitAsync(new ViewCommit<Shape>(other, 1, new(6), new(12), [new("b", null, new(12))], []), Token));
        var again = await reader.ReadChangesAsync(new(First, new(0)), 10, Token);
        Assert.Equal(["late", "a", "gone", "b"], again.Changes.Select(c => c.Key));
        Assert.Equal([false, false, false, true], again.Changes.Select(c => c.Row is null));
        Assert.Equal(again.Changes, (await reader.ReadChangesAsync(all.Next, 10, Token)).Changes);
    }

    [Fact]
    public async Task nothing_is_said_to_reflect_more_than_a_slice_that_nobody_has_opened_yet()
    {
        var store = await StoreAsync();
        var (table, reader) = (store.Table<Shape>(), store.Reader<Shape>());
        var (slice, other) = (Slice.Of("a", 2), new Slice(1 - Slice.Of("a", 2).Index, 2));
        await table.OpenAsync(slice, Token);
        Assert.True(await table.CommitAsync(new ViewCommit<Shape>(slice, 1, new(0), new(9), [new("a", new(1, 1, ""), new(2))], []), Token));
        Assert.Equal(LogPosition.Start, (await reader.QueryAsync(new RowQueryPlan<Shape>(new RowQuery()), Token)).Reflects);
        var begun = (await reader.ReadChangesAsync(null, 10, Token)).Next;
        Assert.Equal(2, (await store.ReadCheckpointsAsync(Token)).Count);

        Assert.Equal(LogPosition.Start, (await table.OpenAsync(other, Token))!.Position);
        Assert.True(await table.CommitAsync(new ViewCommit<Shape>(other, 1, new(0), new(9), [new("b", new(1, 1, ""), new(4))], []), Token));
        Assert.Equal(["a", "b"], (await reader.ReadChangesAsync(begun, 10, Token)).Changes.Select(c => c.Key));
    }

    [Fact]
    public async Task changes_stop_before_a_parked_row_and_a_cursor_of_another_table_is_reset()
    {
        var store = await StoreAsync();
        var (table, reader, editions) = (store.Table<Shape>(), store.Reader<Shape>(), store.Editions<Shape>());
        await table.OpenAsync(Slice.Whole, Token);
        Assert.True(await table.CommitAsync(new ViewCommit<Shape>(Slice.Whole, 1, new(0), new(4), [new("a", new(1, 1, ""), new(1)), new("b", new(1, 1, ""), new(4))], []) { Parked = [new("c", new(3), "refused")] }, Token));
        var before = await reader.ReadChangesAsync(new(First, new(0)), 10, Token);
        Assert.Equal(("a", new RowCursor(First, new(2))), (Assert.Single(before.Changes).Key, before.Next));

        // The row that goes on is behind what was told.
        Assert.True(await table.CommitAsync(new ViewCommit<Shape>(Slice.Whole, 1, new(4), new(4), [new("c", new(1, 1, ""), new(3))], []) { Unparked = ["c"] }, Token));
        Assert.Equal(["c", "b"], (await reader.ReadChangesAsync(before.Next, 10, Token)).Changes.Select(c => c.Key));

        Assert.NotNull(await editions.BeginAsync(1, "why", null, Token));
        var built = store.Table<Shape>(ViewRole.Building);
        await built.OpenAsync(Slice.Whole, Token);
        Assert.True(await built.CommitAsync(new ViewCommit<Shape>(Slice.Whole, 2, new(0), new(5), [new("a", new(2, 1, ""), new(1))], []), Token));
        Assert.Equal(new SwitchOutcome.Switched(2), await editions.SwitchAsync(2, Token));
        var reset = await reader.ReadChangesAsync(before.Next, 10, Token);
        Assert.Equal((true, new RowCursor(Second, new(5)), 0), (reset.IsReset, reset.Next, reset.Changes.Count));
        Assert.Equal("a", Assert.Single((await reader.ReadChangesAsync(new(Second, new(0)), 10, Token)).Changes).Key);
    }
#pragma warning restore CS1591
}
