using System.Collections.Immutable;
using Orleans.EventSourced.Core.Deciding;

namespace Fines;

/// <summary>
/// A traffic fine: the state that its events make, and what may still happen to it. The rules are those that the real log of an Italian city keeps in all its 150,370 fines
/// (de Leoni and Mannhardt, 2015, doi 10.4121/uuid:270fd440-1057-4fb9-89a9-b699b47990f5), and no stricter.
/// </summary>
[GenerateSerializer, Immutable, Alias("Fines.Fine")]
public sealed record Fine : IDecider<Fine, FineCommand, FineEvent>
{
    /// <summary>The largest amount of money in one step.</summary>
    public const decimal MaxAmount = 9_999_999.99m;

    /// <summary>The codes of refusals that concern the command alone, whatever the fine's state.</summary>
    public static readonly ImmutableHashSet<string> InputCodes = ["negative-amount", "amount-too-large", "money-precision", "vehicle-class", "article", "points", "text", "notification-type", "occurred-at"];

    /// <inheritdoc/>
    public static Fine Initial { get; } = new();

    /// <summary>Whether it was made out.</summary>
    [Id(0)]
    public bool IsIssued { get; init; }

    /// <summary>The amount it was made out for.</summary>
    [Id(1)]
    public decimal Amount { get; init; }

    /// <summary>The amount since the penalty; null: there was none.</summary>
    [Id(2)]
    public decimal? Penalty { get; init; }

    /// <summary>The postal costs together.</summary>
    [Id(3)]
    public decimal Expenses { get; init; }

    /// <summary>The payments together.</summary>
    [Id(4)]
    public decimal Paid { get; init; }

    /// <summary>The article of the traffic code.</summary>
    [Id(5)]
    public int Article { get; init; }

    /// <summary>The points taken from the driving licence.</summary>
    [Id(6)]
    public int Points { get; init; }

    /// <summary>One upper-case letter.</summary>
    [Id(7)]
    public string VehicleClass { get; init; } = "";

    /// <summary>Who made it out.</summary>
    [Id(8)]
    public string Officer { get; init; } = "";

    /// <summary>The last code of dismissal entered; NIL: not dismissed.</summary>
    [Id(9)]
    public string Dismissal { get; init; } = "NIL";

    /// <summary>When it was made out.</summary>
    [Id(10)]
    public DateTimeOffset? IssuedAt { get; init; }

    /// <summary>When the offender was notified.</summary>
    [Id(11)]
    public DateTimeOffset? NotifiedAt { get; init; }

    /// <summary>When it was handed over for credit collection.</summary>
    [Id(12)]
    public DateTimeOffset? CreditCollectionAt { get; init; }

    /// <summary>How many payments came in, those of 0 among them.</summary>
    [Id(13)]
    public int Payments { get; init; }

    /// <summary>How many appeals were entered, to the prefecture and to a judge.</summary>
    [Id(14)]
    public int Appeals { get; init; }

    /// <summary>When the last of its events happened.</summary>
    [Id(15)]
    public DateTimeOffset LastOccurredAt { get; init; }

    /// <summary>What is to be paid: the amount (since the penalty, the penalty's) and the postal costs.</summary>
    public decimal Due => (Penalty ?? Amount) + Expenses;

    /// <summary>What is still to be paid; below 0 it is overpaid.</summary>
    public decimal Outstanding => Due - Paid;

    /// <summary>Whether nothing is to be paid any more.</summary>
    public bool Settled => IsIssued && Outstanding <= 0;

    /// <inheritdoc/>
    public static Decision<FineEvent> Decide(Fine state, FineCommand command)
    {
        ArgumentNullException.ThrowIfNull(state);
        ArgumentNullException.ThrowIfNull(command);
        return FaultOf(command) ?? RefusalOf(state, command) ?? new Decision<FineEvent>.Accept([EventOf(command)]);
    }

    /// <inheritdoc/>
    public static Fine Evolve(Fine state, FineEvent @event)
    {
        ArgumentNullException.ThrowIfNull(state);
        return Happened(state, @event) with { LastOccurredAt = @event.OccurredAt };
    }

    private static Fine Happened(Fine state, FineEvent @event) => @event switch
    {
        FineIssued e => state with
        {
            IsIssued = true,
            Amount = e.Amount,
            Article = e.Article,
            Points = e.Points,
            VehicleClass = e.VehicleClass,
            Officer = e.Officer,
            Dismissal = e.Dismissal,
            IssuedAt = e.OccurredAt,
        },
        FineSent e => state with { Expenses = state.Expenses + e.Expense },
        NotificationInserted e => state with { NotifiedAt = e.OccurredAt },
        PenaltyAdded e => state with { Penalty = e.Amount },
        PaymentReceived e => state with { Paid = state.Paid + e.Amount, Payments = state.Payments + 1 },
        PrefectureAppealDated => state with { Appeals = state.Appeals + 1 },
        PrefectureAppealSent e => state with { Dismissal = e.Dismissal },
        PrefectureResultReceived or PrefectureResultNotified => state,
        JudgeAppealed e => state with { Appeals = state.Appeals + 1, Dismissal = e.Dismissal },
        CreditCollectionBegun e => state with { CreditCollectionAt = e.OccurredAt },
        _ => throw new InvalidOperationException($"A fine knows no event '{@event}'."),
    };

