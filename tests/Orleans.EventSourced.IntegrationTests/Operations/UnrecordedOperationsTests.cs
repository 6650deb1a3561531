using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Orleans.EventSourced.Commands;
using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Projections;
using Orleans.EventSourced.History;
using Orleans.EventSourced.Hosting;
using Orleans.EventSourced.IntegrationTests.Grains;
using Orleans.EventSourced.IntegrationTests.Projections;
using Orleans.EventSourced.Operations;
using Orleans.EventSourced.Projections;
using Xunit;

namespace Orleans.EventSourced.IntegrationTests.Operations;

/// <summary>What operators do in a real silo while the log goes away before, or just behind it.</summary>
public sealed class UnrecordedOperationsTests(PostgresFixture postgres) : IAsyncLifetime
{
    private static readonly ViewId View = new("counter", 1);
    private static readonly CommandContext Command = new(Guid.Parse("0197a5a8-1111-7000-8000-000000000002")) { IsNamed = true };
    private static readonly EventTypeMap Types = new EventTypeMap.Builder().AddFamily<CounterEvent>(JsonSerializerOptions.Web).AddOperationEvents().Build();
    private TestNode _node = null!;
    private volatile bool _isAway;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private RebuildControl Rebuild => _node.Services.GetRequiredService<RebuildControl>();

    private Branches Branches => _node.Services.GetRequiredService<Branches>();

    private OperationsLog Operations => _node.Services.GetRequiredService<OperationsLog>();

    public async ValueTask InitializeAsync()
    {
        _node = await TestNode.StartPostgresAsync(await postgres.CreateLogAsync(), views: silo =>
        {
            silo.Services.Configure<EventSourcingOptions>(o => o.EventTypes = Types);
            silo.AddView(Projection.Of<CounterRow, CounterEvent>());
        });
        await _node.Grains.GetGrain<ICounterGrain>("c0").AddAsync(1);
        await Eventually.Async("the view is there", async () => (await _node.Services.GetRequiredService<ProjectionControl>().CompareAsync(View, Token)) is { IsEqual: true, Rows: 1 });
    }

    public ValueTask DisposeAsync() => _node.DisposeAsync();

    [Fact]
    public async Task without_a_record_that_it_is_about_to_be_done_nothing_is_done()
    {
        GoAwayAfter(appends: 0);
        await Assert.ThrowsAsync<LogUnavailableException>(() => Rebuild.BeginAsync(View, "a row looks odd", "olga", Token));
        await Assert.ThrowsAsync<LogUnavailableException>(() => Branches.CreateAsync("b1", Request));
        Assert.Empty(await Rebuild.ListAsync(Token));
        Assert.Empty(await Branches.ListAsync());
    }

    [Fact]
    public async Task what_was_done_and_not_recorded_is_an_unknown_outcome_and_the_same_command_records_it_and_does_not_do_it_again()
    {
        GoAwayAfter(appends: 1);
        await Assert.ThrowsAsync<LogOutcomeUnknownException>(BeginAsync);
        await ComeBackAsync();
        Assert.Equal(2, Assert.Single(await Rebuild.ListAsync(Token)).Edition.Number);
        var open = Assert.Single((await Operations.ListAsync()).Operations);
        Assert.Equal((OperationActions.RebuildBegin, "olga", "a row looks odd", """{"version":1,"live":1,"shown":1}""", null, OperationOutcome.Unknown), (open.Action, open.Actor, open.Reason, open.Before, open.After, open.Outcome));

        Assert.Equal(2, (await BeginAsync())?.Number);
        var performed = Assert.Single((await Operations.ListAsync()).Operations);
        Assert.Equal((open.Action, open.Before, """{"version":1,"live":1,"building":2,"shown":1}""", OperationOutcome.Performed), (performed.Action, performed.Before, performed.After, performed.Outcome));
        Assert.Equal(["operation-requested", "operation-performed"], await WrittenAsync());

        // What was done since is not undone by it either.
        Assert.True(await Rebuild.CancelAsync(View, "it was not odd", "olga", Token));
        _ = await BeginAsync();
        Assert.Empty(await Rebuild.ListAsync(Token));
        Assert.Equal([OperationActions.RebuildCancel, OperationActions.RebuildBegin], (await Operations.ListAsync()).Operations.Select(o => o.Action));
    }

    [Fact]
    public async Task a_command_of_which_nobody_knows_what_came_is_not_done_over_what_others_did_since()
    {
        GoAwayAfter(appends: 1);
        await Assert.ThrowsAsync<LogOutcomeUnknownException>(BeginAsync);
        await ComeBackAsync();
        Assert.IsType<SwitchOutcome.Switched>(await Rebuild.SwitchAsync(View, TimeSpan.FromSeconds(20), "it is equal", "otto", Token));
        Assert.Contains("another command", (await Assert.ThrowsAsync<LogOutcomeUnknownException>(BeginAsync)).Message, StringComparison.Ordinal);
        Assert.Equal(ViewRole.Retired, Assert.Single(await Rebuild.ListAsync(Token)).Edition.Role);
        Assert.Equal([OperationOutcome.Performed, OperationOutcome.Unknown], (await Operations.ListAsync()).Operations.Select(o => o.Outcome));
    }

