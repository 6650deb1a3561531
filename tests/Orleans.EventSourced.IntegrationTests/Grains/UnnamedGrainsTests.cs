using Microsoft.Extensions.DependencyInjection;
using Orleans.Configuration;
using Orleans.EventSourced.Grains;
using Orleans.EventSourced.Sqlite;
using Orleans.EventSourcing;
using Xunit;

namespace Orleans.EventSourced.IntegrationTests.Grains;

/// <summary>
/// A journaled grain without <c>[GrainType]</c> would lose its streams when its class is renamed. The classes here are private, so that Orleans' generator does not
/// list them and no other silo of this assembly has them; these silos add them to their list by hand.
/// </summary>
public sealed class UnnamedGrainsTests : IDisposable
{
    private readonly TestFolder _folder = new();

    [Theory]
    [InlineData(typeof(UnnamedJournal))]
    [InlineData(typeof(UnnamedDecider))]
    [InlineData(typeof(UnnamedHeirOfNamed))]
    public async Task a_silo_with_a_journaled_grain_without_a_name_of_its_own_does_not_start_and_says_which(Type unnamed)
    {
        var e = await Assert.ThrowsAsync<OrleansConfigurationException>(() => StartAsync(unnamed));
        Assert.Contains("[GrainType(\"name\")]", e.Message, StringComparison.Ordinal);
        Assert.EndsWith($": {unnamed.FullName}.", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task all_the_classes_without_a_name_are_told_at_once()
    {
        var e = await Assert.ThrowsAsync<OrleansConfigurationException>(() => StartAsync(typeof(UnnamedJournal), typeof(Named), typeof(UnnamedDecider)));
        Assert.Contains(typeof(UnnamedJournal).FullName!, e.Message, StringComparison.Ordinal);
        Assert.Contains(typeof(UnnamedDecider).FullName!, e.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(typeof(Named).FullName!, e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task a_name_is_asked_of_journaled_grains_only()
    {
        await using var node = await StartAsync(typeof(Named), typeof(UnnamedWithoutJournal));
        await node.Grains.GetGrain<ILedgerGrain>("a").DepositAsync(1);
    }

    public void Dispose() => _folder.Dispose();

    private Task<TestNode> StartAsync(params Type[] grains) => TestNode.StartAsync(services =>
    {
        services.AddSqliteEventLog(o => o.Path = _folder.Database);
        services.Configure<GrainTypeOptions>(o => o.Classes.UnionWith(grains));
    });

    private sealed class UnnamedJournal : JournaledGrain<LedgerState, LedgerEvent>;

    private sealed class UnnamedDecider : EventSourcedGrain<Counter, CounterEvent>;

    [GrainType("named-base")]
    private class Named : JournaledGrain<LedgerState, LedgerEvent>;

    private sealed class UnnamedHeirOfNamed : Named;

    private sealed class UnnamedWithoutJournal : Grain;
}
