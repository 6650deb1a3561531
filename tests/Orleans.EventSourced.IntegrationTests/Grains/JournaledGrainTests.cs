using Orleans.EventSourced.Commands;
using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.LogConsistency;
using Xunit;

namespace Orleans.EventSourced.IntegrationTests.Grains;

/// <summary>A plain JournaledGrain works unchanged, with every member of its API.</summary>
public sealed class JournaledGrainTests : IAsyncLifetime
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
    public async Task a_stream_of_large_events_is_read_to_its_end()
    {
        var stream = new StreamId("ledger/large");
        for (var i = 0; i < 12; i++)
        {
            var command = CommandId.New(TimeProvider.System);
            var data = System.Text.Encoding.UTF8.GetBytes($$"""{"amount":1{{new string(' ', 700_000)}}}""");
            await _node.Log.AppendAsync([new AppendRequest(stream, ExpectedVersion.Any, [new NewEvent(EventId.Derive(command, stream, 0), "ledger-deposited", 1, data, new EventMetadata(command).ToJson())])], CancellationToken.None);
        }

        Assert.Equal((12, 12), await _node.Grains.GetGrain<ILedgerGrain>("large").GetAsync());
        Assert.Equal(12, (await _node.Grains.GetGrain<ILedgerGrain>("large").HistoryAsync(0, 12)).Length);
    }

    [Fact]
    public async Task confirmed_events_are_in_the_log_and_a_new_activation_replays_them()
    {
        var ledger = Ledger("a");
        await ledger.DepositAsync(10);
        await ledger.DepositAllAsync([1, 2, 3]);
        await ledger.LeaveAsync();

        Assert.Equal((16, 4), await Ledger("a").GetAsync());
        var events = await _node.Loader.ReadAsync(new StreamId("ledger/a"), StreamVersion.None);
        Assert.Equal(["ledger-deposited", "ledger-deposited", "ledger-deposited", "ledger-deposited"], events.Select(e => e.Type));
        Assert.Equal([1L, 2, 3, 4], events.Select(e => e.Position.Value));
    }

    [Fact]
    public async Task a_raised_event_is_tentative_until_it_is_confirmed_and_is_written_without_being_asked()
    {
        var (confirmed, tentative, unconfirmed) = await Ledger("a").RaiseWithoutConfirmingAsync(5);
        Assert.Equal((0, 5, 1), (confirmed, tentative, unconfirmed));
        Assert.Equal((5, 1), await Ledger("a").GetAsync());
    }

    [Fact]
    public async Task a_conditional_event_is_refused_by_the_state_or_written()
    {
        await Ledger("a").DepositAsync(10);
        Assert.False(await Ledger("a").WithdrawAsync(11));
        Assert.True(await Ledger("a").WithdrawAsync(10));
        Assert.Equal((0, 2), await Ledger("a").GetAsync());
    }

    [Fact]
    public async Task a_conditional_event_loses_against_another_writer_and_writes_nothing()
    {
        await Ledger("a").DepositAsync(10);
        await AppendBehindItsBackAsync("a", new Withdrawn(10));

        Assert.False(await Ledger("a").WithdrawAsync(10));
        Assert.Equal((0, 2), await Ledger("a").GetAsync());
        Assert.Equal(2, (await _node.Loader.ReadAsync(new StreamId("ledger/a"), StreamVersion.None)).Count);
    }

    [Fact]
    public async Task an_unconditional_event_goes_behind_what_another_writer_wrote()
    {
        await Ledger("a").DepositAsync(10);
        await AppendBehindItsBackAsync("a", new Withdrawn(4));
        await Ledger("a").DepositAsync(1);
        Assert.Equal((7, 3), await Ledger("a").GetAsync());
    }

    [Fact]
    public async Task after_a_conflict_the_tentative_state_is_rebuilt_from_what_is_there()
    {
        await Ledger("a").DepositAsync(10);
        await AppendBehindItsBackAsync("a", new Withdrawn(4));
        await Ledger("a").DepositAsync(1);
        var (confirmed, tentative, _) = await Ledger("a").RaiseWithoutConfirmingAsync(100);
        Assert.Equal((7, 107), (confirmed, tentative));
    }

    [Fact]
    public async Task refresh_now_reads_what_another_writer_wrote()
    {
        await Ledger("a").DepositAsync(10);
        await AppendBehindItsBackAsync("a", new Withdrawn(4));
        Assert.Equal((10, 1), await Ledger("a").GetAsync());
        Assert.Equal((6, 2), await Ledger("a").RefreshAsync());
    }

    [Fact]
    public async Task confirmed_events_can_be_retrieved_by_version()
    {
        await Ledger("a").DepositAllAsync([1, 2, 3, 4, 5]);
        Assert.Equal((int[])[2, 3], await Ledger("a").HistoryAsync(1, 3));
        Assert.Equal((int[])[1, 2, 3, 4, 5], await Ledger("a").HistoryAsync(0, 5));
    }

    [Fact]
    public async Task facts_are_not_erased()
    {
        await Ledger("a").DepositAsync(10);
        await Assert.ThrowsAsync<NotSupportedException>(() => Ledger("a").ClearAsync());
        Assert.Equal((10, 1), await Ledger("a").GetAsync());
    }

    [Fact]
    public async Task an_event_that_the_state_refuses_reaches_the_caller_as_its_own_exception_and_is_not_written()
    {
        await Ledger("a").DepositAsync(10);
        var e = await Assert.ThrowsAsync<InvalidOperationException>(() => Ledger("a").PoisonAsync("the state refuses this"));
        Assert.Equal("the state refuses this", e.Message);
        Assert.Equal((10, 1), await Eventually.ServedAsync(() => Ledger("a").GetAsync()));
        await Ledger("a").DepositAsync(1);
        Assert.Equal((11, 2), await Ledger("a").GetAsync());
    }

    [Fact]
    public async Task a_command_sent_twice_takes_effect_once_and_so_do_the_calls_it_makes()
    {
        var context = new CommandContext(CommandId.FromText("pay").Value) { IsNamed = true };
        for (var i = 0; i < 2; i++)
        {
            using (CommandContext.Begin(context))
            {
                await Ledger("payer").PayAsync("payee", 5, times: 2);
            }

            await Ledger("payer").LeaveAsync();
        }

        Assert.Equal((-10, 1), await Ledger("payer").GetAsync());
        Assert.Equal((10, 2), await Ledger("payee").GetAsync());
        var payee = await _node.Loader.ReadAsync(new StreamId("ledger/payee"), StreamVersion.None);
        Assert.All(payee, e => Assert.Equal(context.Command.ToString(), EventMetadata.Parse(e.Metadata).Causation));
        Assert.All(payee, e => Assert.Equal(context.Command.ToString(), EventMetadata.Parse(e.Metadata).Correlation));
    }

    [Fact]
    public async Task after_a_command_id_used_again_for_a_conditional_event_the_grain_goes_on()
    {
        using (CommandContext.Begin(new CommandContext(CommandId.FromText("once").Value) { IsNamed = true, RequestHash = "one" }))
        {
            await Ledger("a").DepositAsync(10);
        }

        using (CommandContext.Begin(new CommandContext(CommandId.FromText("once").Value) { IsNamed = true, RequestHash = "two" }))
        {
            await Assert.ThrowsAsync<CommandIdReusedException>(() => Ledger("a").WithdrawWithoutLookingAsync(1));
        }

        await Ledger("a").DepositAsync(1);
        Assert.Equal((11, 2), await Ledger("a").GetAsync());
    }

    [Fact]
    public async Task a_conditional_event_that_lost_a_conflict_takes_effect_once_when_its_command_is_sent_again()
    {
        await Ledger("a").DepositAsync(10);
        await AppendBehindItsBackAsync("a", new Deposited(1));
        for (var i = 0; i < 2; i++)
        {
            using (CommandContext.Begin(new CommandContext(CommandId.FromText("insist").Value) { IsNamed = true }))
            {
                await Ledger("a").DepositInsistentlyAsync(100);
            }
        }

        Assert.Equal((111, 3), await Ledger("a").GetAsync());
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task a_repeated_call_that_raises_another_event_than_the_first_time_does_not_take_that_for_its_own(bool conditionally)
    {
        var context = new CommandContext(CommandId.FromText("take").Value) { IsNamed = true, RequestHash = "same" };
        using (CommandContext.Begin(context))
        {
            Assert.False(await Ledger("a").WithdrawOrNoteAsync(5, conditionally));
        }

        await Ledger("a").DepositAsync(10);
        using (CommandContext.Begin(context))
        {
            await Assert.ThrowsAsync<CommandIdReusedException>(() => Ledger("a").WithdrawOrNoteAsync(5, conditionally));
        }

        Assert.Equal((10, 2), await Eventually.ServedAsync(() => Ledger("a").GetAsync()));
    }

    [Fact]
    public async Task an_event_with_a_NUL_character_is_refused_and_costs_that_call_only()
    {
        await Ledger("a").DepositAsync(10);
        await Assert.ThrowsAsync<LogRequestRefusedException>(() => Ledger("a").PoisonAsync("\0"));
        Assert.Equal((10, 1), await Ledger("a").GetAsync());
    }

    [Fact]
    public async Task events_raised_in_two_turns_are_two_appends_whatever_is_under_way_and_so_can_be_repeated()
    {
        var context = new CommandContext(CommandId.FromText("two turns").Value) { IsNamed = true };
        await Ledger("a").RaiseWithoutConfirmingAsync(1);
        for (var i = 0; i < 2; i++)
        {
            using (CommandContext.Begin(context))
            {
                await Ledger("a").DepositInTwoTurnsAsync(10);
            }
        }

        Assert.Equal((22, 3), await Ledger("a").GetAsync());
    }

    [Fact]
    public async Task a_list_of_raised_events_may_be_used_again()
    {
        await Ledger("a").DepositReusingTheListAsync(10);
        Assert.Equal((10, 1), await Ledger("a").GetAsync());
    }

    [Fact]
    public async Task two_refreshes_at_once_read_a_foreign_event_once()
    {
        await Ledger("a").DepositAsync(10);
        for (var i = 1; i <= 10; i++)
        {
            await AppendBehindItsBackAsync("a", new Deposited(1));
            var seen = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Ledger("a").LookAgainAsync()));
            Assert.All(seen, s => Assert.Equal((10 + i, 1 + i), s));
        }
    }

    [Fact]
    public async Task metadata_of_the_call_is_in_the_log()
    {
        var command = CommandId.FromText("with-metadata");
        using (CommandContext.Begin(new CommandContext(command.Value) { Actor = "ada", Reason = "because", Correlation = "flow", Causation = "earlier", Origin = "test", TraceParent = "00-1-2-01", RequestHash = "h" }))
        {
            await Ledger("a").DepositAsync(1);
        }

        var recorded = Assert.Single(await _node.Loader.ReadAsync(new StreamId("ledger/a"), StreamVersion.None));
        Assert.Equal(new EventMetadata(command, "flow", "earlier", "ada", "because", "test", "00-1-2-01", "h"), EventMetadata.Parse(recorded.Metadata));
    }

    private ILedgerGrain Ledger(string key) => _node.Grains.GetGrain<ILedgerGrain>(key);

    private async Task AppendBehindItsBackAsync(string key, LedgerEvent e)
    {
        var stream = new StreamId("ledger", key);
        var command = CommandId.New(TimeProvider.System);
        var codec = new JsonEventCodec(TestNode.Types);
        var request = new AppendRequest(stream, ExpectedVersion.Any, [codec.Encode(EventId.Derive(command, stream, 0), e, new EventMetadata(command).ToJson())]);
        Assert.IsType<AppendOutcome.Appended>(Assert.Single(await _node.Log.AppendAsync([request], CancellationToken.None)));
    }
}
