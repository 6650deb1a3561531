using Orleans.EventSourced.Core.History;

namespace Orleans.EventSourced.AspNetCore;

/// <summary>How faults of questions to history are answered over HTTP.</summary>
internal static class HistoryProblem
{
    public static (int Status, string Code) Of(HistoryFault fault) => fault switch
    {
        HistoryFault.BadPoint => (400, "bad-point"),
        HistoryFault.BeyondTheLog => (400, "beyond-the-log"),
        HistoryFault.NoSuchStream => (404, "no-such-stream"),
        HistoryFault.NoSuchVersion => (404, "no-such-version"),
        HistoryFault.TooMuch => (422, "too-much-history"),
        HistoryFault.FoldRefuses => (422, "fold-refuses"),
        HistoryFault.NoSuchBranch => (404, "no-such-branch"),
        HistoryFault.QuotaReached => (409, "quota-reached"),
        HistoryFault.BadEdit => (400, "bad-edit"),
        HistoryFault.NotNow => (409, "not-now"),
        _ => throw new InvalidOperationException($"'{fault}' has no answer."),
    };
}
