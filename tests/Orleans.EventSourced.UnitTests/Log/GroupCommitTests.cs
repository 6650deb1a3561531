using System.Text;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;
using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.Log;
using Xunit;

namespace Orleans.EventSourced.UnitTests.Log;

public sealed class GroupCommitTests
{
    private readonly ScriptedLog _log = new();
    private readonly FakeTimeProvider _time = new() { AutoAdvanceAmount = TimeSpan.Zero };

    [Fact]
    public async Task what_arrives_while_a_batch_is_in_flight_forms_the_next_one()
    {
        await using var group = Group(o => o.MaxBatchesInFlight = 1);
        var gate = _log.HoldNext();
        var first = group.AppendAsync(Request("s/first"));
        var rest = Enumerable.Range(0, 9).Select(i => group.AppendAsync(Request($"s/{i}"))).ToList();
        gate.SetResult();

        await Task.WhenAll([first, .. rest]);
        Assert.Equal([1, 9], _log.Batches);
    }

    [Fact]
    public async Task what_arrives_meanwhile_gathers_though_another_batch_may_go()
    {
        await using var group = Group(o => o.MaxBatchesInFlight = 2);
        var gate = _log.HoldNext();
        var first = group.AppendAsync(Request("s/first"));
        var rest = Enumerable.Range(0, 9).Select(i => group.AppendAsync(Request($"s/{i}"))).ToList();
        Assert.Equal(10, group.Queued);
        gate.SetResult();

        await Task.WhenAll([first, .. rest]);
        Assert.Equal([1, 9], _log.Batches);
    }

    [Fact]
    public async Task while_a_batch_hangs_the_others_go_beside_it()
    {
        await using var group = Group(o => o.MaxBatchesInFlight = 2);
        var gate = _log.HoldNext();
        var hanging = group.AppendAsync(Request("s/hanging"));
        var rest = Enumerable.Range(0, 9).Select(i => group.AppendAsync(Request($"s/{i}"))).ToList();
        await Advancing(rest[8]);
        Assert.False(hanging.IsCompleted);
        gate.SetResult();

        await Task.WhenAll([hanging, .. rest]);
        Assert.Equal([9, 1], _log.Batches);
    }

    [Fact]
    public async Task one_stream_has_one_request_in_flight_and_the_others_wait_in_order()
    {
        await using var group = Group(o => o.MaxBatchesInFlight = 4);
        var answers = await Task.WhenAll(Enumerable.Range(0, 50).Select(_ => group.AppendAsync(Request("s/hot"))));
        Assert.Equal(Enumerable.Range(1, 50), answers.Select(a => Assert.IsType<AppendOutcome.Appended>(a).Version.Value));
        Assert.All(_log.Batches, size => Assert.Equal(1, size));
    }

    [Fact]
    public async Task a_batch_keeps_the_limit_of_events_and_never_splits_a_command()
    {
        await using var group = Group(o => (o.MaxBatchesInFlight, o.MaxBatchEvents) = (1, 10));
        var gate = _log.HoldNext();
        var sent = new List<Task<AppendOutcome>> { group.AppendAsync(Request("s/0")) };
        sent.AddRange(Enumerable.Range(1, 5).Select(i => group.AppendAsync(Request($"s/{i}", events: 4))));
        sent.Add(group.AppendAsync(Request("s/big", events: 30)));
        gate.SetResult();

        await Task.WhenAll(sent);
        Assert.Equal([1, 2, 2, 1, 1], _log.Batches);
        Assert.Equal(51, (await _log.Inner.ReadHeadAsync(CancellationToken.None)).Position.Value);
    }

