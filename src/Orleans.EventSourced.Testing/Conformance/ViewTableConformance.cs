using System.Globalization;
using System.Text;
using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Projections;
using Xunit;
using StreamId = Orleans.EventSourced.Core.Log.StreamId;

namespace Orleans.EventSourced.Testing.Conformance;

/// <summary>A row with a column of each kind.</summary>
[View("conformance", Version = 3)]
public sealed record EveryColumn(
    [property: Indexed] string Text,
    string? NoText,
    [property: Indexed] bool Flag,
    [property: Indexed] int Number,
    [property: Indexed] int? NoNumber,
    [property: Indexed] long BigNumber,
    [property: Indexed, Scale(2)] decimal Money,
    [property: Indexed, Scale(4)] decimal? Rate,
    [property: Indexed] Guid Id,
    [property: Indexed] DateTimeOffset OccurredAt,
    [property: Indexed] DateTimeOffset? EndedAt,
    [property: Indexed] DateOnly Day)
{
    /// <summary>Computed, and so no column.</summary>
    public decimal Doubled => Money * 2;
}

/// <summary>A row whose view and columns are words of SQL, and of other languages.</summary>
[View("order")]
public sealed record Keywords(int Order, string Select, DateOnly? Default, [property: Scale(1)] decimal Größe);

/// <summary>What every <see cref="IViewTable{TRow}"/> and the <see cref="IViewStore"/> around it does, one fact a behaviour. A store's tests derive from it and say how the store is opened.</summary>
public abstract partial class ViewTableConformance
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private static EveryColumn Row { get; } = new(
        "schlüssel/😀", null, true, int.MinValue, 7, long.MaxValue, 12345678.90m, -0.0001m, Guid.Parse("01936d2c-4a6b-7c8a-9b1a-3c2e8d7f6a5b"), new DateTimeOffset(2026, 1, 5, 9, 0, 0, TimeSpan.Zero).AddMicroseconds(1), null, new DateOnly(2000, 2, 29));

    /// <summary>Opens a store of views: empty at first, and with the same views at each call within a fact. Whoever derives closes it after the fact.</summary>
    protected abstract Task<IViewStore> StoreAsync();

