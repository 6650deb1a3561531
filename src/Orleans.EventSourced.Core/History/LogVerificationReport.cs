using Orleans.EventSourced.Core.Log;

namespace Orleans.EventSourced.Core.History;

/// <summary>What a verification of a log came to.</summary>
/// <param name="Head">Where the log ends, as far as it was looked at; null: its own row cannot be read.</param>
/// <param name="Events">How many events were looked at.</param>
/// <param name="Commits">How many commits.</param>
/// <param name="Unmarked">How many of these are from before commits had marks: there a changed event is named by its commit alone.</param>
/// <param name="Streams">How many streams.</param>
/// <param name="Empty">How many of these have no event, which is allowed.</param>
/// <param name="Findings">What was found.</param>
public sealed record LogVerificationReport(LogHead? Head, long Events, long Commits, long Unmarked, long Streams, long Empty, FindingList Findings);

/// <summary>How far a verification of a log is.</summary>
/// <param name="Table">The table that is being read.</param>
/// <param name="Events">How many of its events were looked at.</param>
public readonly record struct VerificationProgress(string Table, long Events);
