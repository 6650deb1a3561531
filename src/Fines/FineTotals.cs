using Fines.Views;

namespace Fines;

/// <summary>
/// The figures of all fines together, folded from their events in log order. It keeps four numbers a fine, so that the 150,370 fines of a real city take about 20 MB.
/// Not safe for concurrent use.
/// </summary>
public sealed class FineTotals
{
    private readonly Dictionary<string, Account> _accounts = new(StringComparer.Ordinal);

    /// <summary>How many events were folded.</summary>
    public long Events { get; private set; }

    /// <summary>The sum of the amounts of issue.</summary>
    public decimal Created { get; private set; }

    /// <summary>The sum of the penalties' amounts.</summary>
    public decimal Penalties { get; private set; }

    /// <summary>The sum of the postal costs.</summary>
    public decimal Expenses { get; private set; }

    /// <summary>How many fines went to credit collection.</summary>
    public int CreditCollection { get; private set; }

    /// <summary>How many fines there are.</summary>
    public int Fines => _accounts.Count;

    /// <summary>Folds one more event.</summary>
    /// <param name="fineId">Whose.</param>
    /// <param name="event">The event.</param>
    public void Add(string fineId, FineEvent @event)
    {
        Events++;
        ref var account = ref System.Runtime.InteropServices.CollectionsMarshal.GetValueRefOrAddDefault(_accounts, fineId, out _);
        switch (@event)
        {
            case FineIssued e:
                account.Amount = e.Amount;
                Created += e.Amount;
                break;
            case FineSent e:
                account.Expenses += e.Expense;
                Expenses += e.Expense;
                break;
            case PenaltyAdded e:
                account.Amount = e.Amount;
                Penalties += e.Amount;
                break;
            case PaymentReceived e:
                account.Paid += e.Amount;
                break;
            case CreditCollectionBegun:
                CreditCollection++;
                break;
        }
    }

    /// <summary>What is due, paid and outstanding after the events so far.</summary>
    public FineBalance Balance()
    {
        var (due, paid, outstanding, overpaidSum) = (0m, 0m, 0m, 0m);
        var (open, settled, overpaid) = (0, 0, 0);
        foreach (var account in _accounts.Values)
        {
            var rest = account.Amount + account.Expenses - account.Paid;
            due += account.Amount + account.Expenses;
            paid += account.Paid;
            outstanding += Math.Max(rest, 0);
            overpaidSum += Math.Max(-rest, 0);
            open += rest > 0 ? 1 : 0;
            settled += rest <= 0 ? 1 : 0;
            overpaid += rest < 0 ? 1 : 0;
        }

        return new FineBalance(due, paid, outstanding, open, settled, overpaid, overpaidSum);
    }

    private struct Account
    {
        public decimal Amount;
        public decimal Expenses;
        public decimal Paid;
    }
}

/// <summary>The balance of all fines together.</summary>
/// <param name="Due">The sum of what is to be paid, over all fines.</param>
/// <param name="Paid">The sum of the payments.</param>
/// <param name="Outstanding">The sum of what is still to be paid, over the fines where that is more than 0.</param>
/// <param name="Open">How many those are.</param>
/// <param name="Settled">How many fines have nothing to be paid any more.</param>
/// <param name="Overpaid">How many of these were paid too much.</param>
/// <param name="OverpaidSum">By how much, together.</param>
public sealed record FineBalance(decimal Due, decimal Paid, decimal Outstanding, int Open, int Settled, int Overpaid, decimal OverpaidSum)
{
    /// <summary>What the rows of a view come to.</summary>
    public static FineBalance Of(IEnumerable<FineSummary> rows) => Sum(rows.Select(r => new FineBalance(
        r.Due, r.Paid, Math.Max(r.Outstanding, 0), r.Settled ? 0 : 1, r.Settled ? 1 : 0, r.Outstanding < 0 ? 1 : 0, Math.Max(-r.Outstanding, 0))));

    /// <summary>The same of rows that are totals already.</summary>
    public static FineBalance Of(IEnumerable<ArticleTotals> rows) => Sum(rows.Select(r => new FineBalance(r.Due, r.Paid, r.Outstanding, r.Open, r.Settled, r.Overpaid, r.OverpaidSum)));

    /// <summary>The same of rows that are totals already.</summary>
    public static FineBalance Of(IEnumerable<OfficerMonth> rows) => Sum(rows.Select(r => new FineBalance(r.Due, r.Paid, r.Outstanding, r.Open, r.Settled, r.Overpaid, r.OverpaidSum)));

    /// <summary>What this one has more than another.</summary>
    public FineBalance Minus(FineBalance other)
    {
        ArgumentNullException.ThrowIfNull(other);
        return new FineBalance(
            Due - other.Due, Paid - other.Paid, Outstanding - other.Outstanding, Open - other.Open, Settled - other.Settled, Overpaid - other.Overpaid, OverpaidSum - other.OverpaidSum);
    }

    private static FineBalance Sum(IEnumerable<FineBalance> balances) => balances.Aggregate(new FineBalance(0, 0, 0, 0, 0, 0, 0), (a, b) => new FineBalance(
        a.Due + b.Due, a.Paid + b.Paid, a.Outstanding + b.Outstanding, a.Open + b.Open, a.Settled + b.Settled, a.Overpaid + b.Overpaid, a.OverpaidSum + b.OverpaidSum));
}
