using System.Collections.Concurrent;
using Orleans.EventSourced.Streams;

namespace Orleans.EventSourced.IntegrationTests.Streams;

/// <summary>What the subscribers of a test took, on whatever silo, and the positions that they keep, as a database would have them. Safe for concurrent use.</summary>
public sealed class Deliveries
{
    private readonly Lock _gate = new();
    private readonly Dictionary<string, List<StreamedEvent>> _taken = [];
    private readonly ConcurrentDictionary<string, long> _kept = new();

    /// <summary>Happens before a subscriber takes an event; what it throws, the subscriber throws.</summary>
    public Func<string, StreamedEvent, Task> Before { get; set; } = (_, _) => Task.CompletedTask;

    /// <summary>Happens when a subscriber is activated.</summary>
    public Func<string, Task> Activating { get; set; } = _ => Task.CompletedTask;

    /// <summary>Who was told of an error, and of which.</summary>
    public ConcurrentQueue<(string Subscriber, Exception Error)> Errors { get; } = new();

    /// <summary>What was delivered at once to those who take batches: how many events, and their bytes.</summary>
    public ConcurrentQueue<(int Events, int Bytes)> Batches { get; } = new();

    /// <summary>The position of the last event that a subscriber has done.</summary>
    public long KeptBy(string subscriber) => _kept.GetValueOrDefault(subscriber);

    /// <summary>The events that a subscriber took, in order.</summary>
    public IReadOnlyList<StreamedEvent> Of(string subscriber)
    {
        lock (_gate)
        {
            return [.. _taken.GetValueOrDefault(subscriber, [])];
        }
    }

    /// <summary>Their positions.</summary>
    public IReadOnlyList<long> PositionsOf(string subscriber) => [.. Of(subscriber).Select(e => e.Position.Value)];

    public async Task TakeAsync(string subscriber, StreamedEvent e)
    {
        await Before(subscriber, e);
        lock (_gate)
        {
            (_taken.TryGetValue(subscriber, out var taken) ? taken : _taken[subscriber] = []).Add(e);
        }

        _kept[subscriber] = e.Position.Value;
    }
}
