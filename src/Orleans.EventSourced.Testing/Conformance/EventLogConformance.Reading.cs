using System.Text;
using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.Log;
using Xunit;
using StreamId = Orleans.EventSourced.Core.Log.StreamId;

namespace Orleans.EventSourced.Testing.Conformance;

#pragma warning disable CS1591 // The name of a fact is its documentation.
public abstract partial class EventLogConformance
{
    [Fact]
    public async Task every_field_of_an_event_comes_back_as_it_was_written()
    {
        var log = await OpenAsync();
        var (stream, command) = (NewStream(), NewCommand());
        var metadata = new EventMetadata(command, "correlation", "causation", "actor", "reason", "origin", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "hash").ToJson();
        var written = new NewEvent(EventId.Derive(command, stream, 0), "fine-issued", 7, "{\"a\":1}"u8.ToArray(), metadata);

        var answer = await AppendedAsync(log, new AppendRequest(stream, At(0), [written], "hash"));

        var read = Assert.Single(await ReadStreamAsync(log, stream));
        Assert.Equal((answer.Position, stream, new StreamVersion(1), written.Id, "fine-issued", (short)7, answer.RecordedAt), (read.Position, read.Stream, read.Version, read.Id, read.Type, read.Schema, read.RecordedAt));
        Assert.Equal("{\"a\":1}", Json(read.Data));
        Assert.Equal(metadata, read.Metadata.ToArray());
        AssertSame(read, Assert.Single(await log.ReadLogAsync(new LogPosition(answer.Position.Value - 1), 1, Token)));
        AssertSame(read, await log.FindEventAsync(written.Id, Token));
        AssertSame(read, await log.FindCommandAsync(command, Token));
    }

    [Theory]
    [InlineData("  { \"b\" : 1 ,\n\t\"a\" : [ 1.0 , 1e2, -0 ] }  ")]
    [InlineData("{\"a\":1,\"a\":2}")]
    [InlineData("\"\\u00e9\\/\\ud83d\\ude00 é😀\\\\\"")]
    [InlineData("{\"money\":\"1.10\",\"big\":123456789012345678901234567890.5}")]
    [InlineData("{\"path\":\"C:\\\\u0000\"}")]
    [InlineData("null")]
    [InlineData("[]")]
    public async Task the_json_text_comes_back_byte_for_byte(string json)
    {
        var log = await OpenAsync();
        var (stream, command) = (NewStream(), NewCommand());

        await AppendedAsync(log, new AppendRequest(stream, At(0), [Event(command, stream, 0, data: json)]));

        Assert.Equal(json, Json(Assert.Single(await ReadStreamAsync(log, stream)).Data));
    }

    [Fact]
    public async Task the_largest_payload_comes_back()
    {
        var log = await OpenAsync();
        var (stream, command) = (NewStream(), NewCommand());
        var json = $"\"{new string('x', AppendRequest.MaxDataBytes - 2)}\"";

        await AppendedAsync(log, new AppendRequest(stream, At(0), [Event(command, stream, 0, data: json)]));

        Assert.Equal(json, Json(Assert.Single(await ReadStreamAsync(log, stream)).Data));
    }

    [Fact]
    public async Task streams_are_told_apart_by_the_bytes_of_their_keys()
    {
        var log = await OpenAsync();
        var type = NewStream().Type;
        StreamId[] streams =
        [
            new(type, "a"), new(type, "A"), new(type, "a "), new(type, "a/b"), new(type, "é"), new(type, "e\u0301"), new(type, "😀"), new(type, "ß"), new(type, "ss"),
            new(type, "'; drop table events; --"), new(type, "%"), new(type, "_"), new(type, new string('ü', StreamId.MaxKeyBytes / 2)),
        ];

        foreach (var (stream, i) in streams.Select((s, i) => (s, i)))
        {
            Assert.Equal(new StreamVersion(1), (await AppendedAsync(log, new AppendRequest(stream, At(0), [Event(NewCommand(), stream, 0, data: $"{i}")]))).Version);
        }

        var pages = await log.ReadStreamsAsync([.. streams.Select(s => new StreamRead(s, StreamVersion.None, 10))], Token);
        Assert.Equal(Enumerable.Range(0, streams.Length).Select(i => $"{i}"), pages.Select(p => Json(Assert.Single(p).Data)));
        Assert.Equal(streams, pages.Select(p => p[0].Stream));
        Assert.Equal(streams, (await ReadAllAsync(log, new LogPosition(pages[0][0].Position.Value - 1), 100)).Select(e => e.Stream));
    }

    [Fact]
    public async Task positions_have_no_gap_and_times_never_run_backward()
    {
        var log = await OpenAsync();
        var start = await HeadAsync(log);
        for (var i = 0; i < 30; i++)
        {
            await AppendAsync(log, [.. Enumerable.Range(0, 1 + (i % 4)).Select(k => Request(NewStream(), k == 2 ? 1 : 0, NewCommand(), count: 1 + (i % 3)))]);
        }

        var all = await ReadAllAsync(log, start, 7);

        Assert.Equal(Enumerable.Range(1, all.Count).Select(i => start + i), all.Select(e => e.Position));
        Assert.Equal(all.Select(e => e.RecordedAt).Order(), all.Select(e => e.RecordedAt));
        Assert.Equal(all[^1].Position, await HeadAsync(log));
        Assert.Equal(all[^1].RecordedAt, (await log.ReadHeadAsync(Token)).RecordedAt);
    }

