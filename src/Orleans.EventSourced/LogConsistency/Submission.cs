using Orleans.EventSourced.Commands;
using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.Log;

namespace Orleans.EventSourced.LogConsistency;

/// <summary>Events on their way from the grain to the log: those of one call to the adaptor, or several of one command joined.</summary>
internal sealed class Submission<TEntry>(IReadOnlyList<TEntry> entries, AppendRequest request, CommandInvocation invocation, StreamVersion? expected, long turn)
{
    private IReadOnlyList<Submission<TEntry>> _joined = [];

    public IReadOnlyList<TEntry> Entries { get; } = entries;

    /// <summary>The events as they will be stored; which version they go behind is said when they are sent.</summary>
    public AppendRequest Request { get; } = request;

    public IReadOnlyList<NewEvent> Events => Request.Events;

    public CommandInvocation Invocation { get; } = invocation;

    /// <summary>The version it insists on; null: behind whatever is there.</summary>
    public StreamVersion? Expected { get; } = expected;

    /// <summary>How many submissions of the queue it stands for.</summary>
    public int Parts => Math.Max(1, _joined.Count);

    /// <summary>The turn of the grain in which it was submitted: only what was submitted together is joined, so that a retry of the same code joins the same.</summary>
    public long Turn { get; } = turn;

    public AppendOutcome? Outcome { get; private set; }

    /// <summary>Why it surely was not written, where that concerns its own caller only.</summary>
    public LogOverloadedException? Refusal { get; private set; }

    public bool IsSettled => Outcome is not null || Refusal is not null;

    /// <summary>Sent by itself, because an earlier run of the command sent it in another company.</summary>
    private bool IsAlone { get; set; }

    /// <summary>The first of the queue, joined with those behind it that belong to the same command: they are written all or none.</summary>
    public static Submission<TEntry> First(List<Submission<TEntry>> pending)
    {
        var first = pending[0];
        var count = 1;
        var (events, bytes) = (first.Events.Count, first.Request.Bytes);
        while (first is { Expected: null, IsAlone: false } && count < pending.Count && pending[count].Expected is null && pending[count].Invocation == first.Invocation && pending[count].Turn == first.Turn
            && events + pending[count].Events.Count <= AppendRequest.MaxEvents && bytes + pending[count].Request.Bytes <= AppendRequest.MaxBytes)
        {
            events += pending[count].Events.Count;
            bytes += pending[count++].Request.Bytes;
        }

        if (count == 1)
        {
            return first;
        }

        var joined = pending.GetRange(0, count);
        var together = new AppendRequest(first.Request.Stream, ExpectedVersion.Any, [.. joined.SelectMany(s => s.Events)], first.Invocation.Context.RequestHash);
        return new Submission<TEntry>([.. joined.SelectMany(s => s.Entries)], together, first.Invocation, null, first.Turn) { _joined = joined };
    }

    /// <summary>What is sent: behind the version insisted on, else behind the one given.</summary>
    public AppendRequest ToRequest(StreamVersion version) => Request.Expecting(ExpectedVersion.Exactly(Expected ?? version));

    public void Refuse(LogOverloadedException refusal) => Refusal = refusal;

    /// <summary>Takes the joined submissions apart: each is sent by itself.</summary>
    public void Part()
    {
        foreach (var part in _joined)
        {
            part.IsAlone = true;
        }
    }

    public void Settle(AppendOutcome outcome)
    {
        Outcome = outcome;
        foreach (var part in _joined)
        {
            part.Outcome = outcome;
        }
    }
}
