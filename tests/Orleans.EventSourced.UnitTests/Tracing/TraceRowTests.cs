using System.Text;
using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Projections;
using Orleans.EventSourced.Tracing;
using Xunit;

namespace Orleans.EventSourced.UnitTests.Tracing;

public sealed class TraceRowTests
{
    private const string Id = "0190c0de-0000-8000-8000-00000000000e";
    private const string CommandId = "0190c0de-0000-7000-8000-00000000000c";

    [Fact]
    public void a_row_is_what_the_envelope_says()
    {
        var row = Of($$"""{"command":"{{CommandId}}","correlation":"order 17","causation":"0190C0DE-0000-8000-8000-0000000000AA","actor":"reaction:books","reason":"why","origin":"reaction"}""");
        Assert.Equal(
            new TraceRow { Correlation = "order 17", Causation = "0190c0de-0000-8000-8000-0000000000aa", Command = Guid.Parse(CommandId), Stream = "thing/a", Version = 3, Type = "happened", Actor = "reaction:books", Reason = "why", Origin = "reaction", RecordedAt = DateTimeOffset.UnixEpoch },
            row);
    }

    [Fact]
    public void a_workflow_without_a_name_is_named_after_its_command_and_an_event_without_an_envelope_after_itself()
    {
        Assert.Equal((CommandId, null), Of($$"""{"command":"{{CommandId}}","causation":""}""") is var named ? (named.Correlation, named.Causation) : default);
        foreach (var envelope in (string[])["{}", "[]", "7", """{"command":7}""", """{"command":"c"}""", $$"""{"command":"{{CommandId}}","actor":"\ud800"}""", $"{new string('[', 100)}{new string(']', 100)}"])
        {
            var row = Of(envelope);
            Assert.Equal((Id, null, null), (row.Correlation, row.Command, row.Causation));
        }
    }

    [Fact]
    public void what_no_index_takes_is_found_by_its_hash()
    {
        var (longest, longer) = (new string('a', ViewColumn.MaxIndexedTextBytes), new string('ü', ViewColumn.MaxIndexedTextBytes));
        Assert.Equal(longest, Of($$"""{"command":"{{CommandId}}","correlation":"{{longest}}"}""").Correlation);
        var row = Of($$"""{"command":"{{CommandId}}","correlation":"{{longer}}","causation":"{{longer}}x"}""");
        Assert.Equal((TraceRow.NameOf(longer), TraceRow.NameOf(longer + "x")), (row.Correlation, row.Causation));
        Assert.StartsWith("sha256:", row.Correlation, StringComparison.Ordinal);
        Assert.StartsWith("sha256:", TraceRow.NameOf("\ud800"), StringComparison.Ordinal);
        Assert.Equal("🚗", TraceRow.NameOf("🚗"));
    }

    [Fact]
    public void only_the_events_of_sessions_are_looked_into_and_one_that_cannot_be_read_says_nothing()
    {
        Assert.Equal((Guid.Parse(CommandId), "pay", "a"), Of("{}", "es-session/s", "mutation-requested", $$$"""{"mutation":"{{{CommandId}}}","command":"pay","target":"a","payload":{"amount":1}}""") is var asked ? (asked.Mutation, asked.Code, asked.Detail) : default);
        Assert.Equal((Guid.Parse(CommandId), "closed", "It is."), Of("{}", "es-session/s", "mutation-rejected", $$"""{"mutation":"{{CommandId}}","code":"closed","reason":"It is."}""") is var refused ? (refused.Mutation, refused.Code, refused.Detail) : default);
        Assert.Null(Of("{}", "thing/a", "mutation-rejected", $$"""{"mutation":"{{CommandId}}"}""").Mutation);
        foreach (var data in (string[])["7", "{}", """{"mutation":7}""", """{"mutation":"m"}""", $$"""{"mutation":"{{CommandId}}","code":"\ud800"}"""])
        {
            Assert.Null(Of("{}", "es-session/s", "mutation-rejected", data).Mutation);
        }
    }

    private static TraceRow Of(string envelope, string stream = "thing/a", string type = "happened", string data = "{\"unknown\":true}") => TraceRow.Of(new RecordedEvent(
        new LogPosition(9), new StreamId(stream), new StreamVersion(3), new EventId(Guid.Parse(Id)), type, 1, Encoding.UTF8.GetBytes(data), Encoding.UTF8.GetBytes(envelope), DateTimeOffset.UnixEpoch));
}