    [Fact]
    public async Task a_page_of_the_log_ends_with_the_end_of_a_commit()
    {
        var log = await OpenAsync();
        await AppendedAsync(log, Request(NewStream(), 0, NewCommand()));
        var start = await HeadAsync(log);
        await AppendAsync(log, [.. Enumerable.Range(0, 5).Select(_ => Request(NewStream(), 0, NewCommand(), count: 500))]);
        await AppendAsync(log, Request(NewStream(), 0, NewCommand(), count: 10));
        await AppendAsync(log, Request(NewStream(), 0, NewCommand(), count: 10));

        Assert.Equal(2_500, (await log.ReadLogAsync(start, 1_000, Token)).Count);
        Assert.Equal(1_500, (await log.ReadLogAsync(start + 1_000, 1_000, Token)).Count);
        Assert.Equal(2_500, (await log.ReadLogAsync(start, 2_500, Token)).Count);
        Assert.Equal(2_510, (await log.ReadLogAsync(start, 2_501, Token)).Count);
        Assert.Equal(11, (await log.ReadLogAsync(start + 2_499, 2, Token)).Count);
        Assert.Equal(20, (await log.ReadLogAsync(start + 2_500, 100, Token)).Count);
        Assert.Equal(start + 2_501, (await log.ReadLogAsync(start + 2_500, 1, Token))[0].Position);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(1_000)]
    public async Task pages_of_any_size_give_each_event_once(int pageSize)
    {
        var log = await OpenAsync();
        var start = await HeadAsync(log);
        for (var i = 0; i < 12; i++)
        {
            await AppendAsync(log, [.. Enumerable.Range(0, 3).Select(k => Request(NewStream(), 0, NewCommand(), count: 1 + ((i + k) % 5)))]);
        }

        var all = await ReadAllAsync(log, start, pageSize);

        Assert.Equal(await HeadAsync(log), all[^1].Position);
        Assert.Equal(all.Count, all.Select(e => e.Id).Distinct().Count());
    }

    [Fact]
    public async Task the_log_behind_its_head_is_empty()
    {
        var log = await OpenAsync();
        await AppendedAsync(log, Request(NewStream(), 0, NewCommand()));
        var head = await HeadAsync(log);

        Assert.Empty(await log.ReadLogAsync(head, 100, Token));
        Assert.Empty(await log.ReadLogAsync(head + 1_000, 100, Token));
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(() => log.ReadLogAsync(head, 0, Token));
    }

    [Fact]
    public async Task links_can_be_recomputed_over_the_whole_log()
    {
        var log = await OpenAsync();
        for (var i = 0; i < 20; i++)
        {
            await AppendAsync(log, [.. Enumerable.Range(0, 1 + (i % 3)).Select(k => Request(NewStream("schlüssel"), 0, NewCommand(), count: 1 + (i % 4), hash: "h"))]);
        }

        // A page that begins with a commit and asks for one event is exactly that commit.
        var (link, position) = (Array.Empty<byte>(), LogPosition.Start);
        while (await log.ReadLogAsync(position, 1, Token) is { Count: > 0 } commit)
        {
            link = HashLink.Next(link, commit[0].Position, commit[0].RecordedAt, [.. commit.Select(HashLink.Digest)]);
            position = commit[^1].Position;
        }

        var head = await log.ReadHeadAsync(Token);
        Assert.Equal(head.Position, position);
        Assert.Equal(Convert.ToHexString(head.Link.Span), Convert.ToHexString(link));
    }

    [Fact]
    public async Task the_head_names_the_log_and_its_last_commit()
    {
        var log = await OpenAsync();
        var before = await log.ReadHeadAsync(Token);

        var answer = await AppendedAsync(log, Request(NewStream(), 0, NewCommand(), count: 2));

        var after = await log.ReadHeadAsync(Token);
        Assert.NotEqual(Guid.Empty, after.LogId);
        Assert.Equal(before.LogId, after.LogId);
        Assert.Equal((answer.Position, (DateTimeOffset?)answer.RecordedAt), (after.Position, after.RecordedAt));
        Assert.Equal(before.Position.Value == 0, before.RecordedAt is null);
        Assert.Equal(before.Position.Value == 0 ? 0 : 32, before.Link.Length);
        Assert.Equal(32, after.Link.Length);
        Assert.NotEqual(before.Link.ToArray(), after.Link.ToArray());
    }

