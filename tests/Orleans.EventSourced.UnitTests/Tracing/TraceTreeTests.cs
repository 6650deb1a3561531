using Orleans.EventSourced.Tracing;
using Xunit;
using static Orleans.EventSourced.UnitTests.Tracing.Workflow;

namespace Orleans.EventSourced.UnitTests.Tracing;

public sealed class TraceTreeTests
{
    [Fact]
    public void a_workflow_is_told_from_its_first_command_on_with_what_followed_and_the_times_between()
    {
        var flow = new Workflow()
            .Event(1, type: "issued").Event(1, type: "printed")
            .Event(2, because: E(1), type: "sent", stream: "letter/l")
            .Event(3, because: E(3), type: "delivered", stream: "letter/l")
            .Event(4, because: C(1), type: "counted", stream: "total/t")
            .Event(5, because: E(1), type: "booked", stream: "book/b", more: row => row with { Actor = "reaction:books", Reason = "it was issued", Origin = "reaction" });
        Assert.Equal(
            [
                "c0001 Accepted",
                " e00001 issued thing/a:1 +0",
                "  c0002 Accepted +2",
                "   e00003 sent letter/l:1 +0",
                "    c0003 Accepted +1",
                "     e00004 delivered letter/l:2 +0",
                "  c0005 Accepted +5",
                "   e00006 booked book/b:1 +0",
                " e00002 printed thing/a:2 +1",
                " c0004 Accepted +4",
                "  e00005 counted total/t:1 +0",
            ],
            flow.Lines());
        var trace = flow.Trace();
        Assert.Empty(trace.Gaps);
        Assert.False(trace.IsTruncated);
        Assert.Equal(TimeSpan.FromSeconds(5), trace.EndedAt - trace.BeganAt);
        Assert.Equal(("reaction:books", "it was issued", "reaction"), trace.Nodes.Single(n => n.Id == C(5)) is var c ? (c.Actor, c.Reason, c.Origin) : default);
        Assert.Equal(6, Assert.IsType<TraceNode.Event>(trace.Nodes.Single(n => n.Id == E(6))).Position);
        Assert.Equal(2, Assert.IsType<TraceNode.Command>(trace.Nodes[0]).Events);
    }

    [Fact]
    public void what_is_not_known_of_the_causes_is_a_gap_in_its_place_among_the_roots()
    {
        var flow = new Workflow()
            .Event(1, because: "order 17 of the shop").Event(2).Event(3, because: C(99)).Event(4, because: "order 17 of the shop").Event(5, because: E(77));
        Assert.Equal(
            ["gap order 17 of the shop", " c0001 Accepted", "  e00001 happened thing/a:1 +0", " c0004 Accepted", "  e00004 happened thing/a:4 +0", "c0002 Accepted", " e00002 happened thing/a:2 +0", "gap c0063", " c0003 Accepted", "  e00003 happened thing/a:3 +0", "gap e0004d", " c0005 Accepted", "  e00005 happened thing/a:5 +0"],
            flow.Lines());
        Assert.Equal(["order 17 of the shop", C(99), E(77)], flow.Trace().Gaps.Select(g => g.Id));
        Assert.Equal([C(1), C(4)], flow.Trace().Gaps[0].Commands);
    }

    [Fact]
    public void causes_that_lead_back_to_themselves_come_to_an_end()
    {
        var flow = new Workflow().Event(1).Event(2, because: C(2)).Event(3, because: E(4)).Event(4, because: E(3)).Event(5, because: E(3));
        Assert.Equal(
            ["c0001 Accepted", " e00001 happened thing/a:1 +0", "cycle c0002 Accepted", " e00002 happened thing/a:2 +0", "cycle c0003 Accepted", " e00003 happened thing/a:3 +0", "  c0004 Accepted +1", "   e00004 happened thing/a:4 +0", "  c0005 Accepted +2", "   e00005 happened thing/a:5 +0"],
            flow.Lines());
    }

