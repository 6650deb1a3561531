using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.Log;
using Xunit;

namespace Orleans.EventSourced.Testing.Conformance;

#pragma warning disable CS1591 // The name of a fact is its documentation.
public abstract partial class EventLogConformance
{
    [Fact]
    public async Task append_to_a_new_stream_answers_version_position_and_time_of_the_last_event()
    {
        var log = await OpenAsync();
        var stream = NewStream();
        var before = await HeadAsync(log);

        var answer = await AppendedAsync(log, Request(stream, 0, NewCommand(), count: 3));

        Assert.Equal(new StreamVersion(3), answer.Version);
        Assert.Equal(before + 3, answer.Position);
        var events = await ReadStreamAsync(log, stream);
        Assert.Equal([1, 2, 3], events.Select(e => e.Version.Value));
        Assert.Equal([before + 1, before + 2, before + 3], events.Select(e => e.Position));
        Assert.All(events, e => Assert.Equal(answer.RecordedAt, e.RecordedAt));
        Assert.Equal(TimeSpan.Zero, answer.RecordedAt.Offset);
    }

    [Fact]
    public async Task append_with_the_right_version_goes_behind_what_is_there()
    {
        var log = await OpenAsync();
        var stream = NewStream();
        await AppendedAsync(log, Request(stream, 0, NewCommand(), count: 2));

        var answer = await AppendedAsync(log, Request(stream, 2, NewCommand(), count: 2));

        Assert.Equal(new StreamVersion(4), answer.Version);
    }

    [Fact]
    public async Task append_with_a_stale_version_returns_conflict_and_writes_nothing()
    {
        var log = await OpenAsync();
        var stream = NewStream();
        await AppendedAsync(log, Request(stream, 0, NewCommand(), count: 2));
        var before = await log.ReadHeadAsync(Token);

        Assert.Equal(new AppendOutcome.Conflict(new StreamVersion(2)), await AppendOneAsync(log, Request(stream, 1, NewCommand())));
        Assert.Equal(new AppendOutcome.Conflict(new StreamVersion(2)), await AppendOneAsync(log, Request(stream, 3, NewCommand())));
        Assert.Equal(new AppendOutcome.Conflict(new StreamVersion(2)), await AppendOneAsync(log, Request(stream, ExpectedVersion.NoStream, NewCommand())));

        Assert.Equal(2, (await ReadStreamAsync(log, stream)).Count);
        var after = await log.ReadHeadAsync(Token);
        Assert.Equal(before.Position, after.Position);
        Assert.Equal(before.Link.ToArray(), after.Link.ToArray());
    }

    [Fact]
    public async Task append_that_expects_events_on_a_missing_stream_returns_conflict_and_creates_none()
    {
        var log = await OpenAsync();
        var stream = NewStream();

        Assert.Equal(new AppendOutcome.Conflict(StreamVersion.None), await AppendOneAsync(log, Request(stream, 1, NewCommand())));

        Assert.Empty(await ReadStreamAsync(log, stream));
        Assert.Equal(new StreamVersion(1), (await AppendedAsync(log, Request(stream, ExpectedVersion.NoStream, NewCommand()))).Version);
    }

    [Fact]
    public async Task append_with_any_version_creates_the_stream_or_goes_behind_it()
    {
        var log = await OpenAsync();
        var stream = NewStream();

        Assert.Equal(new StreamVersion(1), (await AppendedAsync(log, Request(stream, ExpectedVersion.Any, NewCommand()))).Version);
        Assert.Equal(new StreamVersion(3), (await AppendedAsync(log, Request(stream, ExpectedVersion.Any, NewCommand(), count: 2))).Version);
    }