    [Fact]
    public async Task a_full_queue_refuses_at_once_and_writes_nothing()
    {
        await using var group = Group(o => (o.MaxBatchesInFlight, o.MaxQueuedRequests) = (1, 3));
        var gate = _log.HoldNext();
        var taken = Enumerable.Range(0, 3).Select(i => group.AppendAsync(Request($"s/{i}"))).ToList();
        await Assert.ThrowsAsync<LogOverloadedException>(() => group.AppendAsync(Request("s/refused")));
        gate.SetResult();
        await Task.WhenAll(taken);
        Assert.Equal(3, (await _log.Inner.ReadHeadAsync(CancellationToken.None)).Position.Value);
        Assert.Equal(0, group.Queued);
    }

    [Fact]
    public async Task a_queue_full_of_bytes_refuses_at_once_and_takes_more_when_it_is_empty()
    {
        await using var group = Group(o => (o.MaxBatchesInFlight, o.MaxQueuedBytes) = (1, 16 * 1024 * 1024));
        var gate = _log.HoldNext();
        var taken = Enumerable.Range(0, 15).Select(i => group.AppendAsync(Request($"s/{i}", dataBytes: 1024 * 1024))).ToList();
        await Assert.ThrowsAsync<LogOverloadedException>(() => group.AppendAsync(Request("s/refused", dataBytes: 1024 * 1024)));
        var small = group.AppendAsync(Request("s/small"));
        gate.SetResult();
        await Task.WhenAll([.. taken, small]);
        Assert.Equal(16, (await _log.Inner.ReadHeadAsync(CancellationToken.None)).Position.Value);
        Assert.Equal(0, group.QueuedBytes);
        Assert.IsType<AppendOutcome.Appended>(await group.AppendAsync(Request("s/largest", events: 15, dataBytes: 1024 * 1024)));
    }

