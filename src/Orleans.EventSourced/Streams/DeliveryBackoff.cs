using Orleans.Runtime.Providers;

namespace Orleans.EventSourced.Streams;

/// <summary>How long an agent waits before it tries again: a tenth of a second at first, twice as long each time, 5 s at most.</summary>
internal sealed class DeliveryBackoff : IMessageDeliveryBackoffProvider, IQueueReaderBackoffProvider
{
    private static readonly TimeSpan First = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(5);

    public static DeliveryBackoff Instance { get; } = new();

    public TimeSpan Next(int attempt)
    {
        var wait = First * Math.Pow(2, Math.Min(attempt, 10));
        return wait < Longest ? wait : Longest;
    }
}
