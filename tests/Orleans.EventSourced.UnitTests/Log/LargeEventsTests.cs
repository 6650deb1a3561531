using System.Text;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;
using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.Log;
using Xunit;
using EventId = Orleans.EventSourced.Core.Events.EventId;

namespace Orleans.EventSourced.UnitTests.Log;

public sealed class LargeEventsTests
{
    private readonly FakeTimeProvider _time = new();
    private readonly Warnings _warnings = new();

    [Fact]
    public async Task a_payload_above_what_is_usual_is_written_and_warned_of_once_a_minute()
    {
        await using var group = new GroupCommit(new InMemoryEventLog(TimeProvider.System), new GroupCommitOptions(), _time, _warnings);
        await group.AppendAsync(Request(AppendRequest.SoftMaxDataBytes));
        Assert.Empty(_warnings.Messages);

        await group.AppendAsync(Request(AppendRequest.SoftMaxDataBytes + 1));
        await group.AppendAsync(Request(AppendRequest.MaxDataBytes));
        Assert.Contains("'tested' for stream s/large has 262145 bytes", Assert.Single(_warnings.Messages), StringComparison.Ordinal);

        _time.Advance(TimeSpan.FromMinutes(1));
        await group.AppendAsync(Request(AppendRequest.MaxDataBytes));
        Assert.Equal(2, _warnings.Messages.Count);
    }

    private static AppendRequest Request(int dataBytes)
    {
        var (command, stream) = (CommandId.New(TimeProvider.System), new StreamId("s/large"));
        var data = Encoding.UTF8.GetBytes($"\"{new string('x', dataBytes - 2)}\"");
        return new AppendRequest(stream, ExpectedVersion.Any, [new NewEvent(EventId.Derive(command, stream, 0), "tested", 1, data, new EventMetadata(command).ToJson())]);
    }

    private sealed class Warnings : ILogger<GroupCommit>
    {
        public List<string> Messages { get; } = [];

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, Microsoft.Extensions.Logging.EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (logLevel == LogLevel.Warning)
            {
                Messages.Add(formatter(state, exception));
            }
        }
    }
}
