using Microsoft.Extensions.DependencyInjection;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Projections;
using Orleans.EventSourced.Grains;
using Orleans.EventSourced.Hosting;
using Orleans.EventSourced.IntegrationTests.Grains;
using Orleans.EventSourced.IntegrationTests.Projections;
using Orleans.EventSourced.Postgres;
using Orleans.EventSourced.Sqlite;
using Orleans.EventSourced.Testing.Clusters;
using Orleans.EventSourced.Testing.Scenarios;
using Xunit;

namespace Orleans.EventSourced.IntegrationTests.Testing;

/// <summary>The cluster of the test kit, on each store.</summary>
public sealed class EventSourcedTestClusterTests(PostgresFixture postgres)
{
    [Fact]
    public async Task the_silos_of_a_cluster_share_one_log_and_its_views()
    {
        await using var cluster = await Counters().WithSilos(2).StartAsync();
        var added = Assert.IsType<Accepted<CounterEvent>>(await cluster.Silos[0].Grains.GetGrain<ICounterGrain>("a").AddAsync(3));
        Assert.Equal(3, (await cluster.Silos[1].Grains.GetGrain<ICounterGrain>("a").GetAsync()).Total);

        await cluster.WaitForProjectionsAsync(new LogPosition(added.Position));
        foreach (var silo in cluster.Silos)
        {
            Assert.Equal(1, (await silo.Log.ReadHeadAsync(CancellationToken.None)).Position.Value);
            Assert.Equal(new CounterRow(3), (await silo.View<CounterRow>().ReadAsync("a", Slice.Of("a", 1), CancellationToken.None)).Row!.Row);
        }
    }

    [Fact]
    public async Task what_a_killed_silo_did_goes_on_at_the_others_and_one_that_is_restarted_serves_again()
    {
        await using var cluster = await Counters(slices: 4).WithSilos(2).StartAsync();
        for (var i = 0; i < 20; i++)
        {
            await cluster.Grains.GetGrain<ICounterGrain>($"c{i}").AddAsync(1);
        }

        var killed = cluster.Silos[1];
        await cluster.KillSiloAsync(killed);
        Assert.Equal([cluster.Silos[0].Address], cluster.Silos.Select(s => s.Address));
        await Assert.ThrowsAsync<ArgumentException>(() => cluster.StopSiloAsync(killed));
        for (var i = 0; i < 20; i++)
        {
            Assert.Equal(2, Assert.IsType<Accepted<CounterEvent>>(await Eventually.ServedAsync(() => cluster.Grains.GetGrain<ICounterGrain>($"c{i}").AddAsync(1))).Version);
        }

        await cluster.WaitForProjectionsAsync(timeout: TimeSpan.FromSeconds(30));
        var started = await cluster.StartSiloAsync();
        Assert.Equal(2, (await started.Grains.GetGrain<ICounterGrain>("c0").GetAsync()).Total);
        var name = cluster.Silos[0].Name;
        var again = await cluster.RestartSiloAsync(cluster.Silos[0]);
        Assert.Equal(name, again.Name);
        Assert.Contains(again, cluster.Silos);
        Assert.Equal((2, 2), (cluster.Silos.Count, (await again.Grains.GetGrain<ICounterGrain>("c1").GetAsync()).Total));
        await cluster.WaitForProjectionsAsync(timeout: TimeSpan.FromSeconds(30));
    }

