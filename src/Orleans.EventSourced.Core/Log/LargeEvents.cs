using Microsoft.Extensions.Logging;

namespace Orleans.EventSourced.Core.Log;

/// <summary>Tells of events above <see cref="AppendRequest.SoftMaxDataBytes"/>, once in a while only: who writes one writes many. Safe for concurrent use.</summary>
internal sealed partial class LargeEvents(TimeProvider time, ILogger logger)
{
    private static readonly TimeSpan BetweenWarnings = TimeSpan.FromMinutes(1);
    private readonly Lock _gate = new();
    private long? _warned;

    public void LookAt(AppendRequest request)
    {
        if (request.Bytes > AppendRequest.SoftMaxDataBytes && request.Events.FirstOrDefault(e => e.Data.Length > AppendRequest.SoftMaxDataBytes) is { } large && IsTime())
        {
            LargeEvent(logger, large.Type, request.Stream.ToString(), large.Data.Length, AppendRequest.SoftMaxDataBytes, AppendRequest.MaxDataBytes);
        }
    }

    private bool IsTime()
    {
        lock (_gate)
        {
            if (_warned is { } at && time.GetElapsedTime(at) < BetweenWarnings)
            {
                return false;
            }

            _warned = time.GetTimestamp();
            return true;
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "An event '{Type}' for stream {Stream} has {Bytes} bytes, more than the {Usual} that are usual; the most allowed are {Most}")]
    private static partial void LargeEvent(ILogger logger, string type, string stream, int bytes, int usual, int most);
}