    [Fact]
    public async Task the_same_request_again_returns_the_first_answer_after_other_events_followed()
    {
        var log = await OpenAsync();
        var stream = NewStream();
        await AppendedAsync(log, Request(stream, 0, NewCommand()));
        var request = Request(stream, 1, NewCommand(), count: 3, hash: "h1");
        var first = await AppendedAsync(log, request);
        await AppendedAsync(log, Request(stream, 4, NewCommand(), count: 2));
        await AppendedAsync(log, Request(NewStream(), 0, NewCommand()));
        var before = await HeadAsync(log);

        Assert.Equal(AsDuplicate(first), await AppendOneAsync(log, request));
        Assert.Equal(AsDuplicate(first), await AppendOneAsync(log, new AppendRequest(stream, At(6), request.Events, "h1")));
        Assert.Equal(AsDuplicate(first), await AppendOneAsync(log, new AppendRequest(stream, ExpectedVersion.Any, request.Events, "h1")));

        Assert.Equal(before, await HeadAsync(log));
        Assert.Equal(6, (await ReadStreamAsync(log, stream)).Count);
    }

    [Fact]
    public async Task a_retry_with_more_events_is_refused_as_reuse_of_ids()
    {
        var log = await OpenAsync();
        var (stream, command) = (NewStream(), NewCommand());
        await AppendedAsync(log, Request(stream, 0, command, count: 1));

        await AssertReuseAsync(log, Request(stream, 0, command, count: 2));
        await AssertReuseAsync(log, Request(stream, 1, command, count: 2));
    }

    [Fact]
    public async Task a_retry_with_fewer_events_is_refused_as_reuse_of_ids()
    {
        var log = await OpenAsync();
        var (stream, command) = (NewStream(), NewCommand());
        await AppendedAsync(log, Request(stream, 0, command, count: 3));

        await AssertReuseAsync(log, Request(stream, 0, command, count: 2));
        await AssertReuseAsync(log, new AppendRequest(stream, At(0), [Event(command, stream, 1), Event(command, stream, 2)]));
        await AssertReuseAsync(log, new AppendRequest(stream, At(0), [Event(command, stream, 0), Event(command, stream, 2)]));
    }

    [Fact]
    public async Task a_retry_with_its_events_in_another_order_is_refused_as_reuse_of_ids()
    {
        var log = await OpenAsync();
        var (stream, command) = (NewStream(), NewCommand());
        await AppendedAsync(log, Request(stream, 0, command, count: 2));

        await AssertReuseAsync(log, new AppendRequest(stream, At(0), [Event(command, stream, 1), Event(command, stream, 0)]));
    }

    [Fact]
    public async Task the_events_of_two_commands_sent_as_one_are_refused_as_reuse_of_ids()
    {
        var log = await OpenAsync();
        var (stream, one, two) = (NewStream(), NewCommand(), NewCommand());
        await AppendedAsync(log, Request(stream, 0, one));
        await AppendedAsync(log, Request(stream, 1, two));

        await AssertReuseAsync(log, new AppendRequest(stream, At(0), [Event(one, stream, 0), Event(two, stream, 0)]));
        await AssertReuseAsync(log, new AppendRequest(stream, At(2), [Event(NewCommand(), stream, 0), Event(one, stream, 0)]));
    }

    [Fact]
    public async Task an_event_id_of_another_stream_is_refused_and_nothing_is_written()
    {
        var log = await OpenAsync();
        var (one, other, command) = (NewStream(), NewStream(), NewCommand());
        var request = Request(one, 0, command);
        await AppendedAsync(log, request);

        await AssertReuseAsync(log, new AppendRequest(other, At(0), request.Events));
        await AssertReuseAsync(log, new AppendRequest(other, At(0), [Event(command, other, 0), request.Events[0]]));

        Assert.Empty(await ReadStreamAsync(log, other));
    }

    [Fact]
    public async Task an_event_id_twice_in_one_batch_is_written_for_the_first_stream_alone()
    {
        var log = await OpenAsync();
        var (one, other, third) = (NewStream(), NewStream(), NewStream());
        var request = Request(one, 0, NewCommand());

        var outcomes = await AppendAsync(log, request, new AppendRequest(other, At(0), request.Events), Request(third, 0, NewCommand()));

        Assert.IsType<AppendOutcome.Appended>(outcomes[0]);
        Assert.IsType<AppendOutcome.IdReused>(outcomes[1]);
        Assert.IsType<AppendOutcome.Appended>(outcomes[2]);
        Assert.Empty(await ReadStreamAsync(log, other));
    }

