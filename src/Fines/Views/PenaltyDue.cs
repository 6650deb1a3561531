using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.Projections;

namespace Fines.Views;

/// <summary>
/// View <c>penalty_due</c>: one row a fine that gets a penalty if nothing happens until then, by the fine's id. The term begins with the notification, again with each one that comes within
/// it. What happened up to the deadline counts, also when it is entered later: a payment in time ends the matter, one behind the deadline does not.
/// </summary>
/// <remarks>
/// No row has a fine that was dismissed when it was made out, one that was imported (its file tells its penalty), and one that was contested in time: the events of an appeal do not say how
/// it ended, so that a person decides on the penalty then.
/// </remarks>
[View("penalty_due"), GenerateSerializer, Immutable, Alias("Fines.Views.PenaltyDue")]
public sealed record PenaltyDue : IRoutedView<PenaltyDue, FineEvent, PenaltyDue.Matter>
{
    /// <summary>How long a notified fine may be open.</summary>
    public static readonly TimeSpan Term = TimeSpan.FromDays(60);

    /// <summary>The last deadline there is: facts may be dated so late that a term behind them is no time any more, and must not keep the others from theirs.</summary>
    private static readonly DateTimeOffset LastDay = new(9999, 12, 31, 0, 0, 0, TimeSpan.Zero);

    /// <summary>When the penalty is due.</summary>
    [Id(0), Indexed]
    public DateTimeOffset DueAt { get; init; }

    /// <summary>The fine's new amount: twice the first one.</summary>
    [Id(1), Scale(2)]
    public decimal Penalty { get; init; }

    /// <summary>When the last of the fine's events happened.</summary>
    [Id(2)]
    public DateTimeOffset LastOccurredAt { get; init; }

    /// <inheritdoc/>
    public static Matter? Follow(Matter? route, ViewEvent<FineEvent> e)
    {
        if (route is null)
        {
            return e.Event is FineIssued { Dismissal: "NIL" } && EventMetadata.Parse(e.Recorded.Metadata).Origin != "import"
                ? new Matter(e.Recorded.Stream.Key, FineAccount.Follow(null, e)!, null, IsOpen: true, IsOver: false)
                : null;
        }

        if (route.IsOver)
        {
            return null;
        }

        var next = route with { Account = FineAccount.Follow(route.Account, e)! };
        var isInTime = route.DueAt is not { } due || e.Event.OccurredAt <= due;
        return e.Event switch
        {
            PenaltyAdded or CreditCollectionBegun => next with { IsOver = true },
            _ when !isInTime => next,
            PrefectureAppealDated or PrefectureAppealSent or JudgeAppealed => next with { IsOver = true },
            NotificationInserted notified => next with { DueAt = notified.OccurredAt < LastDay - Term ? notified.OccurredAt + Term : LastDay },
            _ => next with { IsOpen = next.Account.Outstanding > 0 },
        };
    }

    /// <inheritdoc/>
    public static string? KeyOf(Matter route) => route.FineId;

    /// <inheritdoc/>
    public static PenaltyDue? Apply(PenaltyDue? row, string key, Matter? before, Matter after, ViewEvent<FineEvent> e) => after is { DueAt: { } due, IsOpen: true, IsOver: false }
        ? new PenaltyDue { DueAt = due, Penalty = 2 * after.Account.Amount, LastOccurredAt = e.Event.OccurredAt }
        : null;

    /// <summary>What is kept of a fine.</summary>
    /// <param name="FineId">Its id.</param>
    /// <param name="Account">Its account.</param>
    /// <param name="DueAt">When its penalty is due; null: it is not notified yet.</param>
    /// <param name="IsOpen">Whether something is to be paid; at the deadline, once that has passed.</param>
    /// <param name="IsOver">Whether no penalty will come any more.</param>
    public sealed record Matter(string FineId, FineAccount Account, DateTimeOffset? DueAt, bool IsOpen, bool IsOver);
}
