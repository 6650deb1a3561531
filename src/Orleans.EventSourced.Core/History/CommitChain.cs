using System.Text;
using Orleans.EventSourced.Core.Log;

namespace Orleans.EventSourced.Core.History;

/// <summary>
/// Follows the chain of links, commit by commit. A link that is wrong may be so for itself or for what it covers: the marks of the events tell which of these was changed, and the next link, which was made
/// from the right one, tells whether this one was.
/// </summary>
internal sealed class CommitChain(Findings findings, LogAnchor? anchor)
{
    private const string Table = "commits";
    private const string EventTable = "events";
    private byte[] _link = [];
    private long _next = 1;
    private bool _isAnchorMet;

    // The commit before, where its link is wrong and nothing has told yet why.
    private (long Position, byte[] Computed, bool IsMarked, IReadOnlyList<EventRow> Events)? _doubt;

    public long Events { get; private set; }

    public long Commits { get; private set; }

    /// <summary>How many commits have no marks.</summary>
    public long Unmarked { get; private set; }

    /// <summary>The position of the last event so far.</summary>
    public long Head => _next - 1;

    /// <summary>The last commit's link as it is stored; empty: there is no commit.</summary>
    public ReadOnlyMemory<byte> Link => _link;

    /// <summary>The last commit's time as it is stored.</summary>
    public long RecordedAt { get; private set; } = long.MinValue;

    public void Add(CommitRow commit)
    {
        Commits++;
        Events += commit.Events.Count;
        Unmarked += commit.Marks is null ? 1 : 0;
        var count = commit.Count;
        if (IsWhole(commit))
        {
            count = Follow(commit, Digests(commit)) ? commit.Events.Count : commit.Count;
        }
        else
        {
            Missing(commit);
            Undecided();
        }

        if (commit.RecordedAt < RecordedAt)
        {
            Report(commit.Position, "recorded_at", "It is earlier than that of the commit before.");
        }

        Meet(commit);
        (_link, _next, RecordedAt) = (commit.Link.ToArray(), unchecked(commit.Position + count), commit.RecordedAt);
    }

    /// <summary>Says what only a further commit could have told, and whether the log ends before the anchor.</summary>
    public void End()
    {
        Undecided();
        if (anchor is not null && !_isAnchorMet)
        {
            Miss(Head, $"The log ends at position {Head}; the anchor is at {anchor.Position}.");
        }
    }

    /// <summary>Whether the link is that of the events.</summary>
    private bool Follow(CommitRow commit, List<byte[]?> digests)
    {
        // A digest that cannot be made is of an event that was changed.
        var computed = digests.TrueForAll(d => d is not null) ? HashLink.Next(_link, commit.Position, commit.RecordedAt, digests!) : [];
        var isRight = commit.Link.Span.SequenceEqual(computed);
        if (isRight || IsRightBehindAnother(commit, digests))
        {
            Resolve(isRight);
            Place(commit);
            if (commit.Count != digests.Count)
            {
                Report(commit.Position, "count", $"It is {commit.Count}; the link is that of {digests.Count} events.");
            }

            if (commit.Marks is { } marks && !marks.Span.SequenceEqual(HashLink.Marks(digests!)))
            {
                Report(commit.Position, "marks", "The marks are not those of the events, whose link is right.");
            }

            return true;
        }

        Undecided();
        var isExplained = Changed(commit, digests) | Missing(commit);
        if (commit.Position != _next)
        {
            isExplained = true;
            var isMoved = computed.Length > 0 && commit.Link.Span.SequenceEqual(HashLink.Next(_link, _next, commit.RecordedAt, digests!));
            Report(commit.Position, isMoved ? "position" : null, $"Position {_next} was expected here{(isMoved ? ", and is what the link was made for" : "")}.");
        }

        _doubt = isExplained ? null : (commit.Position, computed, commit.Marks is not null, commit.Events);
        return false;
    }

    /// <summary>Whether the link follows from the one that the commit before should have.</summary>
    private bool IsRightBehindAnother(CommitRow commit, List<byte[]?> digests) =>
        _doubt is { } doubt && digests.TrueForAll(d => d is not null) && commit.Link.Span.SequenceEqual(HashLink.Next(doubt.Computed, commit.Position, commit.RecordedAt, digests!));

    /// <summary>What a right link tells of the one before: it was made from it as it stands, or as it should be.</summary>
    private void Resolve(bool isLinkRight)
    {
        if (_doubt is { } doubt)
        {
            _doubt = null;
            if (!isLinkRight)
            {
                Report(doubt.Position, "link", "The link was changed: the next one was made from what its rows give.");
            }
            else if (doubt.IsMarked)
            {
                Report(doubt.Position, "recorded_at", "The time was changed: the link was made for another one, and all else that it covers is right.");
            }
            else
            {
                Report(doubt.Position, null, $"The time of the commit was changed, or one of its events: {Names(doubt.Events)}. It is from before events had marks.");
            }
        }
    }

