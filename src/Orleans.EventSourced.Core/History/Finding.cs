namespace Orleans.EventSourced.Core.History;

/// <summary>What a verification can find.</summary>
public enum FindingKind
{
    /// <summary>The row that gives the log its identity is not the one that was written.</summary>
    LogChanged,

    /// <summary>A stream's row is not the one that was written.</summary>
    StreamChanged,

    /// <summary>A commit's row is not the one that was written.</summary>
    CommitChanged,

    /// <summary>An event is not the one that was written.</summary>
    EventChanged,

    /// <summary>Where an event should be there is none.</summary>
    EventMissing,

    /// <summary>An event has no place: its commit or its stream is not there, or has no room for it.</summary>
    EventStray,

    /// <summary>A link does not follow from the one before and the rows it covers; which of them was changed cannot be told.</summary>
    ChainBroken,

    /// <summary>The log is not the one that was exported as an anchor, or not any more.</summary>
    AnchorMissed,

    /// <summary>A snapshot is not the fold of its stream.</summary>
    SnapshotDiffers,

    /// <summary>A row of a view is not the fold of the log.</summary>
    ViewDiffers,

    /// <summary>The store cannot read a table, or the program cannot fold what it reads; what comes behind it was not looked at.</summary>
    Unreadable,
}

/// <summary>Something in a store that is not as it was written, or does not follow from the log.</summary>
/// <param name="Kind">What.</param>
/// <param name="Table">The table.</param>
/// <param name="Column">The column, or those among which it cannot be told; null: not known.</param>
/// <param name="Row">The row, where neither stream nor position name it: <c>id 17</c>.</param>
/// <param name="Stream">The stream; null: none, or not known.</param>
/// <param name="Version">The version in the stream, as it stands there.</param>
/// <param name="Position">The position of the event, or of the commit's first one, as it stands there.</param>
/// <param name="Message">What is wrong, in a sentence for people.</param>
public sealed record Finding(FindingKind Kind, string Table, string? Column, string? Row, string? Stream, long? Version, long? Position, string Message);

/// <summary>Findings, the first of them in full and all of them by number.</summary>
/// <param name="Shown">The first ones, at most <see cref="MaxShown"/>.</param>
/// <param name="Total">How many there are.</param>
public sealed record FindingList(IReadOnlyList<Finding> Shown, long Total)
{
    /// <summary>The most that are kept of one verification.</summary>
    public const int MaxShown = 1_000;

    /// <summary>Whether there are more than those shown.</summary>
    public bool IsTruncated => Total > Shown.Count;
}

/// <summary>Collects findings.</summary>
internal sealed class Findings
{
    private readonly List<Finding> _shown = [];
    private long _total;

    public void Add(Finding finding)
    {
        _total++;
        if (_shown.Count < FindingList.MaxShown)
        {
            _shown.Add(finding);
        }
    }

    public FindingList ToList() => new(_shown, _total);
}
