using System.Text.Json;
using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.Log;
using Xunit;

namespace Orleans.EventSourced.UnitTests.Events;

public sealed class JsonEventCodecTests
{
    [Fact]
    public void a_map_without_an_upcaster_for_an_older_version_or_with_one_name_twice_is_not_built()
    {
        var e = Assert.Throws<InvalidOperationException>(() => new EventTypeMap.Builder().Add(typeof(Third), JsonSerializerOptions.Web).Add(typeof(AlsoThird), JsonSerializerOptions.Web).Build());
        Assert.Contains("'third' is used by", e.Message, StringComparison.Ordinal);
        Assert.Contains("no upcaster from version 1 to 2", e.Message, StringComparison.Ordinal);
        Assert.Contains("no upcaster from version 2 to 3", e.Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => new EventTypeMap.Builder().Add(typeof(string), JsonSerializerOptions.Web));
    }

    [Fact]
    public void a_name_that_the_log_does_not_take_or_a_version_below_1_is_told_when_the_map_is_built()
    {
        var e = Assert.Throws<InvalidOperationException>(() => new EventTypeMap.Builder()
            .Add(typeof(Nameless), JsonSerializerOptions.Web)
            .Add(typeof(TooLong), JsonSerializerOptions.Web)
            .Add(typeof(Zeroth), JsonSerializerOptions.Web)
            .Build());
        Assert.Contains("Nameless has a name of 0 characters; allowed are 1 to 128", e.Message, StringComparison.Ordinal);
        Assert.Contains("TooLong has a name of 130 characters; allowed are 1 to 128", e.Message, StringComparison.Ordinal);
        Assert.Contains("'zeroth' has the version 0; the first is 1", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void an_old_payload_is_read_to_the_depth_that_the_types_own_options_allow()
    {
        var json = new JsonSerializerOptions(JsonSerializerOptions.Web) { MaxDepth = 200 };
        var codec = new JsonEventCodec(new EventTypeMap.Builder().Add(typeof(Deep), json).Upcast("deep", 1, old => old).Build());
        var payload = $$"""{"tree":{{new string('[', 100)}}{{new string(']', 100)}}}""";
        Assert.Equal(payload, JsonSerializer.Serialize(codec.Decode(Recorded("deep", 2, payload)), json));
        Assert.Equal(payload, JsonSerializer.Serialize(codec.Decode(Recorded("deep", 1, payload)), json));
        Assert.Throws<LogCorruptException>(() => codec.Decode(Recorded("deep", 1, $$"""{"tree":{{new string('[', 201)}}{{new string(']', 201)}}}""")));
    }

    [Fact]
    public void upcasters_run_one_after_the_other()
    {
        var codec = new JsonEventCodec(new EventTypeMap.Builder().Add(typeof(Third), JsonSerializerOptions.Web)
            .Upcast("third", 1, json => { json["text"] = json["text"]!.GetValue<string>() + "+2"; return json; })
            .Upcast("third", 2, json => { json["text"] = json["text"]!.GetValue<string>() + "+3"; return json; })
            .Build());
        Assert.Equal(new Third("a+2+3"), codec.Decode(Recorded("third", 1, """{"text":"a"}""")));
        Assert.Equal(new Third("a+3"), codec.Decode(Recorded("third", 2, """{"text":"a"}""")));
        Assert.Equal(new Third("a"), codec.Decode(Recorded("third", 3, """{"text":"a"}""")));
        var e = Assert.Throws<UnknownEventTypeException>(() => codec.Decode(Recorded("third", 4, "{}")));
        Assert.Equal(("s/a", 7, 9L, "third"), (e.Stream, e.Version, e.Position, e.EventType));
    }

    [Fact]
    public void metadata_reads_as_it_was_written_and_passes_over_what_it_does_not_know()
    {
        var metadata = new EventMetadata(CommandId.FromText("x"), "c", null, "ünï\"", "r", null, "t", "h");
        Assert.Equal(metadata, EventMetadata.Parse(metadata.ToJson()));
        Assert.Equal(new EventMetadata(metadata.Command), EventMetadata.Parse(System.Text.Encoding.UTF8.GetBytes($$$"""{"command":"{{{metadata.Command}}}","new":{"a":1} }""")));
        Assert.Throws<JsonException>(() => EventMetadata.Parse("[]"u8.ToArray()));
        Assert.Throws<JsonException>(() => EventMetadata.Parse("""{"command":5}"""u8.ToArray()));
        Assert.Throws<JsonException>(() => EventMetadata.Parse(System.Text.Encoding.UTF8.GetBytes($$"""{"command":"{{metadata.Command}}","actor":"\ud800"}""")));
        Assert.Equal(metadata, EventMetadata.TryParse(metadata.ToJson()));
        Assert.All((string[])["[]", "{}", "5", """{"command":5}""", """{"command":null}""", "nonsense"], text => Assert.Null(EventMetadata.TryParse(System.Text.Encoding.UTF8.GetBytes(text))));
    }

    [Fact]
    public void event_ids_keep_the_time_bits_of_the_command_and_differ_by_command_stream_and_ordinal()
    {
        var (one, two) = (CommandId.New(TimeProvider.System), CommandId.New(TimeProvider.System));
        var ids = new[] { one, two }.SelectMany(c => new[] { "s/a", "s/b" }.SelectMany(s => Enumerable.Range(0, 50).Select(i => EventId.Derive(c, new StreamId(s), i)))).ToList();
        Assert.Equal(200, ids.Distinct().Count());
        Assert.All(ids.Take(100), id => Assert.Equal(one.Value.ToString("N")[..12], id.Value.ToString("N")[..12]));
        Assert.Equal(EventId.Derive(one, new StreamId("s/a"), 3), EventId.Derive(one, new StreamId("s/a"), 3));
    }

    [Fact]
    public void nested_commands_differ_by_target_and_call_and_are_the_same_when_run_again()
    {
        var command = CommandId.FromText("x");
        Assert.Equal(command.Nested("a", 0), command.Nested("a", 0));
        Assert.Equal(4, new[] { command.Nested("a", 0), command.Nested("a", 1), command.Nested("b", 0), command }.Distinct().Count());
    }

    private static RecordedEvent Recorded(string type, short schema, string data) => new(
        new LogPosition(9), new StreamId("s/a"), new StreamVersion(7), EventId.Derive(CommandId.FromText("x"), new StreamId("s/a"), 0), type, schema, System.Text.Encoding.UTF8.GetBytes(data), "{}"u8.ToArray(), default);

    [EventType("")]
    private sealed record Nameless;

    [EventType("0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789")]
    private sealed record TooLong;

    [EventType("zeroth", Version = 0)]
    private sealed record Zeroth;

    [EventType("deep", Version = 2)]
    private sealed record Deep(JsonElement Tree);

    [EventType("third", Version = 3)]
    private sealed record Third(string Text);

    [EventType("third", Version = 3)]
    private sealed record AlsoThird(string Text);
}
