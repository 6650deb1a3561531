using System.Text;
using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Projections;
using Orleans.EventSourced.Mutations;
using Orleans.EventSourced.Tracing;
using Orleans.EventSourced.UnitTests.Projections;
using Xunit;

namespace Orleans.EventSourced.UnitTests.Tracing;

public sealed class TracesTests
{
    private readonly Bank _bank = new();
    private readonly InMemoryViewTable<TraceRow> _table = new();

    [Fact]
    public async Task a_workflow_is_found_by_its_id_by_each_of_its_events_and_commands_and_by_what_it_names_as_its_cause()
    {
        var (first, second) = (CommandId.New(TimeProvider.System), CommandId.New(TimeProvider.System));
        var issued = await AppendAsync("thing/a", first, "Shop/17 ü", "an order");
        var sent = await AppendAsync("letter/l", second, "Shop/17 ü", issued.ToString());
        await FoldAsync();
        foreach (var id in (string[])["Shop/17 ü", issued.ToString(), sent.ToString(), sent.ToString().ToUpperInvariant(), first.ToString(), second.ToString(), "an order"])
        {
            var (trace, reflects) = await FindAsync(id);
            Assert.Equal(("Shop/17 ü", 2, 5), (trace!.Correlation, reflects, trace.Nodes.Count));
        }

        Assert.Equal((null, 2), await FindAsync("nobody") is var none ? (none.Trace, none.Reflects) : default);
        Assert.Null((await FindAsync(Guid.NewGuid().ToString())).Trace);
        Assert.Null((await FindAsync(Guid.Empty.ToString())).Trace);
    }

    [Fact]
    public async Task a_mutation_that_was_refused_is_found_by_its_id_though_it_made_no_event()
    {
        var mutation = CommandId.New(TimeProvider.System);
        var request = await AppendAsync("es-session/s", MutationQueue.RequestOf(mutation), "w", null, "mutation-requested", $$"""{"mutation":"{{mutation}}","command":"pay","target":"a"}""");
        await AppendAsync("es-session/s", CommandId.New(TimeProvider.System), "w", request.ToString(), "mutation-rejected", $$"""{"mutation":"{{mutation}}","code":"closed","reason":"It is closed."}""");
        await FoldAsync();
        var (trace, _) = await FindAsync(mutation.ToString());
        var refused = Assert.IsType<TraceNode.Command>(trace!.Nodes.Single(n => n.Id == mutation.ToString()));
        Assert.Equal((TraceState.Rejected, "closed", "It is closed.", "pay", "a", request.ToString()), (refused.State, refused.Code, refused.Detail, refused.Name, refused.Target, refused.Parent));
    }

    [Fact]
    public async Task what_the_view_does_not_show_yet_is_not_in_the_answer()
    {
        var early = await AppendAsync("thing/a", CommandId.New(TimeProvider.System), "w", null);
        await FoldAsync();
        await AppendAsync("thing/a", CommandId.New(TimeProvider.System), "w", early.ToString());
        var late = await AppendAsync("thing/a", CommandId.New(TimeProvider.System), "later", null);
        Assert.Equal((2, 1), await FindAsync("w") is var w ? (w.Trace!.Nodes.Count, w.Reflects) : default);
        Assert.Equal((null, 1), await FindAsync(late.ToString()) is var l ? (l.Trace, l.Reflects) : default);
    }

    [Fact]
    public async Task a_gap_says_in_which_other_workflow_the_log_has_the_cause()
    {
        var elsewhere = await AppendAsync("thing/a", CommandId.New(TimeProvider.System), "another", null);
        await AppendAsync("thing/b", CommandId.New(TimeProvider.System), "w", elsewhere.ToString());
        await AppendAsync("thing/c", CommandId.New(TimeProvider.System), "w", Guid.NewGuid().ToString());
        await FoldAsync();
        Assert.Equal(["another", null], (await FindAsync("w")).Trace!.Gaps.Select(g => g.Correlation));
    }

    [Fact]
    public async Task no_more_is_read_and_shown_than_the_limit_and_the_answer_says_so()
    {
        for (var i = 0; i < 2_500; i++)
        {
            await AppendAsync($"thing/{i}", CommandId.New(TimeProvider.System), "w", null);
        }

        await FoldAsync();
        Assert.Equal((5_000, false), await FindAsync("w") is var all ? (all.Trace!.Nodes.Count, all.Trace.IsTruncated) : default);
        Assert.Equal((5_000, false), await FindAsync("w", 5_000) is var just ? (just.Trace!.Nodes.Count, just.Trace.IsTruncated) : default);
        Assert.Equal((4_999, true), await FindAsync("w", 4_999) is var cut ? (cut.Trace!.Nodes.Count, cut.Trace.IsTruncated) : default);
        Assert.Equal((1_500, true), await FindAsync("w", 1_500) is var some ? (some.Trace!.Nodes.Count, some.Trace.IsTruncated) : default);
        Assert.Equal((1, true), await FindAsync("w", 1) is var one ? (one.Trace!.Nodes.Count, one.Trace.IsTruncated) : default);
    }

    private Task<TraceReading> FindAsync(string id, int maxNodes = 10_000) => new Traces(_table, _bank.Log, new TraceOptions { MaxNodes = maxNodes }).FindAsync(id, CancellationToken.None);

    private async Task<EventId> AppendAsync(string stream, CommandId command, string correlation, string? because, string type = "nobody-knows-it", string data = "{}")
    {
        var (to, metadata) = (new StreamId(stream), new EventMetadata(command, correlation, because));
        var id = EventId.Derive(command, to, 0);
        await _bank.Log.AppendAsync([new AppendRequest(to, ExpectedVersion.Any, [new NewEvent(id, type, 1, Encoding.UTF8.GetBytes(data), metadata.ToJson())])], CancellationToken.None);
        return id;
    }

    private async Task FoldAsync()
    {
        var runner = _bank.Runner(Projection.Of<TraceRow, RecordedEvent>(), _table, stepEvents: 500);
        while (await runner.StepAsync(CancellationToken.None) is ProjectionStep.Advanced)
        {
        }
    }
}
