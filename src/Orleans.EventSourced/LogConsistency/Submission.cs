using Orleans.EventSourced.Commands;
using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.Log;

namespace Orleans.EventSourced.LogConsistency;

/// <summary>Events on their way from the grain to the log: those of one call to the adaptor, or several of one command joined.</summary>
internal sealed class Submission<TEntry>(IReadOnlyList<TEntry> entries, IReadOnlyList<NewEvent> events, CommandInvocation invocation, StreamVersion? expected)
{
    private IReadOnlyList<Submission<TEntry>> _joined = [];

    public IReadOnlyList<TEntry> Entries { get; } = entries;

    public IReadOnlyList<NewEvent> Events { get; } = events;

    public CommandInvocation Invocation { get; } = invocation;

    /// <summary>The version it insists on; null: behind whatever is there.</summary>
    public StreamVersion? Expected { get; } = expected;

    /// <summary>How many submissions of the queue it stands for.</summary>
    public int Parts => Math.Max(1, _joined.Count);

    public AppendOutcome? Outcome { get; private set; }

    public bool IsSettled => Outcome is not null;

    /// <summary>The first of the queue, joined with those behind it that belong to the same command: they are written all or none.</summary>
    public static Submission<TEntry> First(List<Submission<TEntry>> pending)
    {
        var first = pending[0];
        var count = 1;
        var events = first.Events.Count;
        while (first.Expected is null && count < pending.Count && pending[count].Expected is null && pending[count].Invocation == first.Invocation
            && events + pending[count].Events.Count <= AppendRequest.MaxEvents)
        {
            events += pending[count++].Events.Count;
        }

        if (count == 1)
        {
            return first;
        }

        var joined = pending.GetRange(0, count);
        return new Submission<TEntry>([.. joined.SelectMany(s => s.Entries)], [.. joined.SelectMany(s => s.Events)], first.Invocation, null) { _joined = joined };
    }

    public AppendRequest ToRequest(StreamId stream, StreamVersion version) =>
        new(stream, ExpectedVersion.Exactly(Expected ?? version), Events, Invocation.Context.RequestHash);

    public void Settle(AppendOutcome outcome)
    {
        Outcome = outcome;
        foreach (var part in _joined)
        {
            part.Outcome = outcome;
        }
    }
}
