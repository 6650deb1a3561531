using Microsoft.Data.Sqlite;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Projections;
using Orleans.EventSourced.IntegrationTests.Grains;
using Orleans.EventSourced.Sqlite;
using Orleans.EventSourced.Testing.Conformance;
using Xunit;

namespace Orleans.EventSourced.IntegrationTests.Projections;

public sealed class SqliteViewTableConformance : ViewTableConformance, IAsyncDisposable
{
    private readonly TestFolder _folder = new();
    private readonly List<SqliteViewStore> _stores = [];

    private SqliteOptions Options => new() { Path = _folder.Database };

    public async ValueTask DisposeAsync()
    {
        foreach (var store in _stores)
        {
            await store.DisposeAsync();
        }

        _folder.Dispose();
    }

    [Fact]
    public async Task the_plain_name_shows_the_live_version_in_sql()
    {
        var store = await StoreAsync();
        var table = store.Table<Keywords>();
        await table.OpenAsync(Slice.Whole, CancellationToken.None);
        Assert.True(await table.CommitAsync(new ViewCommit<Keywords>(Slice.Whole, 1, new(0), new(2), [new("a", new(1, "x", null, 0.1m), new(1)), new("b", new(2, "y", new(2000, 2, 29), 10m), new(2))], []), CancellationToken.None));
        Assert.Equal("a1x;b2y2000-02-29", Scalar("""select group_concat(concat(key, position, "select", "default"), ';' order by "größe") from "order" """));
        Assert.Equal("b", Scalar("""select group_concat(key) from "order" where "größe" > 0.1 """));
        Assert.Equal("10.1", Scalar("""select cast(sum("größe") as text) from "order" """));
        Assert.Equal("101", Scalar("""select cast(sum("größe") as text) from order_v1"""));

        Assert.True(await store.DropAsync(new ViewId("order", 1), CancellationToken.None));
        Assert.Equal("0", Scalar("select cast(count(*) as text) from sqlite_master where name like 'order%'"));
    }

    [Fact]
    public async Task a_table_gets_its_indexes_when_they_are_asked_for_and_not_before()
    {
        const string Indexes = "select coalesce(group_concat(sql, ';'), '') from sqlite_master where type = 'index' and tbl_name = 'conformance_v3' and sql is not null";
        var table = (await StoreAsync()).Table<EveryColumn>();
        await table.OpenAsync(Slice.Whole, CancellationToken.None);
        Assert.Equal("", Scalar(Indexes));
        await table.IndexAsync(CancellationToken.None);
        var made = Scalar(Indexes);
        Assert.All(["(\"position\")", "(\"money\", \"key\")", "(\"occurred_at\", \"key\")"], columns => Assert.Contains(columns, made, StringComparison.Ordinal));
    }

    [Fact]
    public async Task instants_are_text_in_the_order_of_time()
    {
        var table = (await StoreAsync()).Table<EveryColumn>();
        await table.OpenAsync(Slice.Whole, CancellationToken.None);
        var row = new EveryColumn("", null, true, 0, null, 0, 0, null, Guid.Parse("01936D2C-4A6B-7C8A-9B1A-3C2E8D7F6A5B"), DateTimeOffset.MinValue, new(2026, 1, 5, 9, 0, 0, TimeSpan.FromHours(1)), DateOnly.MinValue);
        Assert.True(await table.CommitAsync(new ViewCommit<EveryColumn>(Slice.Whole, 1, new(0), new(1), [new("a", row, new(1))], []), CancellationToken.None));
        Assert.Equal(
            "01936d2c-4a6b-7c8a-9b1a-3c2e8d7f6a5b 0001-01-01T00:00:00.000000Z 2026-01-05T08:00:00.000000Z 0001-01-01",
            Scalar("select concat_ws(' ', id, occurred_at, ended_at, day) from conformance where occurred_at < ended_at"));
    }

    [Fact]
    public async Task a_table_folded_from_another_log_is_refused()
    {
        await (await StoreAsync()).Table<Keywords>().OpenAsync(Slice.Whole, CancellationToken.None);
        File.Delete(_folder.Database);
        await Assert.ThrowsAsync<LogMisconfiguredException>(async () => await (await StoreAsync()).Table<Keywords>().OpenAsync(Slice.Whole, CancellationToken.None));
    }

    protected override async Task<IViewStore> StoreAsync()
    {
        await SqliteSchema.PrepareAsync(Options, CancellationToken.None);
        _stores.Add(new SqliteViewStore(Options, TimeProvider.System));
        return _stores[^1];
    }

    private string? Scalar(string sql)
    {
        using var connection = new SqliteConnection($"Data Source={Path.Combine(_folder.Path, "eventlog-views.db")};Mode=ReadOnly;Pooling=False");
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        return (string?)command.ExecuteScalar();
    }
}
