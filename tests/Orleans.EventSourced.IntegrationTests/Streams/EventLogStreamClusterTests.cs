using Microsoft.Extensions.DependencyInjection;
using Orleans.Configuration;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Projections;
using Orleans.EventSourced.Hosting;
using Orleans.EventSourced.IntegrationTests.Grains;
using Orleans.EventSourced.Postgres;
using Orleans.EventSourced.Streams;
using Orleans.Runtime.Messaging;
using Orleans.TestingHost;
using Xunit;

namespace Orleans.EventSourced.IntegrationTests.Streams;

/// <summary>The log as a stream provider on two silos over PostgreSQL, which also keeps the explicit subscriptions.</summary>
public sealed class EventLogStreamClusterTests(PostgresFixture postgres)
{
    private const int Slices = 4;
    private const int Writers = 20;
    private readonly Deliveries _deliveries = new();
    private int _deposits;

    [Fact]
    public async Task while_one_of_two_silos_is_killed_every_slice_stays_whole_and_in_order()
    {
        var options = new PostgresOptions { ConnectionString = await postgres.CreateLogAsync() };
        await using var cluster = await StartAsync(options);
        await cluster.Client.GetGrain<IReaderGrain>("reader").SubscribeAsync(EventLogStreams.TokenFrom(LogPosition.Start));
        await DepositUntilAsync(cluster, 400);
        await WholeAsync(cluster);

        var victim = await BusierAsync(cluster);
        var writing = DepositUntilAsync(cluster, 4_000);
        await Eventually.Async("some are written", () => Task.FromResult(Volatile.Read(ref _deposits) > 1_000));
        await cluster.KillSiloAsync(victim);
        await writing;
        await WholeAsync(cluster);

        await cluster.StartAdditionalSiloAsync();
        await DepositUntilAsync(cluster, 4_400);
        await WholeAsync(cluster);
    }

    /// <summary>Waits until all subscribers have what is in the log, and checks that it came without gap and in order, slice by slice.</summary>
    private async Task WholeAsync(InProcessTestCluster cluster)
    {
        var log = cluster.GetActiveSilos().First().ServiceProvider.GetRequiredService<IEventLog>();
        var events = (await log.ReadLogAsync(LogPosition.Start, int.MaxValue, CancellationToken.None)).Where(e => e.Stream.Type == "ledger").ToLookup(e => Slice.Of(e.Stream.Value, Slices).Index, e => e.Position.Value);
        for (var i = 0; i < Slices; i++)
        {
            string[] subscribers = [KeeperGrain.NameOf(i), TrustingGrain.NameOf($"{i}"), EverythingGrain.NameOf(i), .. i == 0 ? ["reader"] : Array.Empty<string>()];
            var expected = events[i].ToList();
            foreach (var subscriber in subscribers)
            {
                await Eventually.Async($"all {expected.Count} events are with {subscriber}", () => Task.FromResult(_deliveries.PositionsOf(subscriber).Distinct().Count() >= expected.Count), seconds: 60);
                Assert.Equal(expected, _deliveries.PositionsOf(subscriber).Distinct());
                Assert.All(_deliveries.Of(subscriber), e => Assert.IsType<Deposited>(e.Event));
            }
        }
    }

    /// <summary>Deposits into some ledgers at a time; a call that failed is made again, as the log decides what became of it.</summary>
    private Task DepositUntilAsync(InProcessTestCluster cluster, int total) => Task.WhenAll(Enumerable.Range(0, Writers).Select(async i =>
    {
        while (Volatile.Read(ref _deposits) < total)
        {
            try
            {
                await cluster.Client.GetGrain<ILedgerGrain>($"l{i}").DepositAsync(1);
                Interlocked.Increment(ref _deposits);
            }
            catch (Exception e) when (e is SiloUnavailableException or ConnectionFailedException or OrleansMessageRejectionException or TimeoutException or LogException)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(50), TimeProvider.System);
            }
        }
    }));

    /// <summary>The silo with more of the subscribers.</summary>
    private static async Task<InProcessSiloHandle> BusierAsync(InProcessTestCluster cluster)
    {
        var where = await Task.WhenAll(Enumerable.Range(0, Slices).Select(i => cluster.Client.GetGrain<IKeeperGrain>($"{i}").WhereAsync()));
        return cluster.Silos.MaxBy(s => where.Count(w => w == s.SiloAddress))!;
    }

    private async Task<InProcessTestCluster> StartAsync(PostgresOptions options)
    {
        var orleans = PostgresConnectionString.ForOrleans(options);
        var builder = new InProcessTestClusterBuilder(2);
        builder.ConfigureSilo((_, silo) =>
        {
            silo.Services.AddPostgresEventLog(o => o.ConnectionString = options.ConnectionString);
            silo.Services.AddSingleton(_deliveries);
            silo.AddAdoNetGrainStorage("PubSubStore", o => (o.Invariant, o.ConnectionString) = ("Npgsql", orleans));
            silo.AddEventSourcing(o => o.EventTypes = TestNode.Types);
            silo.AddEventLogStreams(configure: o => o.Slices = Slices);
            silo.Configure<SiloMessagingOptions>(o => o.ResponseTimeout = TimeSpan.FromSeconds(5));
            silo.Configure<ClusterMembershipOptions>(o => (o.ProbeTimeout, o.NumMissedProbesLimit, o.NumVotesForDeathDeclaration) = (TimeSpan.FromSeconds(1), 2, 1));
        });
        builder.ConfigureClient(client => client.Configure<ClientMessagingOptions>(o => o.ResponseTimeout = TimeSpan.FromSeconds(5)));
        var cluster = builder.Build();
        await cluster.DeployAsync();
        return cluster;
    }
}
