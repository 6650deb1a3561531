using Orleans.EventSourced.Core.Projections;

namespace Fines.Views;

/// <summary>
/// What the views that gather many fines keep of each: later events of a fine say neither its article nor its officer, and what a payment changes of a sum depends on
/// what was paid before.
/// </summary>
/// <param name="Article">The article of the traffic code.</param>
/// <param name="Officer">Who made it out.</param>
/// <param name="IssuedAt">When it was made out, with the city's offset of that day.</param>
/// <param name="Amount">The amount it was made out for.</param>
/// <param name="Penalty">The amount since the penalty; null: there was none.</param>
/// <param name="Expenses">The postal costs together.</param>
/// <param name="Paid">The payments together.</param>
/// <param name="InCreditCollection">Whether it was handed over for credit collection.</param>
public sealed record FineAccount(int Article, string Officer, DateTimeOffset IssuedAt, decimal Amount, decimal? Penalty, decimal Expenses, decimal Paid, bool InCreditCollection)
{
    /// <summary>What is to be paid: the amount (since the penalty, the penalty's) and the postal costs.</summary>
    public decimal Due => (Penalty ?? Amount) + Expenses;

    /// <summary>What is still to be paid; below 0 it is overpaid.</summary>
    public decimal Outstanding => Due - Paid;

    /// <summary>The account after an event; null: the stream does not begin as a fine does.</summary>
    /// <param name="account">The account before; null: this is the first event.</param>
    /// <param name="e">The event.</param>
    public static FineAccount? Follow(FineAccount? account, ViewEvent<FineEvent> e) => (account, e.Event) switch
    {
        (_, FineIssued issued) => new FineAccount(issued.Article, issued.Officer, issued.OccurredAt, issued.Amount, null, 0, 0, false),
        (null, _) => null,
        (_, FineSent sent) => account with { Expenses = account.Expenses + sent.Expense },
        (_, PenaltyAdded penalty) => account with { Penalty = penalty.Amount },
        (_, PaymentReceived payment) => account with { Paid = account.Paid + payment.Amount },
        (_, CreditCollectionBegun) => account with { InCreditCollection = true },
        _ => account,
    };
}
