namespace Orleans.EventSourced.Core.Log;

/// <summary>
/// The log as questions to the past read it: time travel, views of the past, branches, traces. A store may give them connections of their own, so that they cannot take those that appends need.
/// </summary>
/// <param name="Log">The same log.</param>
public sealed record HistoryLog(IEventLog Log);
