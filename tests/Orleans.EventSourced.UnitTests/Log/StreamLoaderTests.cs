using System.Text;
using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.Log;
using Xunit;

namespace Orleans.EventSourced.UnitTests.Log;

public sealed class StreamLoaderTests
{
    private readonly InMemoryEventLog _log = new(TimeProvider.System);

    [Theory]
    [InlineData(30, 300_000)]
    [InlineData(3, AppendRequest.MaxDataBytes)]
    [InlineData(5_000, 20)]
    public async Task a_stream_is_read_in_pages_of_bounded_bytes_that_say_when_it_ends(int events, int dataBytes)
    {
        var stream = new StreamId("s/long");
        for (var i = 0; i < events; i++)
        {
            var command = CommandId.New(TimeProvider.System);
            var data = Encoding.UTF8.GetBytes($"\"{new string('x', dataBytes - 2)}\"");
            await _log.AppendAsync([new AppendRequest(stream, ExpectedVersion.Any, [new NewEvent(EventId.Derive(command, stream, 0), "tested", 1, data, new EventMetadata(command).ToJson())])], CancellationToken.None);
        }

        var loader = new StreamLoader(_log);
        var read = 0;
        IReadOnlyList<RecordedEvent> page;
        do
        {
            page = await loader.ReadAsync(stream, new StreamVersion(read));
            read += page.Count;
            Assert.InRange(page.Sum(e => e.Bytes), 0, StreamLoader.PageBytes + AppendRequest.MaxDataBytes + EventMetadata.MaxBytes);
        }
        while (StreamLoader.IsFull(page));

        Assert.Equal(events, read);
    }

    [Fact]
    public async Task reads_beyond_those_that_may_wait_are_refused_at_once()
    {
        var released = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var loader = new StreamLoader(new HookedLog(_log, () => released.Task));
        var taken = new List<Task>();
        var refused = 0;
        for (var i = 0; i < StreamLoader.MaxWaiting * 2; i++)
        {
            var read = loader.ReadAsync(new StreamId("s/many"), StreamVersion.None);
            if (read.IsFaulted)
            {
                Assert.IsType<LogOverloadedException>(read.Exception.InnerException);
                refused++;
            }
            else
            {
                taken.Add(read);
            }
        }

        Assert.InRange(refused, 1, StreamLoader.MaxWaiting);
        released.SetResult();
        await Task.WhenAll(taken);
        Assert.Empty(await loader.ReadAsync(new StreamId("s/many"), StreamVersion.None));
    }

    [Fact]
    public async Task a_read_carries_nothing_of_the_caller_who_happens_to_start_it()
    {
        var (carried, seen) = (new AsyncLocal<string?> { Value = "the first caller's" }, new List<string?>());
        var loader = new StreamLoader(new HookedLog(_log, () =>
        {
            seen.Add(carried.Value);
            return Task.CompletedTask;
        }));
        Assert.Empty(await loader.ReadAsync(new StreamId("s/a"), StreamVersion.None));
        Assert.Equal([null], seen);
    }

    /// <summary>Lets something happen, or waits for it, before streams are read.</summary>
    private sealed class HookedLog(IEventLog inner, Func<Task> beforeStreams) : IEventLog
    {
        public async Task<IReadOnlyList<IReadOnlyList<RecordedEvent>>> ReadStreamsAsync(IReadOnlyList<StreamRead> reads, CancellationToken cancellationToken)
        {
            await beforeStreams();
            return await inner.ReadStreamsAsync(reads, cancellationToken);
        }

        public Task<IReadOnlyList<AppendOutcome>> AppendAsync(IReadOnlyList<AppendRequest> batch, CancellationToken cancellationToken) => inner.AppendAsync(batch, cancellationToken);

        public Task<IReadOnlyList<RecordedEvent>> ReadLogAsync(LogPosition after, int maxEvents, CancellationToken cancellationToken) => inner.ReadLogAsync(after, maxEvents, cancellationToken);

        public Task<LogHead> ReadHeadAsync(CancellationToken cancellationToken) => inner.ReadHeadAsync(cancellationToken);

        public Task<RecordedEvent?> FindCommandAsync(CommandId command, CancellationToken cancellationToken) => inner.FindCommandAsync(command, cancellationToken);

        public Task<RecordedEvent?> FindEventAsync(EventId id, CancellationToken cancellationToken) => inner.FindEventAsync(id, cancellationToken);
    }
}