    /// <summary>What is wrong with a command in itself.</summary>
    private static Decision<FineEvent>? FaultOf(FineCommand command) => command switch
    {
        { OccurredAt.Year: < 1900 or > 2200 } => No("occurred-at", $"occurredAt is {command.OccurredAt:O}; it is in a year from 1900 to 2200."),
        IssueFine { VehicleClass: not { Length: 1 } or [< 'A' or > 'Z'] } c => No("vehicle-class", $"A vehicle class is one upper-case letter; got '{c.VehicleClass}'."),
        IssueFine { Article: < 1 } c => No("article", $"An article is 1 or more; got {c.Article}."),
        IssueFine { Points: < 0 } c => No("points", $"Points are 0 or more; got {c.Points}."),
        IssueFine c => Money("amount", c.Amount) ?? Text("officer", c.Officer) ?? Text("dismissal", c.Dismissal),
        SendFine c => Money("expense", c.Expense),
        InsertNotification { NotificationType: not ("P" or "C") } c => No("notification-type", $"A notification's type is P or C; got '{c.NotificationType}'."),
        InsertNotification c => c.LastSent is null ? null : Text("lastSent", c.LastSent),
        AddPenalty c => Money("amount", c.Amount),
        RegisterPayment c => Money("amount", c.Amount),
        SendPrefectureAppeal c => Text("dismissal", c.Dismissal),
        AppealToJudge c => Text("dismissal", c.Dismissal) ?? (c.Officer is null ? null : Text("officer", c.Officer)),
        _ => null,
    };

    /// <summary>Why a command does not fit the state.</summary>
    private static Decision<FineEvent>? RefusalOf(Fine state, FineCommand command) => command switch
    {
        IssueFine when state.IsIssued => No("already-issued", "This fine was made out before."),
        not IssueFine when !state.IsIssued => No("not-issued", "There is no such fine: it must be made out first."),
        _ when state.IsIssued && command.OccurredAt < state.LastOccurredAt => No("out-of-order", $"occurredAt is {command.OccurredAt:O}, before the fine's last event at {state.LastOccurredAt:O}."),
        RegisterPayment when state.CreditCollectionAt is not null => No("in-credit-collection", "The fine is in credit collection and takes no more payments."),
        AddPenalty when state.Penalty is not null => No("penalty-already-added", "The fine has its penalty already."),
        SendToCreditCollection when state.CreditCollectionAt is not null => No("in-credit-collection", "The fine is in credit collection already."),
        _ => null,
    };

    private static Decision<FineEvent>? Money(string field, decimal amount) => amount switch
    {
        < 0 => No("negative-amount", $"{field} is {amount}; it is 0 or more."),
        > MaxAmount => No("amount-too-large", $"{field} is {amount}; it is {MaxAmount} or less."),
        _ when decimal.Round(amount, 2) != amount => No("money-precision", $"{field} is {amount}; it has two decimals at most."),
        _ => null,
    };

    private static Decision<FineEvent>? Text(string field, string text) =>
        text is { Length: >= 1 and <= 100 } && !text.Any(c => char.IsControl(c) || char.IsSurrogate(c)) ? null : No("text", $"{field} has 1 to 100 characters, none of them a control character.");

    private static Decision<FineEvent> No(string code, string reason) => Orleans.EventSourced.Core.Deciding.Decide.Refuse<FineEvent>(code, reason);

    /// <summary>What an accepted command makes happen: each makes one event.</summary>
    private static FineEvent EventOf(FineCommand command) => command switch
    {
        IssueFine c => new FineIssued(c.OccurredAt, c.Amount, c.Article, c.Points, c.VehicleClass, c.Officer, c.Dismissal),
        SendFine c => new FineSent(c.OccurredAt, c.Expense),
        InsertNotification c => new NotificationInserted(c.OccurredAt, c.NotificationType, c.LastSent),
        AddPenalty c => new PenaltyAdded(c.OccurredAt, c.Amount),
        RegisterPayment c => new PaymentReceived(c.OccurredAt, c.Amount),
        DatePrefectureAppeal c => new PrefectureAppealDated(c.OccurredAt),
        SendPrefectureAppeal c => new PrefectureAppealSent(c.OccurredAt, c.Dismissal),
        ReceivePrefectureResult c => new PrefectureResultReceived(c.OccurredAt),
        NotifyPrefectureResult c => new PrefectureResultNotified(c.OccurredAt),
        AppealToJudge c => new JudgeAppealed(c.OccurredAt, c.Dismissal, c.Matricola, c.Officer),
        SendToCreditCollection c => new CreditCollectionBegun(c.OccurredAt),
        _ => throw new InvalidOperationException($"A fine knows no command '{command}'."),
    };
}