    [Theory]
    [InlineData("h1", "h2")]
    [InlineData("h1", null)]
    [InlineData(null, "h1")]
    [InlineData("h1", "H1")]
    public async Task a_retry_with_another_request_hash_is_refused_as_reuse_of_ids(string? written, string? sent)
    {
        var log = await OpenAsync();
        var (stream, command) = (NewStream(), NewCommand());
        var request = Request(stream, 0, command, count: 2, hash: written);
        var first = await AppendedAsync(log, request);

        await AssertReuseAsync(log, new AppendRequest(stream, At(0), request.Events, sent));

        Assert.Equal(AsDuplicate(first), await AppendOneAsync(log, request));
        Assert.All(await ReadStreamAsync(log, stream), e => Assert.Equal(written, HashOf(e)));
    }

    [Fact]
    public async Task a_missing_stream_in_the_middle_of_a_batch_gets_its_own_events()
    {
        var log = await OpenAsync();
        var (a, missing, b) = (NewStream("a"), NewStream("missing"), NewStream("b"));
        await AppendAsync(log, Request(a, 0, NewCommand()), Request(b, 0, NewCommand()));
        var (toA, toMissing, toB) = (NewCommand(), NewCommand(), NewCommand());

        var refused = await AppendAsync(log, Request(a, 1, NewCommand()), Request(missing, 1, NewCommand()), Request(b, 1, toB));
        var outcomes = await AppendAsync(log, Request(a, 2, toA), Request(missing, 0, toMissing), Request(b, 1, toB));

        Assert.IsType<AppendOutcome.Appended>(refused[0]);
        Assert.Equal(new AppendOutcome.Conflict(StreamVersion.None), refused[1]);
        Assert.Equal(AsDuplicate(Assert.IsType<AppendOutcome.Appended>(refused[2])), outcomes[2]);
        Assert.Equal(new StreamVersion(3), Assert.IsType<AppendOutcome.Appended>(outcomes[0]).Version);
        Assert.Equal(new StreamVersion(1), Assert.IsType<AppendOutcome.Appended>(outcomes[1]).Version);
        Assert.Equal(EventId.Derive(toA, a, 0), (await ReadStreamAsync(log, a))[^1].Id);
        Assert.Equal(EventId.Derive(toMissing, missing, 0), Assert.Single(await ReadStreamAsync(log, missing)).Id);
        Assert.Equal(EventId.Derive(toB, b, 0), (await ReadStreamAsync(log, b))[^1].Id);
    }

    [Fact]
    public async Task the_second_request_for_a_stream_in_one_batch_is_deferred_and_not_tried()
    {
        var log = await OpenAsync();
        var (stream, other) = (NewStream(), NewStream());
        var (first, second, third) = (Request(stream, 0, NewCommand()), Request(stream, 1, NewCommand()), Request(stream, 1, NewCommand()));

        var outcomes = await AppendAsync(log, first, second, Request(other, 0, NewCommand()), third, first);

        Assert.Equal(new StreamVersion(1), Assert.IsType<AppendOutcome.Appended>(outcomes[0]).Version);
        Assert.IsType<AppendOutcome.Deferred>(outcomes[1]);
        Assert.IsType<AppendOutcome.Appended>(outcomes[2]);
        Assert.IsType<AppendOutcome.Deferred>(outcomes[3]);
        Assert.IsType<AppendOutcome.Deferred>(outcomes[4]);
        Assert.Single(await ReadStreamAsync(log, stream));
        Assert.Equal(new StreamVersion(2), (await AppendedAsync(log, second)).Version);
        Assert.Equal(new AppendOutcome.Conflict(new StreamVersion(2)), await AppendOneAsync(log, third));
    }