    [Theory]
    [InlineData((16L * 1024 * 1024) - 1)]
    [InlineData((16L * 1024 * 1024 * 1024) + 1)]
    public void a_queue_that_could_not_hold_one_request_or_would_fill_the_machine_is_no_option(long bytes)
    {
        var services = new ServiceCollection().AddGroupCommit().Configure<GroupCommitOptions>(o => o.MaxQueuedBytes = bytes);
        using var provider = services.BuildServiceProvider();
        var e = Assert.Throws<OptionsValidationException>(() => provider.GetRequiredService<IOptions<GroupCommitOptions>>().Value);
        Assert.Contains("MaxQueuedBytes", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task a_lost_reply_is_resolved_by_sending_the_same_ids_again()
    {
        await using var group = Group();
        _log.LoseNextReply();
        var answer = await Advancing(group.AppendAsync(Request("s/a")));
        Assert.Equal(new LogPosition(1), Assert.IsType<AppendOutcome.Duplicate>(answer).Position);
        Assert.Equal(1, (await _log.Inner.ReadHeadAsync(CancellationToken.None)).Position.Value);
    }

    [Fact]
    public async Task doubt_is_followed_through_any_number_of_tries()
    {
        await using var group = Group(o => (o.RetryDelay, o.ResolveUnknownFor) = (TimeSpan.FromMilliseconds(1), TimeSpan.FromMinutes(5)));
        _log.FailNext(100, new LogOutcomeUnknownException("away"));
        Assert.IsType<AppendOutcome.Appended>(await Advancing(group.AppendAsync(Request("s/a"))));
    }

    [Fact]
    public async Task a_sure_no_is_tried_again_a_bounded_number_of_times()
    {
        await using var group = Group(o => o.MaxRetries = 2);
        _log.FailNext(2, new LogUnavailableException("away"));
        Assert.IsType<AppendOutcome.Appended>(await Advancing(group.AppendAsync(Request("s/a"))));

        _log.FailNext(3, new LogUnavailableException("away"));
        await Assert.ThrowsAsync<LogUnavailableException>(() => Advancing(group.AppendAsync(Request("s/b"))));
        Assert.Equal(1, (await _log.Inner.ReadHeadAsync(CancellationToken.None)).Position.Value);
    }

    [Fact]
    public async Task a_no_to_a_later_try_does_not_make_a_lost_reply_a_no()
    {
        await using var group = Group(o => o.ResolveUnknownFor = TimeSpan.FromSeconds(2));
        _log.LoseNextReply();
        _log.FailNext(1_000, new LogUnavailableException("away"));
        await Assert.ThrowsAsync<LogOutcomeUnknownException>(() => Advancing(group.AppendAsync(Request("s/a"))));
        Assert.Equal(1, (await _log.Inner.ReadHeadAsync(CancellationToken.None)).Position.Value);
    }

    [Fact]
    public async Task a_lost_race_is_sent_again()
    {
        await using var group = Group();
        _log.FailNext(5, new LogRaceException("a twin"));
        Assert.IsType<AppendOutcome.Appended>(await Advancing(group.AppendAsync(Request("s/a"))));
    }

    [Fact]
    public async Task one_request_that_the_store_refuses_fails_alone()
    {
        await using var group = Group(o => o.MaxBatchesInFlight = 1);
        _log.Refuse = "s/13";
        var gate = _log.HoldNext();
        var sent = Enumerable.Range(0, 30).Select(i => group.AppendAsync(Request($"s/{i}"))).ToList();
        gate.SetResult();
        await Task.WhenAll(sent).ContinueWith(_ => { }, TaskScheduler.Default);

        Assert.IsType<LogRequestRefusedException>(sent[13].Exception?.InnerException);
        Assert.All(sent.Where((_, i) => i != 13), s => Assert.IsType<AppendOutcome.Appended>(s.Result));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task a_refusal_after_a_lost_reply_leaves_only_the_refused_request_in_doubt(bool wasWritten)
    {
        await using var group = Group(o => o.MaxBatchesInFlight = 1);
        _log.LoseReplyOfBatchOf("s/0", wasWritten);
        _log.Refuse = "s/13";
        var gate = _log.HoldNext();
        var first = group.AppendAsync(Request("s/first"));
        var sent = Enumerable.Range(0, 30).Select(i => group.AppendAsync(Request($"s/{i}"))).ToList();
        gate.SetResult();
        await first;
        await Assert.ThrowsAsync<LogOutcomeUnknownException>(() => Advancing(sent[13]));

        var expected = wasWritten ? typeof(AppendOutcome.Duplicate) : typeof(AppendOutcome.Appended);
        Assert.All(await Task.WhenAll(sent.Where((_, i) => i != 13)), o => Assert.IsType(expected, o));
        Assert.Equal(wasWritten ? 31 : 30, (await _log.Inner.ReadHeadAsync(CancellationToken.None)).Position.Value);
    }

    [Fact]
    public async Task a_batch_carries_nothing_of_the_caller_who_happens_to_start_it()
    {
        await using var group = Group();
        var carried = new AsyncLocal<string?> { Value = "the first caller's" };
        string? seen = null;
        _log.BeforeNext(() => seen = carried.Value);
        Assert.IsType<AppendOutcome.Appended>(await group.AppendAsync(Request("s/a")));
        Assert.Null(seen);
    }

    [Fact]
    public async Task a_closed_group_takes_nothing_and_finishes_what_it_has()
    {
        var group = Group();
        var sent = Enumerable.Range(0, 20).Select(i => group.AppendAsync(Request($"s/{i % 3}"))).ToList();
        await group.DisposeAsync();
        Assert.All(sent, s => Assert.True(s.IsCompletedSuccessfully));
        await Assert.ThrowsAsync<LogUnavailableException>(() => group.AppendAsync(Request("s/late")));
    }

    private static AppendRequest Request(string stream, int events = 1, int dataBytes = 2)
    {
        var (command, name) = (CommandId.New(TimeProvider.System), new StreamId(stream));
        var metadata = new EventMetadata(command).ToJson();
        return new AppendRequest(name, ExpectedVersion.Any, [.. Enumerable.Range(0, events).Select(i => new NewEvent(EventId.Derive(command, name, i), "tested", 1, Encoding.UTF8.GetBytes($"{{{new string(' ', dataBytes - 2)}}}"), metadata))]);
    }

    private GroupCommit Group(Action<GroupCommitOptions>? configure = null)
    {
        var options = new GroupCommitOptions();
        configure?.Invoke(options);
        return new GroupCommit(_log, options, _time, NullLogger<GroupCommit>.Instance);
    }

    /// <summary>Lets virtual time pass until the answer is there.</summary>
    private async Task<AppendOutcome> Advancing(Task<AppendOutcome> answer)
    {
        for (var steps = 0; !answer.IsCompleted && steps < 5_000; steps++)
        {
            _time.Advance(TimeSpan.FromMilliseconds(50));
            await Task.WhenAny(answer, Task.Delay(TimeSpan.FromMilliseconds(1), TimeProvider.System));
        }

        return answer.IsCompleted ? await answer : throw new TimeoutException("The append was not answered.");
    }

    /// <summary>A real log in memory whose answers can be held, lost or replaced by failures.</summary>
    private sealed class ScriptedLog : IEventLog
    {
        private readonly Queue<Func<Task>> _before = new();
        private (string FirstStream, bool IsWritten)? _lost;
        private bool _loseReply;

        public InMemoryEventLog Inner { get; } = new(TimeProvider.System);

        public List<int> Batches { get; } = [];

        public string? Refuse { get; set; }

        public TaskCompletionSource HoldNext()
        {
            var gate = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            _before.Enqueue(() => gate.Task);
            return gate;
        }

        public void FailNext(int times, Exception e)
        {
            for (var i = 0; i < times; i++)
            {
                _before.Enqueue(() => Task.FromException(e));
            }
        }

        public void BeforeNext(Action act) => _before.Enqueue(() =>
        {
            act();
            return Task.CompletedTask;
        });

        public void LoseNextReply() => _loseReply = true;

        public void LoseReplyOfBatchOf(string firstStream, bool isWritten) => _lost = (firstStream, isWritten);

        public async Task<IReadOnlyList<AppendOutcome>> AppendAsync(IReadOnlyList<AppendRequest> batch, CancellationToken cancellationToken)
        {
            if (_loseReply)
            {
                _loseReply = false;
                await Inner.AppendAsync(batch, cancellationToken);
                throw new LogOutcomeUnknownException("the reply is lost");
            }

            if (_lost is { } lost && lost.FirstStream == batch[0].Stream.Value)
            {
                _lost = null;
                await (lost.IsWritten ? Inner.AppendAsync(batch, cancellationToken) : Task.CompletedTask);
                throw new LogOutcomeUnknownException("the reply is lost");
            }

            if (_before.TryDequeue(out var before))
            {
                await before();
            }

            if (batch.Any(r => r.Stream.Value == Refuse))
            {
                throw new LogRequestRefusedException("refused");
            }

            lock (Batches)
            {
                Batches.Add(batch.Count);
            }

            return await Inner.AppendAsync(batch, cancellationToken);
        }

        public Task<IReadOnlyList<IReadOnlyList<RecordedEvent>>> ReadStreamsAsync(IReadOnlyList<StreamRead> reads, CancellationToken cancellationToken) => Inner.ReadStreamsAsync(reads, cancellationToken);

        public Task<IReadOnlyList<RecordedEvent>> ReadLogAsync(LogPosition after, int maxEvents, CancellationToken cancellationToken) => Inner.ReadLogAsync(after, maxEvents, cancellationToken);

        public Task<LogHead> ReadHeadAsync(CancellationToken cancellationToken) => Inner.ReadHeadAsync(cancellationToken);

        public Task<RecordedEvent?> FindCommandAsync(CommandId command, CancellationToken cancellationToken) => Inner.FindCommandAsync(command, cancellationToken);

        public Task<RecordedEvent?> FindEventAsync(EventId id, CancellationToken cancellationToken) => Inner.FindEventAsync(id, cancellationToken);
    }
}
