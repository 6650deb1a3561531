using Microsoft.Extensions.Logging;
using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Operations;
using Xunit;

namespace Orleans.EventSourced.UnitTests.Operations;

public sealed class OperationsLogTests
{
    [Fact]
    public async Task a_program_without_its_events_is_warned_of_once()
    {
        var logger = new ListLogger();
        var operations = new OperationsLog(null!, new EventTypeMap.Builder().Build(), TimeProvider.System, logger);
        await operations.RecordAsync(OperationActions.ProjectionSkip, "view:a", "one", null, null, null);
        await operations.RecordAsync(OperationActions.ProjectionSkip, "view:a", "two", null, null, null);
        var (level, message) = Assert.Single(logger.Lines);
        Assert.Equal(LogLevel.Warning, level);
        Assert.Contains("AddOperationEvents", message, StringComparison.Ordinal);
    }

    [Fact]
    public void what_is_recorded_is_decided_and_counted_whatever_was_before()
    {
        var command = new RecordOperation("projection-skip", "view:a", "one", """{"at":1}""", null);
        var accepted = Assert.IsType<Core.Deciding.Decision<OperationEvent>.Accept>(OperationCount.Decide(new OperationCount(7), command));
        var performed = Assert.IsType<OperationPerformed>(Assert.Single(accepted.Events));
        Assert.Equal(("projection-skip", "view:a", "one", """{"at":1}""", null), (performed.Action, performed.Target, performed.Reason, performed.Before?.GetRawText(), performed.After?.GetRawText()));
        Assert.Equal(new OperationCount(8), OperationCount.Evolve(new OperationCount(7), performed));
    }

    private sealed class ListLogger : ILogger
    {
        public List<(LogLevel Level, string Message)> Lines { get; } = [];

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, Microsoft.Extensions.Logging.EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) => Lines.Add((logLevel, formatter(state, exception)));
    }
}