    /// <summary>The doubt stays one.</summary>
    private void Undecided()
    {
        if (_doubt is { } doubt)
        {
            _doubt = null;
            var isLast = anchor?.Position == Head ? anchor.Link : null;
            var isLink = isLast == Convert.ToHexStringLower(doubt.Computed);
            var isOther = isLast == Convert.ToHexStringLower(_link);
            findings.Add(new Finding(
                FindingKind.ChainBroken,
                Table,
                isLink ? "link" : !doubt.IsMarked ? null : isOther ? "recorded_at" : "recorded_at or link",
                null,
                null,
                null,
                doubt.Position,
                doubt.IsMarked ? "The link is not that of what it covers: it was changed, or the time." : $"The link is not that of what it covers: it was changed, or the time, or one of the events: {Names(doubt.Events)}."));
        }
    }

    private void Place(CommitRow commit)
    {
        if (commit.Position != _next)
        {
            Report(commit.Position, "position", $"Position {_next} was expected here, though the links go on.");
        }
    }

    /// <summary>Whether the events with the commit's number are a whole commit, be it as many as it says or not.</summary>
    private static bool IsWhole(CommitRow commit) => commit.Events.Count > 0 && commit.Events.Index().All(e => e.Item.Ordinal == e.Index);

    private static List<byte[]?> Digests(CommitRow commit) => [.. commit.Events.Select(HashLink.Digest)];

    /// <summary>Names the events whose marks are others. True: there are some.</summary>
    private bool Changed(CommitRow commit, List<byte[]?> digests)
    {
        var isChanged = false;
        for (var i = 0; i < digests.Count; i++)
        {
            var (at, e) = (i * HashLink.MarkBytes, commit.Events[i]);
            var isOther = commit.Marks is { } marks && marks.Length >= at + HashLink.MarkBytes && digests[i] is { } digest && !digest.AsSpan(0, HashLink.MarkBytes).SequenceEqual(marks.Span.Slice(at, HashLink.MarkBytes));
            if (isOther || digests[i] is null)
            {
                isChanged = true;
                Report(FindingKind.EventChanged, commit, e, "id, type, schema, data or metadata", "It is not what was written: its digest has another mark. One of these columns was changed, or its version, or the name of its stream, which would be found for themselves.");
            }
        }

        return isChanged;
    }

    /// <summary>Names the events that are not there, and those that are too many. True: there are some.</summary>
    private bool Missing(CommitRow commit)
    {
        var present = commit.Events.Select(e => e.Ordinal).ToHashSet();
        var count = Math.Clamp(commit.Count, 0, int.MaxValue);
        var missing = count - present.Count(o => o >= 0 && o < count);
        if (missing > 0 && commit.Events.Count == 0)
        {
            Report(commit.Position, "id", $"No event has its number, {commit.Id}; it has {commit.Count}.");
        }
        else if (missing > 0)
        {
            var first = 0L;
            while (present.Contains(first))
            {
                first++;
            }

            findings.Add(new Finding(
                FindingKind.EventMissing, EventTable, null, null, null, null, unchecked(commit.Position + first), $"Of the {commit.Count} events of the commit at position {commit.Position} {missing} are missing, the first of them here."));
        }

        foreach (var e in commit.Events.Where(e => e.Ordinal < 0 || e.Ordinal >= commit.Count))
        {
            Report(FindingKind.EventStray, commit, e, "commit_id or ordinal", $"The commit at position {commit.Position} has {commit.Count} events; this one has the ordinal {e.Ordinal}.");
        }

        return missing != 0 || commit.Events.Any(e => e.Ordinal < 0 || e.Ordinal >= commit.Count);
    }

    private void Meet(CommitRow commit)
    {
        var last = unchecked(commit.Position + commit.Count - 1);
        if (anchor is null || _isAnchorMet || last < anchor.Position)
        {
            return;
        }

        _isAnchorMet = true;
        if (last > anchor.Position)
        {
            Miss(commit.Position, $"The anchor is at position {anchor.Position}, the end of a commit; no commit ends there.");
        }
        else if (Convert.ToHexStringLower(commit.Link.Span) != anchor.Link)
        {
            Miss(commit.Position, $"The link of the commit is not that of the anchor at position {anchor.Position}: up to there the log is another one than it was.");
        }
        else if (commit.RecordedAt != HashLink.Microseconds(anchor.RecordedAt))
        {
            Miss(commit.Position, $"The time of the commit is not that of the anchor at position {anchor.Position}.");
        }
    }

    private void Miss(long position, string message) => findings.Add(new Finding(FindingKind.AnchorMissed, Table, null, null, null, null, position, message));

    private void Report(long position, string? column, string message) => findings.Add(new Finding(FindingKind.CommitChanged, Table, column, null, null, null, position, message));

    private void Report(FindingKind kind, CommitRow commit, EventRow e, string? column, string message) =>
        findings.Add(new Finding(kind, EventTable, column, null, NameOf(e), e.Version, unchecked(commit.Position + e.Ordinal), message));

    private static string? NameOf(EventRow e) => e.Stream is { } name ? Encoding.UTF8.GetString(name.Span) : null;

    private static string Names(IReadOnlyList<EventRow> events) =>
        string.Join(", ", events.Take(10).Select(e => $"{NameOf(e)} version {e.Version}")) + (events.Count > 10 ? $" and {events.Count - 10} more" : "");
}
