using Orleans.EventSourced.Commands;
using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Grains;
using Xunit;

namespace Orleans.EventSourced.IntegrationTests.Grains;

/// <summary>Calls that a grain makes while it is activated for somebody's command.</summary>
public sealed class ActivationCallsTests : IAsyncLifetime
{
    private readonly TestFolder _folder = new();
    private TestNode _node = null!;

    public async ValueTask InitializeAsync() => _node = await TestNode.StartAsync(_folder.Database);

    public async ValueTask DisposeAsync()
    {
        await _node.DisposeAsync();
        _folder.Dispose();
    }

    [Fact]
    public async Task calls_made_while_activated_are_commands_of_their_own_and_take_effect_once_when_the_command_is_sent_again()
    {
        var context = new CommandContext(CommandId.FromText("greet").Value) { IsNamed = true, RequestHash = "greet" };
        for (var i = 0; i < 2; i++)
        {
            using (CommandContext.Begin(context))
            {
                await Greeter("a").GreetAsync();
            }

            await Greeter("a").LeaveAsync();
        }

        var events = await GreetedAsync("a");
        Assert.Equal([1, 2, 3], events.Select(e => e.Amount));
        Assert.All(events, e => Assert.Equal((context.Command.ToString(), context.Command.ToString(), null), (e.Metadata.Causation, e.Metadata.Correlation, e.Metadata.RequestHash)));
        Assert.Equal(3, events.Select(e => e.Metadata.Command).Distinct().Count());
    }

    [Fact]
    public async Task the_version_that_a_command_expects_is_not_expected_of_the_calls_made_while_activated()
    {
        using (CommandContext.Begin(new CommandContext(CommandId.New(TimeProvider.System).Value) { ExpectedVersion = 5 }))
        {
            await Greeter("a").GreetAsync();
        }

        Assert.Equal([1, 2, 3], (await GreetedAsync("a")).Select(e => e.Amount));
    }

    [Fact]
    public async Task a_context_that_the_grain_sets_for_such_a_call_is_kept()
    {
        using (CommandContext.Begin(new CommandContext(CommandId.New(TimeProvider.System).Value)))
        {
            await Greeter(GreeterGrain.WithItsOwnContext).GreetAsync();
        }

        Assert.Equal(GreeterGrain.Own.Command, (await GreetedAsync(GreeterGrain.WithItsOwnContext))[0].Metadata.Command.Value);
    }

    private IGreeterGrain Greeter(string key) => _node.Grains.GetGrain<IGreeterGrain>(key);

    private async Task<List<(int Amount, EventMetadata Metadata)>> GreetedAsync(string key)
    {
        var codec = new JsonEventCodec(TestNode.Types);
        var recorded = await _node.Loader.ReadAsync(new StreamId("counter", key), StreamVersion.None);
        return [.. recorded.Select(e => (((Added)codec.Decode(e)).Amount, EventMetadata.Parse(e.Metadata)))];
    }
}

/// <summary>Makes two calls while it is activated, and a third when it is called.</summary>
[GrainType("greeter")]
public sealed class GreeterGrain : Grain, IGreeterGrain
{
    public const string WithItsOwnContext = "own";

    public static CommandContext Own { get; } = new(CommandId.FromText("own").Value) { IsNamed = true };

    private ICounterGrain Greeted => GrainFactory.GetGrain<ICounterGrain>(this.GetPrimaryKeyString());

    public override async Task OnActivateAsync(CancellationToken cancellationToken)
    {
        using (this.GetPrimaryKeyString() == WithItsOwnContext ? CommandContext.Begin(Own) : default(IDisposable))
        {
            Assert.IsType<Accepted<CounterEvent>>(await Greeted.AddAsync(1));
        }

        Assert.IsType<Accepted<CounterEvent>>(await Greeted.AddAsync(2));
    }

    public async Task GreetAsync() => Assert.IsType<Accepted<CounterEvent>>(await Greeted.AddAsync(3));

    public Task LeaveAsync()
    {
        DeactivateOnIdle();
        return Task.CompletedTask;
    }
}

[Alias("tests.IGreeterGrain")]
public interface IGreeterGrain : IGrainWithStringKey
{
    Task GreetAsync();

    Task LeaveAsync();
}
