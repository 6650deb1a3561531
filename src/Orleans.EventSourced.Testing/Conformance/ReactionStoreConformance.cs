using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Projections;
using Orleans.EventSourced.Core.Reactions;
using Xunit;

namespace Orleans.EventSourced.Testing.Conformance;

/// <summary>What every <see cref="IReactionStore"/> does, one fact a behaviour. A store's tests derive from it and say how a store is opened.</summary>
public abstract class ReactionStoreConformance
{
    private static readonly ReactionName Name = new("greet");
    private static readonly ReactionName Other = new("greet-again");
    private static readonly DateTimeOffset Day = new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero);
    private static readonly LogMark Seen = new(new LogPosition(6_000_000_000), EventId.Derive(CommandId.FromText("seen"), new Core.Log.StreamId("greeting", "a"), 0), Day.AddMicroseconds(7));

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    /// <summary>Opens the store of this fact; a second time, the same one anew where it outlives its opening. Whoever derives closes it after the fact.</summary>
    protected abstract Task<IReactionStore> OpenAsync();

#pragma warning disable CS1591 // The name of a fact is its documentation.
    [Fact]
    public async Task a_reaction_begins_where_it_was_first_told_to_also_for_who_opens_the_store_later()
    {
        var store = await OpenAsync();
        Assert.Equal(new LogPosition(7), (await store.OpenAsync(Name, new LogPosition(7), Token)).Position);
        Assert.Equal(new LogPosition(7), (await store.OpenAsync(Name, new LogPosition(9), Token)).Position);
        Assert.Equal(LogPosition.Start, (await store.OpenAsync(Other, LogPosition.Start, Token)).Position);
        Assert.Equal(new LogPosition(7), (await (await OpenAsync()).OpenAsync(Name, new LogPosition(9), Token)).Position);
    }

    [Fact]
    public async Task of_many_that_open_a_new_reaction_at_once_all_get_one_beginning()
    {
        var store = await OpenAsync();
        var begun = await Task.WhenAll(Enumerable.Range(1, 20).Select(i => Task.Run(() => store.OpenAsync(Name, new LogPosition(i), Token), Token)));
        Assert.Single(begun.Distinct());
    }

    [Fact]
    public async Task a_checkpoint_moves_only_from_where_it_is()
    {
        var store = await OpenAsync();
        Assert.False(await store.MoveAsync(Name, LogPosition.Start, new LogPosition(5), null, Token));
        await store.OpenAsync(Name, LogPosition.Start, Token);
        Assert.True(await store.MoveAsync(Name, LogPosition.Start, new LogPosition(5), null, Token));
        Assert.False(await store.MoveAsync(Name, LogPosition.Start, new LogPosition(6), null, Token));
        Assert.True(await store.MoveAsync(Name, new LogPosition(5), new LogPosition(6_000_000_000), Seen, Token));
        Assert.Equal(new OpenedReaction(new LogPosition(6_000_000_000), Seen), await (await OpenAsync()).OpenAsync(Name, LogPosition.Start, Token));
        Assert.True(await store.MoveAsync(Name, new LogPosition(6_000_000_000), new LogPosition(6_000_000_001), null, Token));
        Assert.Null((await store.OpenAsync(Name, LogPosition.Start, Token)).Mark);
    }

    [Fact]
    public async Task of_two_that_move_it_at_once_one_does()
    {
        var store = await OpenAsync();
        await store.OpenAsync(Name, LogPosition.Start, Token);
        var moved = await Task.WhenAll(Enumerable.Range(1, 20).Select(i => Task.Run(() => store.MoveAsync(Name, LogPosition.Start, new LogPosition(i), null, Token), Token)));
        Assert.Single(moved, m => m);
    }

    [Fact]
    public async Task what_is_skipped_stays_skipped_for_the_first_reason_and_for_that_reaction_alone()
    {
        var store = await OpenAsync();
        Assert.True(await store.SkipAsync(Name, new SkippedEvent(new LogPosition(9), "späte Einsicht 😀", "ops", Day), Token));
        Assert.True(await store.SkipAsync(Name, new SkippedEvent(new LogPosition(3), "first", null, Day.ToOffset(TimeSpan.FromHours(2))), Token));
        Assert.False(await store.SkipAsync(Name, new SkippedEvent(new LogPosition(3), "second", "ops", Day), Token));
        Assert.Equal(
            [(3L, "first", null, Day), (9L, "späte Einsicht 😀", "ops", Day)],
            (await (await OpenAsync()).ReadSkippedAsync(Name, Token)).Select(s => (s.Position.Value, s.Reason, s.Actor, s.SkippedAt)));
        Assert.Empty(await store.ReadSkippedAsync(Other, Token));
    }
#pragma warning restore CS1591
}
