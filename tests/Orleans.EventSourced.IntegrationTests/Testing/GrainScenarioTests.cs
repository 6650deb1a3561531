using Orleans.EventSourced.Core.Projections;
using Orleans.EventSourced.Grains;
using Orleans.EventSourced.Hosting;
using Orleans.EventSourced.IntegrationTests.Grains;
using Orleans.EventSourced.IntegrationTests.Projections;
using Orleans.EventSourced.Testing.Clusters;
using Orleans.EventSourced.Testing.Scenarios;
using Xunit;

namespace Orleans.EventSourced.IntegrationTests.Testing;

/// <summary>Given, when, then on real grains.</summary>
public sealed class GrainScenarioTests(GrainScenarioTests.Counters counters) : IClassFixture<GrainScenarioTests.Counters>
{
    private readonly EventSourcedTestCluster _cluster = counters.Cluster;

    [Fact]
    public async Task what_is_given_is_the_history_that_a_command_is_decided_on()
    {
        var outcome = await Counter("history").Given(new Added(4), new Added(5)).When(g => g.AddAsync(25)).ThenAsync(new Added(10), new Added(10), new Added(5));
        Assert.Equal(5, Assert.IsType<Accepted<CounterEvent>>(outcome.Result).Version);
        Assert.Equal(34, outcome.StateOf<Counter>().Total);
        Assert.Equal([3, 4, 5], outcome.Events.Select(e => e.Version.Value));

        await _cluster.WaitForProjectionsAsync();
        Assert.Equal(new CounterRow(34), (await _cluster.Silos[0].View<CounterRow>().ReadAsync("history", new Slice(0, 1), CancellationToken.None)).Row!.Row);
    }

    [Fact]
    public async Task a_grain_that_is_active_learns_of_what_is_given()
    {
        var grain = _cluster.Grains.GetGrain<ICounterGrain>("active");
        await grain.AddAsync(1);
        await _cluster.Scenario<ICounterGrain, CounterEvent>(grain).Given(new Added(Grains.Counter.Limit - 1)).When(g => g.AddAsync(1)).ThenRejectedAsync("limit");
        Assert.Equal((Grains.Counter.Limit, 2), (await grain.GetAsync()) is var now ? (now.Total, now.Version) : default);
    }

    [Fact]
    public async Task nothing_happens_and_other_refusals_are_told_apart()
    {
        await Counter("nothing").Given(new Added(1)).When(g => g.AddAsync(0)).ThenNothingAsync();
        Assert.Contains("should make nothing happen, and made 1 event", await MessageAsync(() => Counter("something").When(g => g.AddAsync(1)).ThenNothingAsync()), StringComparison.Ordinal);
        Assert.Contains("rejected as 'other', and was as 'limit'", await MessageAsync(() => Counter("other").When(g => g.AddAsync(9_999)).ThenRejectedAsync("other")), StringComparison.Ordinal);
        Assert.Contains("and was accepted", await MessageAsync(() => Counter("accepted").When(g => g.AddAsync(1)).ThenRejectedAsync("limit")), StringComparison.Ordinal);
        Assert.Contains("should be accepted", await MessageAsync(() => Counter("refused").When(g => g.AddAsync(9_999)).ThenAsync(new Added(1))), StringComparison.Ordinal);
    }

    [Fact]
    public async Task a_difference_is_shown_as_the_log_has_it()
    {
        var message = await MessageAsync(() => Counter("shown").Given(new Added(3)).When(grain => grain.AddAsync(15)).ThenAsync(new Added(10), new Added(6)));
        Assert.Equal(
            """
            grain => grain.AddAsync(15) on counter/shown did not make the expected events happen: event 2, $.amount is 5; expected is 6.
            Expected:
                1  counter-added {"amount":10}
              > 2  counter-added {"amount":6}
            Actual:
                1  counter-added {"amount":10}
              > 2  counter-added {"amount":5}
            Given:
                1  counter-added {"amount":3}
            """,
            message);
    }

    [Fact]
    public async Task a_journaled_grain_is_called_and_its_events_are_read()
    {
        var grain = _cluster.Grains.GetGrain<ILedgerGrain>("plain");
        var outcome = await _cluster.Scenario<ILedgerGrain, LedgerEvent>(grain).WhenCalled(g => g.DepositAsync(5)).ThenAsync(new Deposited(5));
        Assert.Null(outcome.Result);
    }

    [Fact]
    public async Task more_is_given_than_one_command_may_write()
    {
        var given = Enumerable.Repeat(new Added(1), 2_500).ToList();
        var outcome = await Counter("long").Given(given).When(g => g.AddAsync(1)).ThenAsync(new Added(1));
        Assert.Equal(2_501, Assert.Single(outcome.Events).Version.Value);
    }

    private GrainScenario<ICounterGrain, CounterEvent> Counter(string key) => _cluster.Scenario<ICounterGrain, CounterEvent>(_cluster.Grains.GetGrain<ICounterGrain>(key));

    private static async Task<string> MessageAsync(Func<Task> expectation) => (await Assert.ThrowsAsync<ExpectationException>(expectation)).Message;

    public sealed class Counters : IAsyncLifetime
    {
        public EventSourcedTestCluster Cluster { get; private set; } = null!;

        public async ValueTask InitializeAsync() => Cluster = await new EventSourcedTestClusterBuilder()
            .UseEventTypes(TestNode.Types)
            .ConfigureSilo(silo => silo.AddView(Projection.Of<CounterRow, CounterEvent>()))
            .StartAsync();

        public ValueTask DisposeAsync() => Cluster.DisposeAsync();
    }
}
