using Microsoft.Extensions.DependencyInjection;
using Npgsql;
using Orleans.EventSourced.Core.Projections;
using Orleans.EventSourced.Hosting;
using Orleans.EventSourced.IntegrationTests.Grains;
using Orleans.EventSourced.Projections;
using Orleans.EventSourced.Queries;
using Xunit;

namespace Orleans.EventSourced.IntegrationTests.Projections;

/// <summary>Views that are folded anew while real silos go on.</summary>
public sealed class RebuildTests(PostgresFixture postgres)
{
    private const int Counters = 30;
    private static readonly ViewId View = new("counter", 1);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task a_damaged_view_is_rebuilt_under_load_on_two_silos_and_no_reader_sees_a_row_go_back()
    {
        var database = await postgres.CreateLogAsync();
        await using var first = await TestNode.StartPostgresAsync(database, views: Counted);
        await using var second = await TestNode.StartPostgresAsync(database, beside: first, views: Counted);
        var (control, rebuild) = (first.Services.GetRequiredService<ProjectionControl>(), second.Services.GetRequiredService<RebuildControl>());
        await AddAsync(first, 3);
        await ShowsAsync(database, 3 * Counters);
        Assert.Equal(1L, await SqlAsync(database, "with hurt as (insert into es_views.counter_v1 select 'nobody', c.position, c.total from es_views.counter_v1 c where c.key = 'c7' returning 1) select count(*) from hurt"));
        Assert.Equal("nobody", Assert.Single((await control.CompareAsync(View, Token)).Differences).Key);
        Assert.Null((await rebuild.ListAsync(Token)).Select(r => r.Fault).FirstOrDefault());

        using var enough = CancellationTokenSource.CreateLinkedTokenSource(Token);
        var load = LoadAsync(first, second, enough.Token);
        var watch = WatchAsync(second, enough.Token);
        var told = ToldOfResetAsync(second.Services.GetRequiredService<ViewWatch>(), enough.Token);
        Assert.Equal(2, (await rebuild.BeginAsync(View, "a row is nobody's", "ops", Token))!.Number);
        Assert.Null(await rebuild.BeginAsync(View, "twice", null, Token));
        await Eventually.Async("the table is filled", async () => (await rebuild.ListAsync(Token)).Single() is { Edition.Role: ViewRole.Building, Behind: < 200, Fault: null });
        Assert.True((await rebuild.CompareAsync(View, Token)).IsEqual);
        Assert.Equal(new SwitchOutcome.Switched(2), await rebuild.SwitchAsync(View, TimeSpan.FromSeconds(20), "it is filled", "ops", Token));
        Assert.True((await control.CompareAsync(View, Token)).IsEqual);

        Assert.InRange(await told, 1, int.MaxValue);
        await enough.CancelAsync();
        var added = await load;
        Assert.InRange(await watch, 1, int.MaxValue);

        // And back, once more around: what is retired goes on from where it stood, with the damage that it has.
        Assert.Equal((1, ViewRole.Retired), (await rebuild.ListAsync(Token)).Single() is var r ? (r.Edition.Number, r.Edition.Role) : default);
        Assert.True(await rebuild.RevertAsync(View, "a test", null, Token));
        Assert.Equal("nobody", Assert.Single((await rebuild.CompareAsync(View, Token)).Differences).Key);
        Assert.True(await rebuild.CancelAsync(View, "a test", null, Token));
        await ShowsAsync(database, (3 * Counters) + added);
        Assert.True((await control.CompareAsync(View, Token)).IsEqual);
        Assert.Empty(await rebuild.ListAsync(Token));
        Assert.Equal(0L, await SqlAsync(database, "select count(*) from pg_class where relnamespace = 'es_views'::regnamespace and relkind = 'r' and relname in ('counter_v1', 'counter_v1_routes', 'counter_v1_tombstones')"));
    }