    [Fact]
    public async Task a_command_that_is_sent_again_beside_its_first_try_gets_the_same_answer_and_leaves_one_record()
    {
        for (var number = 2; number <= 6; number++)
        {
            await Rebuild.BeginAsync(View, "a row looks odd", "olga", Token);
            var command = new CommandContext(Guid.CreateVersion7()) { IsNamed = true };
            var outcomes = await Task.WhenAll(SwitchAsync(command), SwitchAsync(command), SwitchAsync(command));
            Assert.All(outcomes, outcome => Assert.Equal(new SwitchOutcome.Switched(number), outcome));
        }

        var record = (await Operations.ListAsync()).Operations;
        Assert.All(record, o => Assert.Equal(OperationOutcome.Performed, o.Outcome));
        Assert.Equal(5, record.Count(o => o.Action == OperationActions.RebuildSwitch));

        var branches = await Task.WhenAll(CreateAsync("b1"), CreateAsync("b1"), CreateAsync("b1"));
        Assert.All(branches, branch => Assert.Equal("b1", branch.Id));
        Assert.DoesNotContain(false, await Task.WhenAll(DropAsync("b1"), DropAsync("b1"), DropAsync("b1")));
        Assert.Equal([OperationActions.BranchDrop, OperationActions.BranchCreate], (await Operations.ListAsync("branch:b1")).Operations.Select(o => o.Action));
        await Assert.ThrowsAsync<Core.History.HistoryException>(() => CreateAsync("b1"));

        async Task<SwitchOutcome> SwitchAsync(CommandContext command)
        {
            using (CommandContext.Begin(command))
            {
                return await Rebuild.SwitchAsync(View, TimeSpan.FromSeconds(20), "it is equal", "otto", Token);
            }
        }
    }

    [Fact]
    public async Task a_branch_that_was_made_or_dropped_and_not_recorded_is_by_the_same_command()
    {
        GoAwayAfter(appends: 1);
        await Assert.ThrowsAsync<LogOutcomeUnknownException>(() => CreateAsync(null));
        await ComeBackAsync();
        var made = Assert.Single(await Branches.ListAsync());
        Assert.Equal(made.Id, (await CreateAsync(null)).Id);
        Assert.Equal(made.Id, (await CreateAsync(null)).Id);

        GoAwayAfter(appends: 1);
        await Assert.ThrowsAsync<LogOutcomeUnknownException>(() => DropAsync(made.Id));
        await ComeBackAsync();
        Assert.Empty(await Branches.ListAsync());
        Assert.True(await DropAsync(made.Id));
        Assert.True(await DropAsync(made.Id));
        Assert.Equal(
            [(OperationActions.BranchDrop, true, false, OperationOutcome.Performed), (OperationActions.BranchCreate, false, true, OperationOutcome.Performed)],
            (await Operations.ListAsync($"branch:{made.Id}")).Operations.Select(o => (o.Action, o.Before is not null, o.After is not null, o.Outcome)));
    }

    [Fact]
    public async Task what_changed_nothing_is_written_as_such_and_stands_open_for_nobody()
    {
        Assert.False(await Rebuild.CancelAsync(View, "there is none", "olga", Token));
        await Branches.CreateAsync("b1", Request);
        await Assert.ThrowsAsync<Core.History.HistoryException>(() => Branches.CreateAsync("b1", Request));
        Assert.False(await Branches.DropAsync("b2", "there is none", "olga"));
        Assert.Equal([OperationActions.BranchCreate], (await Operations.ListAsync()).Operations.Select(o => o.Action));
        Assert.Equal(
            ["operation-requested", "operation-declined", "operation-requested", "operation-performed", "operation-requested", "operation-declined", "operation-requested", "operation-declined"],
            await WrittenAsync());

        // Nothing came of the command, so that it may be sent again, and something may.
        using (CommandContext.Begin(Command))
        {
            Assert.False(await Rebuild.CancelAsync(View, "perhaps", "olga", Token));
            Assert.NotNull(await Rebuild.BeginAsync(View, "perhaps", "olga", Token));
            Assert.True(await Rebuild.CancelAsync(View, "perhaps", "olga", Token));
        }

        Assert.Equal([OperationActions.RebuildCancel, OperationActions.RebuildBegin, OperationActions.BranchCreate], (await Operations.ListAsync()).Operations.Select(o => o.Action));
    }

    private static BranchRequest Request => new(null, [], [], "what if", "olga", null);

    private async Task<ViewEdition?> BeginAsync()
    {
        using (CommandContext.Begin(Command))
        {
            return await Rebuild.BeginAsync(View, "a row looks odd", "olga", Token);
        }
    }

    private async Task<BranchInfo> CreateAsync(string? id)
    {
        using (CommandContext.Begin(Command))
        {
            return await Branches.CreateAsync(id, Request);
        }
    }

    private async Task<bool> DropAsync(string id)
    {
        using (CommandContext.Begin(Command))
        {
            return await Branches.DropAsync(id, "seen enough", "olga");
        }
    }

    /// <summary>The log takes so many appends, and refuses those that follow until it is back.</summary>
    private void GoAwayAfter(int appends)
    {
        _isAway = true;
        Task BeforeAsync()
        {
            if (!_isAway)
            {
                return Task.CompletedTask;
            }

            _node.Reads.BeforeNextAppend(BeforeAsync);
            return appends-- > 0 ? Task.CompletedTask : throw new LogUnavailableException("The log is away.");
        }

        _node.Reads.BeforeNextAppend(BeforeAsync);
    }

    /// <summary>The log is back, and so is the grain that failed without it.</summary>
    private Task<OperationPage> ComeBackAsync()
    {
        _isAway = false;
        return Eventually.ServedAsync(() => Operations.ListAsync());
    }

    private async Task<string[]> WrittenAsync() =>
        [.. (await _node.Log.ReadLogAsync(LogPosition.Start, 100, Token)).Where(e => e.Stream.Type == "es-operations").Select(e => e.Type)];
}
