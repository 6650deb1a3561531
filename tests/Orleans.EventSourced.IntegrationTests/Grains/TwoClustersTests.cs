using Microsoft.Extensions.DependencyInjection;
using Orleans.EventSourced.Commands;
using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Grains;
using Orleans.EventSourced.Postgres;
using Orleans.EventSourced.Testing.Clusters;
using Xunit;

namespace Orleans.EventSourced.IntegrationTests.Grains;

/// <summary>Two clusters over one store: every grain is activated twice, and the database is the fence.</summary>
public sealed class TwoClustersTests(PostgresFixture postgres) : IAsyncLifetime
{
    private EventSourcedTestCluster _one = null!;
    private EventSourcedTestCluster _two = null!;

    public async ValueTask InitializeAsync()
    {
        var database = await postgres.CreateLogAsync();
        _one = await new EventSourcedTestClusterBuilder().UseEventTypes(TestNode.Types).UseLog(services => services.AddPostgresEventLog(o => o.ConnectionString = database)).StartAsync();
        _two = await _one.StartTwinAsync();
    }

    public ValueTask DisposeAsync() => _one.DisposeAsync();

    private StreamLoader Loader => _one.Silos[0].Services.GetRequiredService<StreamLoader>();

    [Fact]
    public async Task a_balance_is_never_overdrawn_and_no_event_is_written_twice()
    {
        await _one.Grains.GetGrain<ILedgerGrain>("shared").DepositAsync(50);
        await _two.Grains.GetGrain<ILedgerGrain>("shared").RefreshAsync();

        var withdrawn = await Task.WhenAll(Enumerable.Range(0, 200).Select(async i => await (i % 2 == 0 ? _one : _two).Grains.GetGrain<ILedgerGrain>("shared").WithdrawAsync(1)));

        var events = await Loader.ReadAsync(new StreamId("ledger/shared"), StreamVersion.None);
        Assert.Equal(withdrawn.Count(w => w), events.Count - 1);
        Assert.True(events.Count - 1 <= 50, $"{events.Count - 1} withdrawals from a balance of 50");
        Assert.Equal(events.Count, events.Select(e => e.Id).Distinct().Count());
        Assert.Equal((50 - (events.Count - 1), events.Count), await _two.Grains.GetGrain<ILedgerGrain>("shared").RefreshAsync());
    }

    [Fact]
    public async Task commands_decided_on_both_sides_keep_the_limit_and_take_effect_once()
    {
        var twins = Enumerable.Range(0, 60).Select(i => new CommandContext(CommandId.FromText($"twin {i}").Value) { IsNamed = true }).ToList();
        var results = await Task.WhenAll(twins.SelectMany(c => new[] { AddAsync(_one, c), AddAsync(_two, c) }));

        var events = await Loader.ReadAsync(new StreamId("counter/shared"), StreamVersion.None);
        var accepted = results.OfType<Accepted<CounterEvent>>().ToList();
        Assert.Equal(events.Count, accepted.Count(a => !a.IsRepeated));
        Assert.Equal(accepted.Count, results.Length - results.OfType<Contended<CounterEvent>>().Count());
        Assert.Equal(Enumerable.Range(1, events.Count), events.Select(e => e.Version.Value));
        foreach (var pair in results.Chunk(2).Where(p => p.All(r => r is Accepted<CounterEvent>)))
        {
            Assert.Equal(((Accepted<CounterEvent>)pair[0]).Position, ((Accepted<CounterEvent>)pair[1]).Position);
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task who_says_no_or_does_nothing_has_seen_all_that_is_in_the_log(bool isNamed)
    {
        var (one, two) = (_one.Grains.GetGrain<ICounterGrain>("stale"), _two.Grains.GetGrain<ICounterGrain>("stale"));
        var full = Assert.IsType<Accepted<CounterEvent>>(await one.AddAsync(Counter.Limit)).Version;
        Assert.IsType<Rejected<CounterEvent>>(await SendAsync("no", two, 1));

        // There is room again, and the other side has not heard of it.
        await one.AddAsync(-10);
        Assert.Equal(full + 2, Assert.IsType<Accepted<CounterEvent>>(await SendAsync("yes", two, 1)).Version);
        await two.AddAsync(-10);
        Assert.Equal(full + 3, Assert.IsType<Accepted<CounterEvent>>(await SendAsync("nothing", one, 0)).Version);

        async Task<CommandResult<CounterEvent>> SendAsync(string command, ICounterGrain counter, int amount)
        {
            using (CommandContext.Begin(new CommandContext(CommandId.FromText(command).Value) { IsNamed = isNamed }))
            {
                return await counter.AddAsync(amount);
            }
        }
    }

    private static async Task<CommandResult<CounterEvent>> AddAsync(EventSourcedTestCluster node, CommandContext context)
    {
        using (CommandContext.Begin(context))
        {
            return await node.Grains.GetGrain<ICounterGrain>("shared").AddAsync(1);
        }
    }
}
