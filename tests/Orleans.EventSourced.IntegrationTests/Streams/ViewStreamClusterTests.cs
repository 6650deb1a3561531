using Microsoft.Extensions.DependencyInjection;
using Orleans.Configuration;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Projections;
using Orleans.EventSourced.Hosting;
using Orleans.EventSourced.IntegrationTests.Grains;
using Orleans.EventSourced.Postgres;
using Orleans.EventSourced.Queries;
using Orleans.EventSourced.Streams;
using Orleans.Providers;
using Orleans.Providers.Streams.Common;
using Orleans.Runtime.Messaging;
using Orleans.Streams;
using Orleans.TestingHost;
using Xunit;

namespace Orleans.EventSourced.IntegrationTests.Streams;

/// <summary>The changes of a view as a stream on two silos over PostgreSQL.</summary>
public sealed class ViewStreamClusterTests(PostgresFixture postgres)
{
    private const int Counters = 20;
    private static readonly string[] Followers = [ViewKeeperGrain.Name, .. Enumerable.Range(0, 8).Select(i => $"follower{i}")];
    private readonly KeptRows _kept = new();
    private int _added;

    [Fact]
    public async Task when_the_silo_that_reads_the_view_is_killed_followers_on_both_silos_have_the_view_in_the_end()
    {
        var options = new PostgresOptions { ConnectionString = await postgres.CreateLogAsync() };
        await using var cluster = await StartAsync(options);
        await Task.WhenAll(Followers[1..].Select(f => cluster.Client.GetGrain<IFollowerGrain>(f).FollowAsync(null)));
        await AddUntilAsync(cluster, 100);
        await WholeAsync(cluster);
        var where = await Task.WhenAll(Followers[1..].Select(f => cluster.Client.GetGrain<IFollowerGrain>(f).WhereAsync()));
        Assert.Equal(2, where.Distinct().Count());

        var writing = AddUntilAsync(cluster, 1_500);
        await Eventually.Async("some are written", () => Task.FromResult(Volatile.Read(ref _added) > 500));
        await cluster.KillSiloAsync(await ReaderAsync(cluster));
        await writing;
        await WholeAsync(cluster);
        Assert.All(Followers, f => Assert.Equal(0, _kept.ResetsOf(f)));
    }

    /// <summary>The silo on which the agent of the view's stream runs.</summary>
    private static async Task<InProcessSiloHandle> ReaderAsync(InProcessTestCluster cluster)
    {
        foreach (var silo in cluster.Silos)
        {
            var provider = (IControllable)silo.ServiceProvider.GetRequiredKeyedService<IStreamProvider>(ViewStreams.DefaultName);
            if ((int)(await provider.ExecuteCommand((int)PersistentStreamProviderCommand.GetNumberRunningAgents, null!))! == 1)
            {
                return silo;
            }
        }

        throw new InvalidOperationException("No silo reads the view.");
    }

    private async Task WholeAsync(InProcessTestCluster cluster)
    {
        var silo = cluster.GetActiveSilos().First().ServiceProvider;
        var head = (await silo.GetRequiredService<IEventLog>().ReadHeadAsync(CancellationToken.None)).Position.Value;
        var view = silo.GetRequiredService<IGrainFactory>().GetGrain<IViewQueryGrain>("standing");
        Dictionary<string, (object Row, long Position)> expected = [];
        await Eventually.Async(
            $"the view is at {head}",
            async () =>
            {
                // Not a wait for the position: it would outlast the time that a call may take here.
                var answer = await view.ListAsync(new RowQuery { Limit = RowQuery.MaxLimit }, new Consistency.AtLeast(head, TimeSpan.Zero)) as ViewAnswer<ViewRows>;
                expected = answer?.Value.Rows.ToDictionary(r => r.Key, r => (r.Row, r.Position)) ?? [];
                return answer is not null;
            },
            seconds: 40);
        Assert.Equal(Counters, expected.Count);
        foreach (var follower in Followers)
        {
            await Eventually.Async(
                $"{follower} has the {expected.Count} rows",
                () => Task.FromResult(_kept.RowsOf(follower) is var rows && rows.Count == expected.Count && rows.All(r => r.Value.Equals(expected.GetValueOrDefault(r.Key)))),
                seconds: 40);
        }
    }

    /// <summary>Adds to all counters at a time; a call that failed is made again, as the log decides what became of it.</summary>
    private Task AddUntilAsync(InProcessTestCluster cluster, int total) => Task.WhenAll(Enumerable.Range(0, Counters).Select(async i =>
    {
        while (Volatile.Read(ref _added) < total)
        {
            try
            {
                await cluster.Client.GetGrain<ICounterGrain>($"c{i}").AddAsync(1);
                Interlocked.Increment(ref _added);
            }
            catch (Exception e) when (e is SiloUnavailableException or ConnectionFailedException or OrleansMessageRejectionException or TimeoutException or LogException)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(50), TimeProvider.System);
            }
        }
    }));

    private async Task<InProcessTestCluster> StartAsync(PostgresOptions options)
    {
        var orleans = PostgresConnectionString.ForOrleans(options);
        var builder = new InProcessTestClusterBuilder(2);
        builder.ConfigureSilo((_, silo) =>
        {
            silo.Services.AddPostgresEventLog(o => o.ConnectionString = options.ConnectionString);
            silo.Services.AddSingleton(_kept);
            silo.AddAdoNetGrainStorage("PubSubStore", o => (o.Invariant, o.ConnectionString) = ("Npgsql", orleans));
            silo.AddEventSourcing(o => o.EventTypes = TestNode.Types);
            silo.AddView(Projection.Of<Standing, CounterEvent>());
            silo.AddViewStreams();
            silo.Configure<SiloMessagingOptions>(o => o.ResponseTimeout = TimeSpan.FromSeconds(5));
            silo.Configure<ClusterMembershipOptions>(o => (o.ProbeTimeout, o.NumMissedProbesLimit, o.NumVotesForDeathDeclaration) = (TimeSpan.FromSeconds(1), 2, 1));
        });
        builder.ConfigureClient(client => client.Configure<ClientMessagingOptions>(o => o.ResponseTimeout = TimeSpan.FromSeconds(5)));
        var cluster = builder.Build();
        await cluster.DeployAsync();
        return cluster;
    }
}