    [Fact]
    public async Task a_log_is_wrapped_on_every_silo_the_last_wrapper_outermost()
    {
        await using var cluster = await Counters().WithSilos(2).WrapLog(log => new CountingLog(log)).WrapLog(log => new CountingLog(log)).StartAsync();
        await cluster.Grains.GetGrain<ICounterGrain>("a").AddAsync(1);
        await Assert.IsType<CountingLog>(cluster.Silos[1].LogAs<CountingLog>()).ReadStreamsAsync([new StreamRead(new StreamId("counter/a"), StreamVersion.None, 10)], CancellationToken.None);
        Assert.Equal(1, cluster.Silos[1].LogAs<CountingLog>().EventsRead);
        Assert.Contains(nameof(CountingLog), Assert.Throws<InvalidOperationException>(() => cluster.Silos[0].LogAs<InMemoryEventLog>()).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task a_sqlite_file_outlives_the_silo_that_is_killed_on_it()
    {
        using var folder = new TestFolder();
        await using var cluster = await Counters().UseLog(services => services.AddSqliteEventLog(o => o.Path = folder.Database)).StartAsync();
        await cluster.Grains.GetGrain<ICounterGrain>("a").AddAsync(1);
        await cluster.KillSiloAsync(cluster.Silos[0]);
        Assert.Throws<InvalidOperationException>(() => cluster.Grains);

        await cluster.StartSiloAsync();
        await cluster.Grains.GetGrain<ICounterGrain>("a").AddAsync(1);
        Assert.Equal(2, (await cluster.Grains.GetGrain<ICounterGrain>("a").GetAsync()).Total);
        await cluster.WaitForProjectionsAsync();
    }

    [Fact]
    public async Task a_cluster_on_postgres_keeps_its_views_there()
    {
        var database = await postgres.CreateDatabaseAsync();
        await PostgresSchema.MigrateAsync(new PostgresOptions { ConnectionString = database }, CancellationToken.None);
        await using var cluster = await Counters().WithSilos(2).UseLog(services => services.AddPostgresEventLog(o => o.ConnectionString = database)).StartAsync();
        await cluster.Grains.GetGrain<ICounterGrain>("a").AddAsync(5);
        await cluster.WaitForProjectionsAsync();
        Assert.Equal(new CounterRow(5), (await cluster.Silos[1].View<CounterRow>().ReadAsync("a", Slice.Of("a", 1), CancellationToken.None)).Row!.Row);
    }

    [Fact]
    public async Task a_cluster_without_a_log_or_without_event_types_says_so_at_its_start()
    {
        Assert.Contains("IEventLog", (await Assert.ThrowsAsync<InvalidOperationException>(() => Counters().UseLog(_ => { }).StartAsync())).Message, StringComparison.Ordinal);
        Assert.Contains("EventTypes", (await Assert.ThrowsAnyAsync<Exception>(() => new EventSourcedTestClusterBuilder().StartAsync())).ToString(), StringComparison.Ordinal);
        Assert.Throws<ArgumentOutOfRangeException>(() => new EventSourcedTestClusterBuilder().WithSilos(17));
    }

    [Fact]
    public async Task who_is_late_is_told_with_view_slice_place_silo_and_reason()
    {
        await using var cluster = await Counters(slices: 4).StartAsync();
        await cluster.Grains.GetGrain<ICounterGrain>("c0").AddAsync(CounterRow.Poison);
        await cluster.Grains.GetGrain<ICounterGrain>("c1").AddAsync(1);
        var head = (await cluster.Log.ReadHeadAsync(CancellationToken.None)).Position;
        var late = await Assert.ThrowsAsync<ExpectationException>(() => cluster.WaitForProjectionsAsync(head, TimeSpan.FromSeconds(2)));
        var row = late.Message.Split('\n').Single(line => line.Contains("counter", StringComparison.Ordinal));
        Assert.Contains("1 of 4 slices", late.Message, StringComparison.Ordinal);
        foreach (var part in new[] { "Stopped", cluster.Silos[0].Address.ToString(), Slice.Of("c0", 4).Index.ToString(System.Globalization.CultureInfo.InvariantCulture) })
        {
            Assert.Contains(part, row, StringComparison.Ordinal);
        }

        var status = (await cluster.Silos[0].Projections.ListAsync()).Single(s => s.Status.State == ProjectionState.Stopped).Status;
        Assert.EndsWith(status.Fault!, row.TrimEnd(), StringComparison.Ordinal);
    }

    private static EventSourcedTestClusterBuilder Counters(int slices = 1) => new EventSourcedTestClusterBuilder()
        .UseEventTypes(TestNode.Types)
        .ConfigureSilo(silo => silo.AddView(Projection.Of<CounterRow, CounterEvent>(), slices));
}