    [Fact]
    public async Task streams_are_read_in_version_order_from_a_version_and_up_to_a_limit()
    {
        var log = await OpenAsync();
        var (one, two, missing) = (NewStream("one"), NewStream("two"), NewStream("missing"));
        for (var i = 0; i < 6; i++)
        {
            await AppendAsync(log, Request(one, i * 2, NewCommand(), count: 2), Request(two, i, NewCommand()));
        }

        var pages = await log.ReadStreamsAsync(
            [
                new StreamRead(two, StreamVersion.None, 100),
                new StreamRead(missing, StreamVersion.None, 100),
                new StreamRead(one, new StreamVersion(3), 4),
                new StreamRead(one, StreamVersion.None, 1),
                new StreamRead(one, new StreamVersion(12), 100),
                new StreamRead(one, new StreamVersion(100), 100),
            ],
            Token);

        Assert.Equal([1, 2, 3, 4, 5, 6], pages[0].Select(e => e.Version.Value));
        Assert.All(pages[0], e => Assert.Equal(two, e.Stream));
        Assert.Empty(pages[1]);
        Assert.Equal([4, 5, 6, 7], pages[2].Select(e => e.Version.Value));
        Assert.Equal([1], pages[3].Select(e => e.Version.Value));
        Assert.Empty(pages[4]);
        Assert.Empty(pages[5]);
        Assert.Equal(6, pages.Count);
    }

    [Fact]
    public async Task a_read_of_a_stream_ends_with_the_event_that_reaches_its_bytes()
    {
        var log = await OpenAsync();
        var (stream, other) = (NewStream("é"), NewStream());
        for (var i = 0; i < 5; i++)
        {
            var command = NewCommand();
            await AppendedAsync(log, new AppendRequest(stream, At(i), [Event(command, stream, 0, data: $"\"é{new string('x', 5_000)}\"")]));
        }

        await AppendedAsync(log, Request(other, 0, NewCommand(), count: 2));
        var bytes = (await ReadStreamAsync(log, stream))[0].Bytes;

        var pages = await log.ReadStreamsAsync(
            [
                new StreamRead(stream, StreamVersion.None, 100, 1),
                new StreamRead(stream, StreamVersion.None, 100, bytes),
                new StreamRead(stream, StreamVersion.None, 100, bytes + 1),
                new StreamRead(stream, new StreamVersion(1), 100, 3 * bytes),
                new StreamRead(stream, StreamVersion.None, 2, 3 * bytes),
                new StreamRead(stream, StreamVersion.None, 100, 5 * bytes),
                new StreamRead(other, StreamVersion.None, 100, 5 * bytes),
            ],
            Token);

        Assert.Equal([[1], [1], [1, 2], [2, 3, 4], [1, 2], [1, 2, 3, 4, 5], [1, 2]], pages.Select(p => p.Select(e => e.Version.Value)));
    }

    [Fact]
    public async Task a_command_is_found_by_its_first_event_in_whatever_stream()
    {
        var log = await OpenAsync();
        var (one, two, command) = (NewStream("one"), NewStream("two"), NewCommand());
        await AppendAsync(log, Request(NewStream(), 0, NewCommand()), Request(one, 0, command, count: 3), Request(two, 0, command));
        await AppendedAsync(log, Request(NewStream(), 0, command));

        var found = await log.FindCommandAsync(command, Token);

        AssertSame((await ReadStreamAsync(log, one))[0], found);
    }

    [Fact]
    public async Task a_command_that_wrote_nothing_is_not_found_even_beside_one_of_the_same_instant()
    {
        var log = await OpenAsync();
        var command = NewCommand();
        var bytes = command.Value.ToByteArray(bigEndian: true);
        bytes[15] ^= 1;
        var twin = new CommandId(new Guid(bytes, bigEndian: true));
        await AppendedAsync(log, Request(NewStream(), 0, command));

        Assert.Null(await log.FindCommandAsync(twin, Token));
        Assert.NotNull(await log.FindCommandAsync(command, Token));
    }

    [Fact]
    public async Task a_command_named_by_text_is_found()
    {
        var log = await OpenAsync();
        var command = CommandId.FromText($"order {NewCommand()}");
        await AppendedAsync(log, Request(NewStream(), 0, command));

        Assert.NotNull(await log.FindCommandAsync(command, Token));
    }

    [Fact]
    public async Task an_event_is_found_by_its_id()
    {
        var log = await OpenAsync();
        var (stream, command) = (NewStream(), NewCommand());
        await AppendedAsync(log, Request(stream, 0, command, count: 2));

        AssertSame((await ReadStreamAsync(log, stream))[1], await log.FindEventAsync(EventId.Derive(command, stream, 1), Token));
        Assert.Null(await log.FindEventAsync(EventId.Derive(command, stream, 2), Token));
    }

    private static void AssertSame(RecordedEvent expected, RecordedEvent? actual)
    {
        Assert.NotNull(actual);
        Assert.Equal(Encoding.UTF8.GetString(expected.Data.Span), Encoding.UTF8.GetString(actual.Data.Span));
        Assert.Equal(Encoding.UTF8.GetString(expected.Metadata.Span), Encoding.UTF8.GetString(actual.Metadata.Span));
        Assert.Equal(expected with { Data = default, Metadata = default }, actual with { Data = default, Metadata = default });
    }
}
