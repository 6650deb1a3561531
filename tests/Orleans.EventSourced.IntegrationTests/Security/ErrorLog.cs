using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace Orleans.EventSourced.IntegrationTests.Security;

/// <summary>Keeps what a node logs of errors, for the message of a test that fails.</summary>
public sealed class ErrorLog : ILoggerProvider
{
    private const int MaxKept = 40;
    private readonly ConcurrentQueue<string> _lines = new();

    public override string ToString() => string.Join("\n", _lines);

    public ILogger CreateLogger(string categoryName) => new Logger(this);

    public void Dispose()
    {
    }

    private sealed class Logger(ErrorLog log) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Error;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (IsEnabled(logLevel) && log._lines.Count < MaxKept)
            {
                log._lines.Enqueue($"{formatter(state, exception)} {exception}");
            }
        }
    }
}
