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
    public async Task a_read_carries_nothing_of_the_caller_who_happens_to_start_it()
    {
        var carried = new AsyncLocal<string?> { Value = "the first caller's" };
        var log = new ObservedLog(() => carried.Value);
        Assert.Empty(await new StreamLoader(log).ReadAsync(new StreamId("s/a"), StreamVersion.None));
        Assert.Equal([null], log.Seen);
    }

    /// <summary>An empty log that notes what it sees as a stream is read.</summary>
    private sealed class ObservedLog(Func<string?> see) : IEventLog
    {
        public List<string?> Seen { get; } = [];

        public Task<IReadOnlyList<IReadOnlyList<RecordedEvent>>> ReadStreamsAsync(IReadOnlyList<StreamRead> reads, CancellationToken cancellationToken)
        {
            Seen.Add(see());
            return Task.FromResult<IReadOnlyList<IReadOnlyList<RecordedEvent>>>([.. reads.Select(_ => Array.Empty<RecordedEvent>())]);
        }

        public Task<IReadOnlyList<AppendOutcome>> AppendAsync(IReadOnlyList<AppendRequest> batch, CancellationToken cancellationToken) => throw new NotSupportedException();

        public Task<IReadOnlyList<RecordedEvent>> ReadLogAsync(LogPosition after, int maxEvents, CancellationToken cancellationToken) => throw new NotSupportedException();

        public Task<LogHead> ReadHeadAsync(CancellationToken cancellationToken) => throw new NotSupportedException();

        public Task<RecordedEvent?> FindCommandAsync(CommandId command, CancellationToken cancellationToken) => throw new NotSupportedException();

        public Task<RecordedEvent?> FindEventAsync(EventId id, CancellationToken cancellationToken) => throw new NotSupportedException();
    }
}
