using Npgsql;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Projections;
using Orleans.EventSourced.IntegrationTests.Log;
using Orleans.EventSourced.IntegrationTests.Servers;
using Orleans.EventSourced.Postgres;
using Orleans.EventSourced.Testing.Conformance;
using Xunit;

namespace Orleans.EventSourced.IntegrationTests.Projections;

public sealed class PostgresViewTableConformance(PostgresFixture postgres) : ViewTableConformance, IAsyncDisposable
{
    private readonly List<PostgresViewStore> _stores = [];
    private PostgresOptions? _options;

    public async ValueTask DisposeAsync()
    {
        foreach (var store in _stores)
        {
            await store.DisposeAsync();
        }
    }

    [Fact]
    public async Task the_plain_name_shows_the_live_version_in_sql()
    {
        var store = await StoreAsync();
        var table = store.Table<Keywords>();
        await table.OpenAsync(Slice.Whole, CancellationToken.None);
        Assert.True(await table.CommitAsync(new ViewCommit<Keywords>(Slice.Whole, 1, new(0), new(2), [new("a", new(1, "x", null, 0.1m), new(1)), new("b", new(2, "y", new(2000, 2, 29), 10m), new(2))], []), CancellationToken.None));
        Assert.Equal("a1x;b2y2000-02-29", await ScalarAsync("""select string_agg(concat(key, position, "select", "default"), ';' order by "größe") from es_views."order" """));
        Assert.Equal("10.1", await ScalarAsync("""select sum("größe")::text from es_views."order" """));

        Assert.True(await store.DropAsync(new ViewId("order", 1), CancellationToken.None));
        Assert.Equal("0", await ScalarAsync("select count(*)::text from pg_class where relnamespace = 'es_views'::regnamespace and relname like 'order%'"));
    }

    [Fact]
    public async Task what_hangs_on_the_plain_name_keeps_the_view_from_being_dropped()
    {
        var store = await StoreAsync();
        await store.Table<Keywords>().OpenAsync(Slice.Whole, CancellationToken.None);
        await ScalarAsync("""create view public.report as select "order" from es_views."order"; select '' """);
        Assert.Contains("hangs on", (await Assert.ThrowsAsync<LogRequestRefusedException>(() => store.DropAsync(new ViewId("order", 1), CancellationToken.None))).Message, StringComparison.Ordinal);
        Assert.Single(await store.ReadCheckpointsAsync(CancellationToken.None));
    }

    [Fact]
    public async Task a_table_gets_its_indexes_when_they_are_asked_for_and_not_before()
    {
        const string Indexes = "select coalesce(string_agg(indexdef, ';' order by indexname), '') from pg_indexes where schemaname = 'es_views' and tablename = 'conformance_v3' and indexname not like 'PK%'";
        var table = (await StoreAsync()).Table<EveryColumn>();
        await table.OpenAsync(Slice.Whole, CancellationToken.None);
        Assert.Equal("", await ScalarAsync(Indexes));
        await table.IndexAsync(CancellationToken.None);
        var made = await ScalarAsync(Indexes);
        Assert.All(["(\"position\")", "(money, key)", "(occurred_at, key)"], columns => Assert.Contains(columns, made, StringComparison.Ordinal));
    }

    [Fact]
    public async Task a_server_that_has_stopped_is_unavailable_to_each_kind_of_read_and_not_an_error_of_the_program()
    {
        await using var server = await PostgresServer.StartOwnAsync();
        var options = new PostgresOptions { ConnectionString = await server.CreateDatabaseAsync() };
        await PostgresSchema.MigrateAsync(options, CancellationToken.None);
        await using var store = new PostgresViewStore(options);
        var (table, reader) = (store.Table<Keywords>(), store.Reader<Keywords>());
        await table.OpenAsync(Slice.Whole, CancellationToken.None);
        await reader.ReadAsync("a", Slice.Whole, CancellationToken.None);
        await server.StopAsync();
        Func<Task>[] reads =
        [
            () => table.ReadRowsAsync(["a"], CancellationToken.None),
            () => table.ReadRoutesAsync(Slice.Whole, [new StreamId("s/a")], CancellationToken.None),
            () => table.OpenAsync(Slice.Whole, CancellationToken.None),
            () => reader.ReadAsync("a", Slice.Whole, CancellationToken.None),
            () => reader.QueryAsync(new RowQueryPlan<Keywords>(new RowQuery()), CancellationToken.None),
            () => store.ReadCheckpointsAsync(CancellationToken.None),
            () => store.Editions<Keywords>().SwitchAsync(2, CancellationToken.None),
        ];
        foreach (var read in reads)
        {
            await Assert.ThrowsAsync<LogUnavailableException>(read);
        }
    }

    protected override async Task<IViewStore> StoreAsync()
    {
        _stores.Add(new PostgresViewStore(_options ??= await PostgresConformance.MigratedAsync(postgres)));
        return _stores[^1];
    }

    private async Task<string?> ScalarAsync(string sql)
    {
        await using var connection = new NpgsqlConnection(_options!.ConnectionString);
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand(sql, connection);
        return (string?)await command.ExecuteScalarAsync();
    }
}