    [Fact]
    public void a_mutation_stands_under_the_request_for_it_with_its_fate()
    {
        var flow = new Workflow()
            .Said(1, "mutation-requested", 11, "pay", "a")
            .Said(2, "mutation-requested", 12, "pay", "b")
            .Said(3, "mutation-requested", 13, "look", "c")
            .Said(4, "mutation-requested", 14, "pay", "d")
            .Said(5, "mutation-requested", 15, "pay", "e")
            .Event(11, because: E(1), type: "paid")
            .Said(21, "mutation-accepted", 11, because: E(1))
            .Said(22, "mutation-rejected", 12, "closed", "It is closed.", because: E(2))
            .Said(23, "mutation-accepted", 13, because: E(3))
            .Said(24, "mutation-unknown", 14, null, "No answer.", because: E(4));
        Assert.Equal(
            [
                "c000b Accepted pay@a +5", "c000c Rejected closed: It is closed. pay@b +6", "c000d Accepted look@c +6", "c000e Unknown pay@d +6", "c000f Requested pay@e",
            ],
            flow.Lines().Where(l => l.Contains('@', StringComparison.Ordinal)).Select(l => l.Trim()));
        var refused = Assert.IsType<TraceNode.Command>(flow.Trace().Nodes.Single(n => n.Id == C(12)));
        Assert.Equal((E(2), "someone", "mutation", 0), (refused.Parent, refused.Actor, refused.Origin, refused.Events));
        Assert.Equal("No answer.", Assert.IsType<TraceNode.Command>(flow.Trace().Nodes.Single(n => n.Id == C(14))).Detail);
    }

    [Fact]
    public void an_effect_counts_though_a_refusal_was_recorded_before_it_and_a_fate_is_told_without_its_request()
    {
        var flow = new Workflow().Said(1, "mutation-rejected", 11, "failed", "Boom.", because: E(90)).Event(11, because: E(90)).Said(2, "mutation-rejected", 12, "closed", "It is closed.", because: E(91));
        Assert.Equal(
            ["gap e0005a", " c0001 Accepted", "  e00001 mutation-rejected es-session/s:1 +0", " c000b Accepted", "  e00002 happened thing/a:1 +0", "gap e0005b", " c0002 Accepted", "  e00003 mutation-rejected es-session/s:2 +0", " c000c Rejected closed: It is closed."],
            flow.Lines());
    }

    [Fact]
    public void an_event_without_an_envelope_is_a_root()
    {
        var flow = new Workflow().Event(1).Event(2, more: row => row with { Command = null }).Event(3, because: E(2));
        Assert.Equal(["c0001 Accepted", " e00001 happened thing/a:1 +0", "e00002 happened thing/a:2", " c0003 Accepted +1", "  e00003 happened thing/a:3 +0"], flow.Lines());
    }

    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(10_000)]
    [InlineData(40_000)]
    public void a_long_chain_is_cut_at_the_limit_and_says_so(int limit)
    {
        var flow = new Workflow();
        for (var i = 1; i <= 20_000; i++)
        {
            flow.Event(i, because: i == 1 ? null : E(i - 1));
        }

        var trace = flow.Trace(limit);
        Assert.Equal((limit, limit < 40_000), (trace.Nodes.Count, trace.IsTruncated));
        Assert.Equal(Enumerable.Range(0, limit), trace.Nodes.Select(n => n.Depth));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void whatever_the_causes_are_each_command_and_event_is_told_once_behind_its_parent_in_whatever_order_the_rows_come(int seed)
    {
        var random = new Random(seed);
        for (var round = 0; round < 300; round++)
        {
            var flow = new Workflow();
            for (var i = 0; i < random.Next(1, 30); i++)
            {
                var cause = random.Next(4) switch { 0 => null, 1 => C(random.Next(12)), 2 => E(random.Next(1, 35)), _ => $"outside {random.Next(3)}" };
                if (random.Next(4) == 0)
                {
                    flow.Said(random.Next(10), random.Next(2) == 0 ? "mutation-requested" : "mutation-rejected", random.Next(14), "c", "d", cause);
                }
                else
                {
                    flow.Event(random.Next(10), cause);
                }
            }

            var trace = flow.Trace();
            Assert.Equal(trace.Nodes.Count, trace.Nodes.DistinctBy(n => n.Id).Count());
            Assert.Equal(flow.Rows.Select(r => r.Key).Order(), trace.Nodes.OfType<TraceNode.Event>().Select(e => e.Id).Order());
            Assert.Equal(flow.Rows.SelectMany(r => new[] { r.Row.Command, r.Row.Mutation }).OfType<Guid>().Distinct().Select(c => c.ToString("D")).Order(), trace.Nodes.OfType<TraceNode.Command>().Select(c => c.Id).Order());
            var above = new Stack<TraceNode>();
            foreach (var node in trace.Nodes)
            {
                while (above.Count > node.Depth)
                {
                    above.Pop();
                }

                Assert.Equal(above.TryPeek(out var parent) ? parent.Id : null, node.Parent);
                above.Push(node);
            }

            var shuffled = flow.Rows.ToArray();
            random.Shuffle(shuffled);
            Assert.Equal(trace.Nodes, TraceTree.Of("w", shuffled, 10_000, isCut: false).Nodes);
            Assert.Equal(trace.Nodes.Take(5), flow.Trace(5).Nodes);
        }
    }
}