    /// <summary>How many changes a follower of the view was told of before it heard that the view was made anew.</summary>
    private static async Task<int> ToldOfResetAsync(ViewWatch watch, CancellationToken cancellationToken)
    {
        var changes = 0;
        await foreach (var page in watch.WatchAsync("counter", null, cancellationToken))
        {
            if (page.IsReset)
            {
                return changes;
            }

            changes += page.Changes.Count;
        }

        throw new InvalidOperationException("The feed ended.");
    }

    [Fact]
    public async Task a_rebuild_goes_on_where_its_silo_has_left()
    {
        var database = await postgres.CreateLogAsync();
        await using var first = await TestNode.StartPostgresAsync(database, views: Counted);
        await AddAsync(first, 2);
        await ShowsAsync(database, 2 * Counters);
        var second = await TestNode.StartPostgresAsync(database, beside: first, views: Counted);
        Assert.NotNull(await second.Services.GetRequiredService<RebuildControl>().BeginAsync(View, "to see it move", null, Token));
        await second.DisposeAsync();
        await AddAsync(first, 1);
        var rebuild = first.Services.GetRequiredService<RebuildControl>();
        await Eventually.Async("the table is filled", async () => (await rebuild.ListAsync(Token)).Single().Behind == 0, seconds: 40);
        Assert.IsType<SwitchOutcome.Switched>(await rebuild.SwitchAsync(View, TimeSpan.FromSeconds(20), "it is filled", "ops", Token));
        await AddAsync(first, 1);
        await ShowsAsync(database, 4 * Counters);
        Assert.True(await rebuild.DropRetiredAsync(View, "a test", null, Token));
    }

    [Fact]
    public async Task a_rebuild_in_a_file_is_given_up_and_begun_again()
    {
        using var folder = new TestFolder();
        await using var node = await TestNode.StartAsync(services => Sqlite.SqliteHosting.AddSqliteEventLog(services, o => o.Path = folder.Database), views: Counted);
        var rebuild = node.Services.GetRequiredService<RebuildControl>();
        await AddAsync(node, 2);
        await Eventually.Async("the view is there", async () => (await node.Services.GetRequiredService<ProjectionControl>().CompareAsync(View, Token)) is { IsEqual: true, Rows: Counters });
        Assert.Equal(new SwitchOutcome.NothingBuilt(), await rebuild.SwitchAsync(View, TimeSpan.Zero, "it is filled", "ops", Token));
        await rebuild.BeginAsync(View, "one", null, Token);
        Assert.True(await rebuild.CancelAsync(View, "a test", null, Token));
        Assert.False(await rebuild.CancelAsync(View, "a test", null, Token));
        await rebuild.BeginAsync(View, "two", null, Token);
        Assert.Equal(new SwitchOutcome.Switched(3), await rebuild.SwitchAsync(View, TimeSpan.FromSeconds(20), "it is filled", "ops", Token));
        await AddAsync(node, 1);
        await Eventually.Async("the view goes on", async () => await TotalAsync(node) == 3 * Counters);
        Assert.True((await node.Services.GetRequiredService<ProjectionControl>().CompareAsync(View, Token)).IsEqual);
    }

    [Fact]
    public async Task the_plain_name_goes_over_to_a_newer_version_when_the_last_silo_of_the_older_one_has_left()
    {
        var database = await postgres.CreateLogAsync();
        var old = await TestNode.StartPostgresAsync(database, views: Counted);
        await AddAsync(old, 2);
        await ShowsAsync(database, 2 * Counters);
        await SqlAsync(database, "create role reporter; grant usage on schema es_views to reporter; grant select on es_views.counter to reporter; select 1::bigint");
        await using var next = await TestNode.StartPostgresAsync(database, beside: old, views: silo => silo.AddView(Projection.Of<CounterRowWithCount, CounterEvent>(), 2));
        await AddAsync(next, 1);

        // Both answer from the table of their own version; people still see the old one.
        await Eventually.Async("both versions follow", async () => await TotalAsync(old) == 3 * Counters && await TotalAsync(next) == 3 * Counters);
        Assert.Equal(1L, await SqlAsync(database, "select version::bigint from es_views.live where view = 'counter'"));
        Assert.Equal(1L, await SqlAsync(database, "select count(*) from pg_attribute where attrelid = 'es_views.counter'::regclass and attname not in ('key', 'position')"));
        await old.DisposeAsync();
        await Eventually.Async("the plain name shows the new one", async () => await SqlAsync(database, "select version::bigint from es_views.live where view = 'counter'") == 2, seconds: 40);
        Assert.Equal(3L * Counters, await SqlAsync(database, "set role reporter; select sum(events)::bigint from es_views.counter"));
        Assert.True(await next.Services.GetRequiredService<IViewStore>().DropAsync(View, Token));
    }

