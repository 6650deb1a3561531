using Microsoft.Extensions.Logging;
using Orleans.Streams;

namespace Orleans.EventSourced.Streams;

/// <summary>
/// One subscription's place in a stream. It reads one delivery ahead of its subscriber and waits at the end; the agent, which may not wait, is told to look again when there is something. It holds
/// no connection. Used by one agent, one call at a time.
/// </summary>
/// <param name="stream">The stream, for people.</param>
/// <param name="deliveries">What it reads.</param>
/// <param name="lookAgain">Told, on any thread, when the next delivery is there.</param>
/// <param name="time">The clock of waits.</param>
/// <param name="logger">Where failures are told.</param>
internal sealed partial class RewindableCursor(string stream, IDeliveries deliveries, Action lookAgain, TimeProvider time, ILogger logger) : IQueueCacheCursor
{
    private readonly CancellationTokenSource _stop = new();
    private Task<IBatchContainer>? _next;
    private IBatchContainer? _current;
    private bool _again;
    private bool _isDisposed;

    public IBatchContainer? GetCurrent(out Exception? exception)
    {
        exception = null;
        return _current;
    }

    public bool MoveNext()
    {
        if (_again)
        {
            _again = false;
            return true;
        }

        if (_isDisposed)
        {
            return false;
        }

        if (_next is null)
        {
            // Never the first time, however quickly it is read: an agent that was told a place moves once to pass over what was taken there, and here only what comes next stands there.
            _next = Begin();
            return false;
        }

        if (!_next.IsCompletedSuccessfully)
        {
            return false;
        }

        _current = _next.Result;
        _next = Begin();
        return true;
    }

    public void Refresh(StreamSequenceToken token)
    {
        // What is new it finds by itself.
    }

    /// <summary>The agent gave up on this delivery for now: the next one is the same again, so that nothing is passed over.</summary>
    public void RecordDeliveryFailure() => _again = _current is not null;

    public void Dispose()
    {
        if (!_isDisposed)
        {
            _isDisposed = true;
            _stop.Cancel();
            _stop.Dispose();
        }
    }

    private Task<IBatchContainer> Begin()
    {
        var stop = _stop.Token;
        var read = Task.Run(() => ReadUntilThereAsync(stop), stop);
        _ = read.ContinueWith(static (_, told) => ((Action)told!)(), lookAgain, CancellationToken.None, TaskContinuationOptions.OnlyOnRanToCompletion | TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        return read;
    }

    private async Task<IBatchContainer> ReadUntilThereAsync(CancellationToken stop)
    {
        for (var attempt = 0; ; attempt++)
        {
            try
            {
                return await deliveries.NextAsync(stop);
            }
            catch (Exception e) when (!stop.IsCancellationRequested)
            {
                if (double.IsInteger(Math.Log2(attempt + 1)))
                {
                    NotRead(logger, stream, deliveries.Place, attempt + 1, e);
                }

                await Task.Delay(DeliveryBackoff.Instance.Next(attempt), time, stop);
            }
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "A subscription to {Stream} cannot read on behind {Place} (try {Try}); it tries again by itself")]
    private static partial void NotRead(ILogger logger, string stream, string place, int @try, Exception cause);
}
