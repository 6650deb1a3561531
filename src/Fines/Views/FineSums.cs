namespace Fines.Views;

/// <summary>The figures of some fines together.</summary>
/// <param name="Fines">How many they are.</param>
/// <param name="Amount">The sum of the amounts of issue.</param>
/// <param name="Penalties">The sum of the penalties' amounts.</param>
/// <param name="Expenses">The sum of the postal costs.</param>
/// <param name="Due">The sum of what is to be paid.</param>
/// <param name="Paid">The sum of the payments.</param>
/// <param name="Outstanding">The sum of what is still to be paid, over the fines where that is more than 0.</param>
/// <param name="OverpaidSum">By how much the overpaid ones were, together.</param>
/// <param name="Open">How many have something to be paid.</param>
/// <param name="Settled">How many have nothing to be paid any more.</param>
/// <param name="Overpaid">How many of these were paid too much.</param>
/// <param name="CreditCollection">How many went to credit collection.</param>
internal readonly record struct FineSums(
    int Fines, decimal Amount, decimal Penalties, decimal Expenses, decimal Due, decimal Paid, decimal Outstanding, decimal OverpaidSum, int Open, int Settled, int Overpaid, int CreditCollection)
{
    public static FineSums Of(FineAccount? account) => account is null ? default : new FineSums(
        1,
        account.Amount,
        account.Penalty ?? 0,
        account.Expenses,
        account.Due,
        account.Paid,
        Math.Max(account.Outstanding, 0),
        Math.Max(-account.Outstanding, 0),
        account.Outstanding > 0 ? 1 : 0,
        account.Outstanding <= 0 ? 1 : 0,
        account.Outstanding < 0 ? 1 : 0,
        account.InCreditCollection ? 1 : 0);

    /// <summary>The figures after one of the fines changed.</summary>
    public FineSums Change(FineAccount? before, FineAccount after)
    {
        var (was, now) = (Of(before), Of(after));
        return new FineSums(
            Fines + now.Fines - was.Fines,
            Amount + now.Amount - was.Amount,
            Penalties + now.Penalties - was.Penalties,
            Expenses + now.Expenses - was.Expenses,
            Due + now.Due - was.Due,
            Paid + now.Paid - was.Paid,
            Outstanding + now.Outstanding - was.Outstanding,
            OverpaidSum + now.OverpaidSum - was.OverpaidSum,
            Open + now.Open - was.Open,
            Settled + now.Settled - was.Settled,
            Overpaid + now.Overpaid - was.Overpaid,
            CreditCollection + now.CreditCollection - was.CreditCollection);
    }
}
