using Microsoft.Extensions.Time.Testing;
using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.UnitTests.Projections;
using Xunit;

namespace Orleans.EventSourced.UnitTests.Log;

public sealed class LogTailTests
{
    private readonly Bank _bank = new();
    private readonly FakeTimeProvider _time = new();

    [Fact]
    public async Task those_who_follow_share_one_read_and_one_decoded_event()
    {
        await AppendAsync(20);
        var log = new CountedLog(_bank.Log);
        var tail = Tail(log);
        var pages = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => tail.ReadAsync(LogPosition.Start, CancellationToken.None)));
        Assert.All(pages, p => Assert.Same(pages[0], p));
        Assert.Same(pages[0].Decode(3), pages[3].Decode(3));

        for (var at = pages[0].Last; at < new LogPosition(20);)
        {
            at = (await tail.ReadAsync(at, CancellationToken.None)).Last;
        }

        Assert.Equal(3, log.Reads);
    }

    [Fact]
    public async Task a_page_read_before_an_event_came_does_not_hide_it()
    {
        var tail = Tail(_bank.Log);
        Assert.Empty((await tail.ReadAsync(LogPosition.Start, CancellationToken.None)).Events);
        await AppendAsync(1);
        Assert.Single((await tail.ReadAsync(LogPosition.Start, CancellationToken.None)).Events);
    }

    [Fact]
    public async Task a_failed_read_is_tried_again_by_the_next_who_asks()
    {
        await AppendAsync(1);
        var log = new CountedLog(_bank.Log) { Fails = true };
        var tail = Tail(log);
        await Assert.ThrowsAsync<LogUnavailableException>(() => tail.ReadAsync(LogPosition.Start, CancellationToken.None));
        log.Fails = false;
        Assert.Single((await tail.ReadAsync(LogPosition.Start, CancellationToken.None)).Events);
    }

    [Fact]
    public async Task a_gap_in_the_log_is_an_error_that_names_the_position()
    {
        await AppendAsync(3);
        var e = await Assert.ThrowsAsync<LogCorruptException>(() => Tail(new CountedLog(_bank.Log) { Without = new LogPosition(2) }).ReadAsync(LogPosition.Start, CancellationToken.None));
        Assert.Contains("position 2 was expected", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task a_signal_ends_the_wait_and_an_older_one_does_not()
    {
        var tail = Tail(_bank.Log);
        var wait = tail.WaitAsync(new LogPosition(5), CancellationToken.None);
        tail.Signal(new LogPosition(5));
        await Task.Yield();
        Assert.False(wait.IsCompleted);
        tail.Signal(new LogPosition(6));
        await wait;
        Assert.Equal(new LogPosition(6), tail.Head);
    }

    [Fact]
    public async Task without_a_signal_the_poll_finds_the_event_with_one_question_for_all_who_wait()
    {
        await AppendAsync(1);
        var log = new CountedLog(_bank.Log);
        var tail = Tail(log);
        var waits = Enumerable.Range(0, 5).Select(_ => tail.WaitAsync(LogPosition.Start, CancellationToken.None)).ToList();
        Assert.All(waits, w => Assert.False(w.IsCompleted));
        _time.Advance(TimeSpan.FromSeconds(1));
        await Task.WhenAll(waits);
        Assert.Equal(1, log.Heads);
    }

    [Fact]
    public async Task a_wait_can_be_given_up()
    {
        using var stop = new CancellationTokenSource();
        var wait = Tail(_bank.Log).WaitAsync(LogPosition.Start, stop.Token);
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => wait);
    }

    private LogTail Tail(IEventLog log) => new(log, _bank.Codec, new LogTailOptions { PageEvents = 7 }, _time);

    private async Task AppendAsync(int count)
    {
        await _bank.AppendAsync("a", new Opened("x"));
        for (var i = 1; i < count; i++)
        {
            await _bank.AppendAsync("a", new Deposited(i));
        }
    }

    private sealed class CountedLog(IEventLog inner) : IEventLog
    {
        private int _reads;
        private int _heads;

        public int Reads => _reads;

        public int Heads => _heads;

        public bool Fails { get; set; }

        public LogPosition? Without { get; init; }

        public async Task<IReadOnlyList<RecordedEvent>> ReadLogAsync(LogPosition after, int maxEvents, CancellationToken cancellationToken)
        {
            Interlocked.Increment(ref _reads);
            return Fails ? throw new LogUnavailableException("not now") : [.. (await inner.ReadLogAsync(after, maxEvents, cancellationToken)).Where(e => e.Position != Without)];
        }

        public Task<LogHead> ReadHeadAsync(CancellationToken cancellationToken)
        {
            Interlocked.Increment(ref _heads);
            return inner.ReadHeadAsync(cancellationToken);
        }

        public Task<IReadOnlyList<AppendOutcome>> AppendAsync(IReadOnlyList<AppendRequest> batch, CancellationToken cancellationToken) => inner.AppendAsync(batch, cancellationToken);

        public Task<IReadOnlyList<IReadOnlyList<RecordedEvent>>> ReadStreamsAsync(IReadOnlyList<StreamRead> reads, CancellationToken cancellationToken) => inner.ReadStreamsAsync(reads, cancellationToken);

        public Task<RecordedEvent?> FindCommandAsync(CommandId command, CancellationToken cancellationToken) => inner.FindCommandAsync(command, cancellationToken);

        public Task<RecordedEvent?> FindEventAsync(EventId id, CancellationToken cancellationToken) => inner.FindEventAsync(id, cancellationToken);
    }
}
