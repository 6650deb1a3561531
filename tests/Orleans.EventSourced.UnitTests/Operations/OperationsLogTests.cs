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
        var done = 0;
        foreach (var reason in (string[])["one", "two"])
        {
            await operations.PerformAsync(new Operation(OperationActions.ProjectionSkip, "view:a", reason, null, null, new { Skipped = 1 }), () => Task.FromResult(done++));
        }

        Assert.Equal(2, done);
        var (level, message) = Assert.Single(logger.Lines);
        Assert.Equal(LogLevel.Warning, level);
        Assert.Contains("AddOperationEvents", message, StringComparison.Ordinal);
    }

    [Fact]
    public void what_is_about_to_be_done_is_open_until_its_outcome_is_written()
    {
        var id = Guid.Parse("019a0000-0000-7000-8000-000000000001");
        var request = new OperationCommand.Request(id, "projection-skip", "view:a", "one", """{"at":1}""", """{"skipped":7}""");
        var decline = new OperationCommand.Decline(id, "no");
        Assert.Empty(Decided(OperationsState.Initial, decline));
        var requested = Assert.IsType<OperationRequested>(Assert.Single(Decided(OperationsState.Initial, request)));
        Assert.Equal((id, "projection-skip", "view:a", "one", """{"at":1}""", """{"skipped":7}"""), (requested.Operation, requested.Action, requested.Target, requested.Reason, requested.Before?.GetRawText(), requested.Asked.GetRawText()));

        var open = OperationsState.Evolve(OperationsState.Initial, requested);
        Assert.Equal((1, 1), (open.Count, open.Open[id]));
        Assert.Empty(Decided(open, request));
        Assert.Empty(OperationsState.Evolve(open, Assert.Single(Decided(open, decline))).Open);

        var complete = new OperationCommand.Complete(id, "projection-skip", "view:a", "one", """{"at":1}""", null);
        var performed = Assert.IsType<OperationPerformed>(Assert.Single(Decided(open, complete)));
        Assert.Equal(("projection-skip", "view:a", "one", """{"at":1}""", null, id), (performed.Action, performed.Target, performed.Reason, performed.Before?.GetRawText(), performed.After?.GetRawText(), performed.Operation));
        Assert.Equal((2, 0), (OperationsState.Evolve(open, performed).Count, OperationsState.Evolve(open, performed).Open.Count));
        Assert.IsType<OperationPerformed>(Assert.Single(Decided(OperationsState.Initial, complete)));
    }

    private static IReadOnlyList<OperationEvent> Decided(OperationsState state, OperationCommand command) => Assert.IsType<Core.Deciding.Decision<OperationEvent>.Accept>(OperationsState.Decide(state, command)).Events;

    private sealed class ListLogger : ILogger
    {
        public List<(LogLevel Level, string Message)> Lines { get; } = [];

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, Microsoft.Extensions.Logging.EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) => Lines.Add((logLevel, formatter(state, exception)));
    }
}