    private static void Counted(ISiloBuilder silo) => silo.AddView(Projection.Of<CounterRow, CounterEvent>(), 4);

    private static Task AddAsync(TestNode node, int times) =>
        Task.WhenAll(Enumerable.Range(0, Counters * times).Select(i => node.Grains.GetGrain<ICounterGrain>($"c{i % Counters}").AddAsync(1)));

    private static async Task<int> LoadAsync(TestNode first, TestNode second, CancellationToken cancellationToken)
    {
        var added = 0;
        while (!cancellationToken.IsCancellationRequested)
        {
            await AddAsync(added % 2 == 0 ? first : second, 1);
            added += Counters;
        }

        return added;
    }

    /// <summary>Reads rows and lists all the time; answers how often.</summary>
    private static async Task<int> WatchAsync(TestNode node, CancellationToken cancellationToken)
    {
        var grain = node.Grains.GetGrain<IViewQueryGrain>("counter");
        var seen = new Dictionary<string, long>(StringComparer.Ordinal);
        var reads = 0;
        while (!cancellationToken.IsCancellationRequested)
        {
            var page = (ViewAnswer<ViewRows>)await grain.ListAsync(new RowQuery { Limit = Counters }, new Consistency.Eventual());
            var one = (ViewAnswer<ViewRow?>)await grain.GetAsync($"c{reads % Counters}", new Consistency.Eventual());
            foreach (var row in page.Value.Rows.Append(one.Value!))
            {
                Assert.True(row.Position >= seen.GetValueOrDefault(row.Key), $"{row.Key} went back from {seen.GetValueOrDefault(row.Key)} to {row.Position}.");
                seen[row.Key] = row.Position;
            }

            Assert.Equal(Counters, page.Value.Rows.Count);
            reads++;
        }

        return reads;
    }

    private static async Task<int> TotalAsync(TestNode node)
    {
        var page = (ViewAnswer<ViewRows>)await node.Grains.GetGrain<IViewQueryGrain>("counter").ListAsync(new RowQuery { Limit = Counters }, new Consistency.Eventual());
        return page.Value.Rows.Sum(r => r.Row is CounterRow one ? one.Total : ((CounterRowWithCount)r.Row).Total);
    }

    private static Task ShowsAsync(string database, int total) => Eventually.Async($"{total} under the plain name", async () =>
        await SqlAsync(database, "select case when to_regclass('es_views.counter') is null then 0 else 1 end::bigint") == 1 && await SqlAsync(database, "select coalesce(sum(total), 0)::bigint from es_views.counter") == total);

    private static async Task<long> SqlAsync(string database, string sql)
    {
        await using var source = NpgsqlDataSource.Create(database);
        await using var command = source.CreateCommand(sql);
        return (long)(await command.ExecuteScalarAsync(Token))!;
    }
}

/// <summary>The next version of <see cref="CounterRow"/>: with how many events there were.</summary>
[View("counter", Version = 2)]
public sealed record CounterRowWithCount(int Events, int Total) : IView<CounterRowWithCount, CounterEvent>
{
    public static string? KeyOf(ViewEvent<CounterEvent> e) => e.Recorded.Stream.Key;

    public static CounterRowWithCount? Apply(CounterRowWithCount? row, string key, ViewEvent<CounterEvent> e) => new((row?.Events ?? 0) + 1, (row?.Total ?? 0) + ((Added)e.Event).Amount);
}
