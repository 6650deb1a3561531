using Orleans.EventSourced.Commands;
using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.Log;

namespace Orleans.EventSourced.LogConsistency;

/// <summary>Events on their way from the grain to the log: those of one call to the adaptor, or several of one command joined.</summary>
internal sealed class Submission<TEntry>(IReadOnlyList<TEntry> entries, AppendRequest request, CommandInvocation invocation, StreamVersion? expected, long turn)
{
    private readonly TaskCompletionSource<AppendOutcome>? _answer = expected is null ? null : new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly int _numbered = invocation.Numbered;
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

    /// <summary>
    /// What becomes of events that insist on a version, for the caller who waits for it: one task, because each await between caller and log costs every command its part. What breaks the activation
    /// after it is known does not change it.
    /// </summary>
    public Task<AppendOutcome> Answer => (_answer ?? throw new InvalidOperationException("Events that insist on no version are confirmed, not answered.")).Task;

    public bool IsSettled => Outcome is not null;

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
    public AppendRequest ToRequest(StreamVersion version) => Expected is null ? Request.Expecting(ExpectedVersion.Exactly(version)) : Request;

    /// <summary>It surely was not written, which concerns its own caller only.</summary>
    public void Refuse(LogOverloadedException refusal)
    {
        TakeBack();
        Fail(refusal);
    }

    /// <summary>Its fate is not learnt by this activation; to one who waits for no answer the adaptor says so itself.</summary>
    public void Fail(Exception e) => _answer?.TrySetException(e);

    /// <summary>Takes the joined submissions apart: each is sent by itself.</summary>
    public void Part()
    {
        foreach (var part in _joined)
        {
            part.IsAlone = true;
        }
    }

    /// <summary>What became of it is known; <see cref="Tell"/> says so to the caller.</summary>
    public void Settle(AppendOutcome outcome)
    {
        Outcome = outcome;
        foreach (var part in _joined)
        {
            part.Outcome = outcome;
        }
    }

    /// <summary>Answers the caller: the views hold by now what the outcome says.</summary>
    public void Tell()
    {
        if (Outcome is not (AppendOutcome.Appended or AppendOutcome.Duplicate))
        {
            TakeBack();
        }

        _answer?.TrySetResult(Outcome!);
    }

    /// <summary>Tried anew, they are the same events: a caller whose reply is lost sends the command again, and its first try must meet them.</summary>
    private void TakeBack()
    {
        if (_answer is not null && Invocation.Numbered == _numbered)
        {
            Invocation.TakeBack(Entries.Count);
        }
    }
}