#pragma warning disable CS1591 // The name of a fact is its documentation.
    [Fact]
    public async Task rows_come_back_as_they_were_written_in_every_kind_of_column()
    {
        var table = await OpenAsync();
        var other = Row with { NoText = "", NoNumber = null, Rate = null, EndedAt = Row.OccurredAt, Flag = false, Money = -0.01m };
        await CommitAsync(table, 0, 9, [new("a", Row, new(3)), new("b/ü", other, new(9))]);

        var rows = await table.ReadRowsAsync(["a", "b/ü", "c"], Token);
        Assert.Equal([("a", Row), ("b/ü", other)], rows.OrderBy(r => r.Key, StringComparer.Ordinal).Select(r => (r.Key, r.Value)));
        Assert.Equal(Row.Money * 2, rows["a"].Doubled);
    }

    [Fact]
    public async Task a_view_and_its_columns_may_be_named_by_words_of_sql()
    {
        var table = (await StoreAsync()).Table<Keywords>();
        await table.OpenAsync(Slice.Whole, Token);
        var row = new Keywords(1, "from", null, 1.5m);
        Assert.True(await table.CommitAsync(new ViewCommit<Keywords>(Slice.Whole, 1, new(0), new(1), [new("a", row, new(1))], []), Token));
        Assert.True(await table.CommitAsync(new ViewCommit<Keywords>(Slice.Whole, 1, new(1), new(2), [new("a", row with { Order = 2 }, new(2))], []), Token));
        Assert.Equal(row with { Order = 2 }, (await table.ReadRowsAsync(["a"], Token))["a"]);
    }

    [Fact]
    public async Task indexes_are_made_once_however_often_and_by_however_many_they_are_asked_for()
    {
        var store = await StoreAsync();
        var table = store.Table<EveryColumn>();
        await table.IndexAsync(Token);
        await table.OpenAsync(Slice.Whole, Token);
        await CommitAsync(table, 0, 1, [new("a", Row, new(1))]);
        await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => store.Table<EveryColumn>().IndexAsync(Token)));
        await table.IndexAsync(Token);
        await CommitAsync(table, 1, 2, [new("a", Row with { Number = 5 }, new(2))]);
        Assert.Equal(5, (await table.ReadRowsAsync(["a"], Token))["a"].Number);
        Assert.True(await store.DropAsync(ViewId.Of(typeof(EveryColumn)), Token));
        await table.OpenAsync(Slice.Whole, Token);
        await table.IndexAsync(Token);
    }

    [Fact]
    public async Task events_to_be_passed_over_are_kept_with_the_first_reason_and_outlive_the_table()
    {
        var store = await StoreAsync();
        var table = store.Table<EveryColumn>();
        await table.OpenAsync(Slice.Whole, Token);
        Assert.Empty(await table.ReadSkippedAsync(Token));
        var later = new SkippedEvent(new(7), "grün 😀", null, Row.OccurredAt);
        var first = new SkippedEvent(new(3), "wrong currency", "ops", Row.OccurredAt.AddDays(1));
        Assert.True(await table.SkipAsync(later, Token));
        Assert.True(await table.SkipAsync(first, Token));
        Assert.False(await table.SkipAsync(new SkippedEvent(new(3), "again", null, Row.OccurredAt), Token));
        Assert.Equal([first, later], await table.ReadSkippedAsync(Token));
        Assert.Empty(await store.Table<Keywords>().ReadSkippedAsync(Token));

        Assert.True(await store.DropAsync(ViewId.Of(typeof(EveryColumn)), Token));
        Assert.Equal([first, later], await store.Table<EveryColumn>().ReadSkippedAsync(Token));
    }

    [Fact]
    public async Task an_instant_is_kept_in_utc_to_the_microsecond()
    {
        var table = await OpenAsync();
        var local = new DateTimeOffset(2010, 3, 31, 23, 30, 0, TimeSpan.FromHours(2));
        await CommitAsync(table, 0, 2, [new("a", Row with { OccurredAt = local, EndedAt = local.AddTicks(19) }, new(1)), new("b", Row with { OccurredAt = DateTimeOffset.MinValue, EndedAt = DateTimeOffset.MaxValue }, new(2))]);
        var rows = await table.ReadRowsAsync(["a", "b"], Token);
        Assert.Equal((local.ToUniversalTime(), TimeSpan.Zero), (rows["a"].OccurredAt, rows["a"].OccurredAt.Offset));
        Assert.Equal((local.AddTicks(10), TimeSpan.Zero), (rows["a"].EndedAt!.Value, rows["a"].EndedAt!.Value.Offset));
        Assert.Equal((DateTimeOffset.MinValue, DateTimeOffset.MaxValue.AddTicks(-9)), (rows["b"].OccurredAt, rows["b"].EndedAt!.Value));
    }

    [Fact]
    public async Task a_decimal_comes_back_with_all_its_declared_decimals()
    {
        var table = await OpenAsync();
        await CommitAsync(table, 0, 2, [new("a", Row with { Money = 7m, Rate = 0.5000000m }, new(1)), new("b", Row with { Money = 92233720368547758.07m, Rate = -922337203685477.5807m }, new(2))]);
        var rows = await table.ReadRowsAsync(["a", "b"], Token);
        Assert.Equal("7.00 0.5000", string.Create(CultureInfo.InvariantCulture, $"{rows["a"].Money} {rows["a"].Rate}"));
        Assert.Equal((92233720368547758.07m, -922337203685477.5807m), (rows["b"].Money, rows["b"].Rate));
    }

    [Fact]
    public async Task text_comes_back_as_it_was_written_up_to_the_longest()
    {
        var table = await OpenAsync();
        var (longest, indexed) = (Random(ViewColumn.MaxTextBytes), Random(ViewColumn.MaxIndexedTextBytes));
        var (key, odd) = (Random(RowKey.MaxBytes), "'\"\\\t\r\n{}\u0001\uFFFF");
        await CommitAsync(table, 0, 2, [new(key, Row with { Text = indexed, NoText = longest }, new(1)), new("odd", Row with { Text = odd, NoText = odd }, new(2))]);
        var rows = await table.ReadRowsAsync([key, "odd"], Token);
        Assert.Equal((indexed, longest, odd, odd), (rows[key].Text, rows[key].NoText, rows["odd"].Text, rows["odd"].NoText));

        // Text that a store cannot press into less room.
        static string Random(int bytes) => new string([.. Enumerable.Range(0, bytes - 2).Select(_ => (char)System.Random.Shared.Next('!', '~'))]) + "ü";
    }

    [Fact]
    public void a_value_that_no_table_keeps_is_refused_by_the_change_with_view_column_key_and_value()
    {
        Refused(Row with { Money = 0.125m }, "money", "0.125");
        Refused(Row with { Money = 92233720368547758.08m }, "money", "92233720368547758.08");
        Refused(Row with { Rate = -922337203685477.5808m }, "rate", "-922337203685477.5808");
        Refused(Row with { Rate = decimal.MaxValue }, "rate", "79228162514264337593543950335");
        Refused(Row with { Text = "a\0b" }, "text", "a");
        Refused(Row with { NoText = "\uD83D" }, "no_text", "U+D83D");
        Refused(Row with { NoText = new string('ü', (ViewColumn.MaxTextBytes / 2) + 1) }, "no_text", "üüü");
        Refused(Row with { Text = null! }, "text", "null");
        Refused(Row with { Text = new string('ü', (ViewColumn.MaxIndexedTextBytes / 2) + 1) }, "text", "üüü");
        foreach (var key in (string[])["", "a\0", "\uDE00", new string('ü', 257)])
        {
            Assert.Contains("conformance_v3", Assert.Throws<ArgumentException>(() => new RowChange<EveryColumn>(key, Row, new(1))).Message, StringComparison.Ordinal);
        }

        static void Refused(EveryColumn row, string column, string value) => Assert.All(
            ["conformance_v3", $"'{column}'", "'a key'", value], part => Assert.Contains(part, Assert.Throws<ArgumentException>(() => new RowChange<EveryColumn>("a key", row, new(1))).Message, StringComparison.Ordinal));
    }

    [Fact]
    public async Task a_row_is_replaced_deleted_and_made_again()
    {
        var table = await OpenAsync();
        await CommitAsync(table, 0, 1, [new("a", Row, new(1))]);
        await CommitAsync(table, 1, 2, [new("a", Row with { Number = 2 }, new(2))]);
        Assert.Equal(2, (await table.ReadRowsAsync(["a"], Token))["a"].Number);
        await CommitAsync(table, 2, 3, [new("a", null, new(3)), new("never", null, new(3))]);
        Assert.Empty(await table.ReadRowsAsync(["a", "never"], Token));
        await CommitAsync(table, 3, 4, [new("a", Row, new(4))]);
        Assert.Equal(Row, (await table.ReadRowsAsync(["a"], Token))["a"]);
    }

    [Fact]
    public async Task a_commit_from_another_checkpoint_than_the_tables_writes_nothing()
    {
        var table = await OpenAsync();
        await CommitAsync(table, 0, 5, [new("a", Row, new(5))]);

        Assert.False(await table.CommitAsync(Commit(0, 6, [new("a", null, new(6)), new("b", Row, new(6))], [new(new StreamId("s/a"), new ViewRoute("a", "{}"u8.ToArray()))]), Token));
        Assert.False(await table.CommitAsync(Commit(4, 6, [new("b", Row, new(6))], []), Token));
        Assert.False(await table.CommitAsync(Commit(6, 7, [new("b", Row, new(7))], []), Token));

        Assert.Equal(new LogPosition(5), (await table.OpenAsync(Slice.Whole, Token))!.Position);
        Assert.Equal("a", Assert.Single(await table.ReadRowsAsync(["a", "b"], Token)).Key);
        Assert.Empty(await table.ReadRoutesAsync(Slice.Whole, [new StreamId("s/a")], Token));
    }

    [Fact]
    public async Task of_many_commits_at_once_from_one_checkpoint_one_is_written()
    {
        var table = await OpenAsync();
        for (var round = 0; round < 10; round++)
        {
            var from = round;
            var written = await Task.WhenAll(Enumerable.Range(0, 8).Select(i => table.CommitAsync(Commit(from, from + 1, [new("a", Row with { Number = i }, new(from + 1))], []), Token)));
            Assert.Equal(Array.IndexOf(written, true), (await table.ReadRowsAsync(["a"], Token))["a"].Number);
            Assert.Single(written, w => w);
        }
    }

    [Fact]
    public async Task a_table_opened_again_goes_on_from_its_checkpoint()
    {
        var table = await OpenAsync();
        await CommitAsync(table, 0, 1_000_000_000_000, []);
        Assert.Equal(new LogPosition(1_000_000_000_000), (await (await StoreAsync()).Table<EveryColumn>().OpenAsync(Slice.Whole, Token))!.Position);
    }

    [Fact]
    public async Task a_checkpoint_keeps_the_event_that_its_mover_saw_until_another_is_said()
    {
        var table = await OpenAsync();
        Assert.Null((await table.OpenAsync(Slice.Whole, Token))!.Mark);
        var seen = new LogMark(new LogPosition(5), EventId.Derive(CommandId.FromText("seen"), new StreamId("thing", "a"), 0), new DateTimeOffset(2026, 3, 1, 12, 0, 0, TimeSpan.Zero).AddMicroseconds(7));
        Assert.True(await table.CommitAsync(Commit(0, 5, [], []) with { Mark = seen }, Token));
        Assert.Equal(seen, (await (await StoreAsync()).Table<EveryColumn>().OpenAsync(Slice.Whole, Token))!.Mark);
        Assert.True(await table.CommitAsync(Commit(5, 6, [], []), Token));
        Assert.Equal(seen, (await table.OpenAsync(Slice.Whole, Token))!.Mark);
    }

    [Fact]
    public async Task slices_have_checkpoints_and_routes_of_their_own()
    {
        var table = (await StoreAsync()).Table<EveryColumn>();
        var (first, second) = (new Slice(0, 2), new Slice(1, 2));
        await table.OpenAsync(first, Token);
        await table.OpenAsync(second, Token);
        var stream = new StreamId("s/ü");
        Assert.True(await table.CommitAsync(new ViewCommit<EveryColumn>(second, 1, new(0), new(8), [new("a", Row, new(8))], [new(stream, new ViewRoute(null, """{ "ä" : 1 }"""u8.ToArray()))]), Token));

        Assert.Equal(new LogPosition(0), (await table.OpenAsync(first, Token))!.Position);
        Assert.Equal(new LogPosition(8), (await table.OpenAsync(second, Token))!.Position);
        Assert.Empty(await table.ReadRoutesAsync(first, [stream], Token));
        var (key, state) = (await table.ReadRoutesAsync(second, [stream, new StreamId("s/b")], Token))[stream];
        Assert.Equal((null, """{ "ä" : 1 }"""), (key, Encoding.UTF8.GetString(state.Span)));

        Assert.True(await table.CommitAsync(new ViewCommit<EveryColumn>(second, 1, new(8), new(9), [], [new(stream, new ViewRoute("k", "{}"u8.ToArray()))]), Token));
        Assert.Equal("k", (await table.ReadRoutesAsync(second, [stream], Token))[stream].Key);
        Assert.True(await table.CommitAsync(new ViewCommit<EveryColumn>(second, 1, new(9), new(10), [], [new(stream, null)]), Token));
        Assert.Empty(await table.ReadRoutesAsync(second, [stream], Token));
    }

    [Fact]
    public async Task another_number_of_slices_is_refused()
    {
        var table = (await StoreAsync()).Table<EveryColumn>();
        await table.OpenAsync(new Slice(1, 4), Token);
        foreach (var slice in (Slice[])[Slice.Whole, new Slice(1, 2), new Slice(2, 3)])
        {
            await Assert.ThrowsAsync<LogMisconfiguredException>(() => table.OpenAsync(slice, Token));
        }

        Assert.Equal(LogPosition.Start, (await table.OpenAsync(new Slice(0, 4), Token))!.Position);
    }

    [Fact]
    public async Task tables_opened_at_once_are_made_once()
    {
        var tables = new List<IViewTable<EveryColumn>>();
        for (var i = 0; i < 4; i++)
        {
            tables.Add((await StoreAsync()).Table<EveryColumn>());
        }

        var positions = await Task.WhenAll(tables.Select((t, i) => t.OpenAsync(new Slice(i, 4), Token)));
        Assert.All(positions, p => Assert.Equal(new OpenedSlice(1, LogPosition.Start, 0), p));
    }

    [Fact]
    public async Task a_table_that_another_class_of_the_same_version_made_is_refused_by_the_first_column_that_differs()
    {
        var store = await StoreAsync();
        await store.Table<Shape>().OpenAsync(Slice.Whole, Token);
        await Refused<Retyped>("number");
        await Refused<Rescaled>("money");
        await Refused<MadeNullable>("text");
        await Refused<DayForText>("text");
        await Refused<InstantForText>("text");
        await Refused<IdForText>("text");
        await Refused<Fewer>("text");
        await Refused<More>("day");
        Assert.Equal(LogPosition.Start, (await (await StoreAsync()).Table<Shape>().OpenAsync(Slice.Whole, Token))!.Position);

        async Task Refused<TRow>(string column)
            where TRow : class
        {
            var refusal = await Assert.ThrowsAsync<LogMisconfiguredException>(async () => await (await StoreAsync()).Table<TRow>().OpenAsync(Slice.Whole, Token));
            Assert.All(["shape_v1", $"'{column}'", "expected", "found", "declare a new Version"], part => Assert.Contains(part, refusal.Message, StringComparison.Ordinal));
        }
    }

    [Fact]
    public async Task the_checkpoints_of_all_versions_are_listed_and_the_first_version_is_the_live_one()
    {
        var store = await StoreAsync();
        var before = TimeProvider.System.GetUtcNow();
        Assert.Empty(await store.ReadCheckpointsAsync(Token));
        await store.Table<SecondShape>().OpenAsync(new Slice(1, 2), Token);
        await store.Table<SecondShape>().OpenAsync(new Slice(0, 2), Token);
        var first = store.Table<Shape>();
        await first.OpenAsync(Slice.Whole, Token);
        await store.Table<Keywords>().OpenAsync(Slice.Whole, Token);
        Assert.True(await first.CommitAsync(new ViewCommit<Shape>(Slice.Whole, 1, new(0), new(7), [], []), Token));

        var found = await (await StoreAsync()).ReadCheckpointsAsync(Token);
        Assert.Equal(
            [
                (new ViewId("order", 1), Slice.Whole, new(0), true),
                (new ViewId("shape", 1), Slice.Whole, new(7), false),
                (new ViewId("shape", 2), new Slice(0, 2), new(0), true),
                (new ViewId("shape", 2), new Slice(1, 2), new LogPosition(0), true),
            ],
            found.Select(c => (c.View, c.Slice, c.Position, c.IsShown)));
        Assert.All(found, c => Assert.InRange(c.MovedAt, before.AddMinutes(-1), TimeProvider.System.GetUtcNow().AddMinutes(1)));
    }

    [Fact]
    public async Task a_dropped_version_is_gone_and_begins_anew_when_it_is_opened()
    {
        var store = await StoreAsync();
        var (live, next) = (store.Table<Shape>(), store.Table<SecondShape>());
        await live.OpenAsync(Slice.Whole, Token);
        await next.OpenAsync(Slice.Whole, Token);
        var commit = new ViewCommit<SecondShape>(Slice.Whole, 1, new(0), new(1), [new("a", new(1), new(1))], [new(new StreamId("s/a"), new ViewRoute("a", "{}"u8.ToArray()))]);
        Assert.True(await next.CommitAsync(commit, Token));

        Assert.False(await store.DropAsync(new ViewId("shape", 3), Token));
        Assert.False(await store.DropAsync(new ViewId("none", 1), Token));
        await Assert.ThrowsAsync<LogRequestRefusedException>(() => store.DropAsync(new ViewId("shape", 1), Token));
        Assert.True(await store.DropAsync(new ViewId("shape", 2), Token));
        Assert.False(await store.DropAsync(new ViewId("shape", 2), Token));
        Assert.Equal(new ViewId("shape", 1), Assert.Single(await store.ReadCheckpointsAsync(Token)).View);

        Assert.Equal(LogPosition.Start, (await next.OpenAsync(Slice.Whole, Token))!.Position);
        Assert.Empty(await next.ReadRowsAsync(["a"], Token));
        Assert.Empty(await next.ReadRoutesAsync(Slice.Whole, [new StreamId("s/a")], Token));
        Assert.False(await next.CommitAsync(commit, Token));
        Assert.True(await next.CommitAsync(commit with { Edition = 2 }, Token));
    }

    [Fact]
    public async Task with_its_last_version_a_view_is_gone_and_the_next_one_opened_is_live()
    {
        var store = await StoreAsync();
        await store.Table<Shape>().OpenAsync(Slice.Whole, Token);
        Assert.True(await store.DropAsync(new ViewId("shape", 1), Token));
        Assert.Empty(await store.ReadCheckpointsAsync(Token));
        await store.Table<SecondShape>().OpenAsync(Slice.Whole, Token);
        await store.Table<Retyped>().OpenAsync(Slice.Whole, Token);
        Assert.Equal([false, true], (await store.ReadCheckpointsAsync(Token)).Select(c => c.IsShown));
    }

    [Fact]
    public async Task a_runner_whose_table_is_dropped_under_it_writes_nothing_and_goes_on_with_a_new_one()
    {
        var store = await StoreAsync();
        var table = store.Table<Shape>();
        await table.OpenAsync(Slice.Whole, Token);
        Assert.True(await table.CommitAsync(new ViewCommit<Shape>(Slice.Whole, 1, new(0), new(1), [new("a", new(1, 1, ""), new(1))], []), Token));
        Assert.True(await store.DropAsync(new ViewId("shape", 1), Token));
        Assert.False(await table.CommitAsync(new ViewCommit<Shape>(Slice.Whole, 1, new(1), new(2), [new("b", new(1, 1, ""), new(2))], []), Token));

        Assert.Equal(LogPosition.Start, (await table.OpenAsync(Slice.Whole, Token))!.Position);
        Assert.Empty(await table.ReadRowsAsync(["a", "b"], Token));
    }

    private static ViewCommit<EveryColumn> Commit(long from, long to, IReadOnlyList<RowChange<EveryColumn>> rows, IReadOnlyList<RouteChange> routes) => new(Slice.Whole, 1, new(from), new(to), rows, routes);

    private static async Task CommitAsync(IViewTable<EveryColumn> table, long from, long to, IReadOnlyList<RowChange<EveryColumn>> rows) =>
        Assert.True(await table.CommitAsync(Commit(from, to, rows, []), Token));

    private async Task<IViewTable<EveryColumn>> OpenAsync()
    {
        var table = (await StoreAsync()).Table<EveryColumn>();
        Assert.Equal(LogPosition.Start, (await table.OpenAsync(Slice.Whole, Token))!.Position);
        return table;
    }

    [View("shape")]
    private sealed record Shape(int Number, [property: Scale(2)] decimal Money, string Text);

    [View("shape")]
    private sealed record Retyped(long Number, [property: Scale(2)] decimal Money, string Text);

    [View("shape")]
    private sealed record Rescaled(int Number, [property: Scale(3)] decimal Money, string Text);

    [View("shape")]
    private sealed record MadeNullable(int Number, [property: Scale(2)] decimal Money, string? Text);

    [View("shape")]
    private sealed record DayForText(int Number, [property: Scale(2)] decimal Money, DateOnly Text);

    [View("shape")]
    private sealed record InstantForText(int Number, [property: Scale(2)] decimal Money, DateTimeOffset Text);

    [View("shape")]
    private sealed record IdForText(int Number, [property: Scale(2)] decimal Money, Guid Text);

    [View("shape")]
    private sealed record Fewer(int Number, [property: Scale(2)] decimal Money);

    [View("shape")]
    private sealed record More(int Number, [property: Scale(2)] decimal Money, string Text, DateOnly Day);

    [View("shape", Version = 2)]
    private sealed record SecondShape(int Number);
}
