using Orleans.EventSourced.Core.Projections;

namespace Fines.Views;

/// <summary>View <c>fine_summary</c>: one row a fine, by its id.</summary>
[View("fine_summary"), GenerateSerializer, Immutable, Alias("Fines.Views.FineSummary")]
public sealed record FineSummary : IView<FineSummary, FineEvent>
{
    /// <summary>The amount it was made out for.</summary>
    [Id(0), Scale(2)]
    public decimal Amount { get; init; }

    /// <summary>The amount since the penalty; null: there was none.</summary>
    [Id(1), Scale(2)]
    public decimal? Penalty { get; init; }

    /// <summary>The postal costs together.</summary>
    [Id(2), Scale(2)]
    public decimal Expenses { get; init; }

    /// <summary>What is to be paid: the amount (since the penalty, the penalty's) and the postal costs.</summary>
    [Id(3), Scale(2)]
    public decimal Due { get; init; }

    /// <summary>The payments together.</summary>
    [Id(4), Scale(2)]
    public decimal Paid { get; init; }

    /// <summary>What is still to be paid; below 0 it is overpaid.</summary>
    [Id(5), Scale(2)]
    public decimal Outstanding { get; init; }

    /// <summary>Whether nothing is to be paid any more.</summary>
    [Id(6)]
    public bool Settled { get; init; }

    /// <summary>The article of the traffic code.</summary>
    [Id(7), Indexed]
    public int Article { get; init; }

    /// <summary>The points taken from the driving licence.</summary>
    [Id(8)]
    public int Points { get; init; }

    /// <summary>One upper-case letter.</summary>
    [Id(9)]
    public string VehicleClass { get; init; } = "";

    /// <summary>Who made it out.</summary>
    [Id(10), Indexed]
    public string Officer { get; init; } = "";

    /// <summary>The last code of dismissal entered; NIL: not dismissed.</summary>
    [Id(11)]
    public string Dismissal { get; init; } = "NIL";

    /// <summary>When it was made out.</summary>
    [Id(12), Indexed]
    public DateTimeOffset IssuedAt { get; init; }

    /// <summary>When the offender was notified; null: not yet.</summary>
    [Id(13)]
    public DateTimeOffset? NotifiedAt { get; init; }

    /// <summary>When it was handed over for credit collection; null: it was not.</summary>
    [Id(14)]
    public DateTimeOffset? CreditCollectionAt { get; init; }

    /// <summary>How many payments came in.</summary>
    [Id(15)]
    public int Payments { get; init; }

    /// <summary>How many appeals were entered, to the prefecture and to a judge.</summary>
    [Id(16)]
    public int Appeals { get; init; }

    /// <summary>How many events it has.</summary>
    [Id(17)]
    public int Events { get; init; }

    /// <inheritdoc/>
    public static string? KeyOf(ViewEvent<FineEvent> e) => e.Recorded.Stream.Key;

    /// <inheritdoc/>
    public static FineSummary? Apply(FineSummary? row, string key, ViewEvent<FineEvent> e)
    {
        var next = Happened(row ?? new FineSummary(), e.Event);
        var due = (next.Penalty ?? next.Amount) + next.Expenses;
        return next with { Due = due, Outstanding = due - next.Paid, Settled = due <= next.Paid, Events = next.Events + 1 };
    }

    private static FineSummary Happened(FineSummary row, FineEvent @event) => @event switch
    {
        FineIssued e => row with
        {
            Amount = e.Amount,
            Article = e.Article,
            Points = e.Points,
            VehicleClass = e.VehicleClass,
            Officer = e.Officer,
            Dismissal = e.Dismissal,
            IssuedAt = e.OccurredAt,
        },
        FineSent e => row with { Expenses = row.Expenses + e.Expense },
        NotificationInserted e => row with { NotifiedAt = e.OccurredAt },
        PenaltyAdded e => row with { Penalty = e.Amount },
        PaymentReceived e => row with { Paid = row.Paid + e.Amount, Payments = row.Payments + 1 },
        PrefectureAppealDated => row with { Appeals = row.Appeals + 1 },
        PrefectureAppealSent e => row with { Dismissal = e.Dismissal },
        JudgeAppealed e => row with { Appeals = row.Appeals + 1, Dismissal = e.Dismissal },
        CreditCollectionBegun e => row with { CreditCollectionAt = e.OccurredAt },
        _ => row,
    };
}