    [Fact]
    public async Task a_request_behind_one_that_was_not_written_is_deferred_all_the_same()
    {
        var log = await OpenAsync();
        var stream = NewStream();

        var outcomes = await AppendAsync(log, Request(stream, 5, NewCommand()), Request(stream, 0, NewCommand()));

        Assert.Equal(new AppendOutcome.Conflict(StreamVersion.None), outcomes[0]);
        Assert.IsType<AppendOutcome.Deferred>(outcomes[1]);
        Assert.Empty(await ReadStreamAsync(log, stream));
    }

    [Fact]
    public async Task each_request_of_a_batch_gets_its_own_outcome_in_order()
    {
        var log = await OpenAsync();
        var (known, stale, reused, fresh) = (NewStream("known"), NewStream("stale"), NewStream("reused"), NewStream("fresh"));
        var (again, other) = (Request(known, 0, NewCommand(), count: 2), NewCommand());
        var first = await AppendedAsync(log, again);
        await AppendAsync(log, Request(stale, 0, NewCommand()), Request(reused, 0, other));
        var before = await HeadAsync(log);

        var outcomes = await AppendAsync(log, Request(stale, 0, NewCommand()), Request(fresh, 0, NewCommand(), count: 2), again, Request(reused, 1, other, count: 2), Request(NewStream(), 0, NewCommand()));

        Assert.Equal(new AppendOutcome.Conflict(new StreamVersion(1)), outcomes[0]);
        Assert.Equal(before + 2, Assert.IsType<AppendOutcome.Appended>(outcomes[1]).Position);
        Assert.Equal(AsDuplicate(first), outcomes[2]);
        Assert.IsType<AppendOutcome.IdReused>(outcomes[3]);
        Assert.Equal(before + 3, Assert.IsType<AppendOutcome.Appended>(outcomes[4]).Position);
        Assert.Equal(before + 3, await HeadAsync(log));
    }

    [Theory]
    [InlineData("{", "{}")]
    [InlineData("{}", "nothing")]
    [InlineData("\"\uFFFF", "{}")]
    public async Task a_payload_that_is_not_json_is_refused_and_none_of_the_batch_is_written(string data, string metadata)
    {
        var log = await OpenAsync();
        var (stream, other) = (NewStream(), NewStream());
        var bad = new NewEvent(new EventId(NewCommand().Value), "thing-happened", 1, System.Text.Encoding.UTF8.GetBytes(data), System.Text.Encoding.UTF8.GetBytes(metadata));
        var before = await HeadAsync(log);

        await Assert.ThrowsAsync<LogRequestRefusedException>(() => AppendAsync(log, Request(other, 0, NewCommand()), new AppendRequest(stream, At(0), [bad])));

        Assert.Equal(before, await HeadAsync(log));
        Assert.Empty(await ReadStreamAsync(log, stream));
        Assert.Empty(await ReadStreamAsync(log, other));
        await AppendedAsync(log, Request(other, 0, NewCommand()));
    }

    [Fact]
    public async Task bytes_that_are_not_utf8_are_refused_and_nothing_is_written()
    {
        var log = await OpenAsync();
        var stream = NewStream();
        var bad = new NewEvent(new EventId(NewCommand().Value), "thing-happened", 1, "\"\u0001\""u8.ToArray().Select(b => b == 1 ? (byte)0xFF : b).ToArray(), "{}"u8.ToArray());

        await Assert.ThrowsAsync<LogRequestRefusedException>(() => AppendAsync(log, new AppendRequest(stream, At(0), [bad])));

        Assert.Empty(await ReadStreamAsync(log, stream));
    }

    [Fact]
    public async Task an_append_cancelled_before_it_is_sent_writes_nothing()
    {
        var log = await OpenAsync();
        var stream = NewStream();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => log.AppendAsync([Request(stream, 0, NewCommand())], new CancellationToken(canceled: true)));

        Assert.Empty(await ReadStreamAsync(log, stream));
    }

    private static async Task AssertReuseAsync(IEventLog log, AppendRequest request)
    {
        var before = await HeadAsync(log);
        Assert.IsType<AppendOutcome.IdReused>(await AppendOneAsync(log, request));
        Assert.Equal(before, await HeadAsync(log));
    }
}
