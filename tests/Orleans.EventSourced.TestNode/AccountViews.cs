using Orleans.EventSourced.Core.Projections;

namespace Orleans.EventSourced.TestNode;

#if NEXT
/// <summary>One row an account: with a column for what the older program does not know, and so in the next version.</summary>
[View("balances", Version = 2)]
public sealed record Balance(int Deposits, int Withdrawals) : IView<Balance, AccountEvent>
{
    public static string? KeyOf(ViewEvent<AccountEvent> e) => e.Recorded.Stream.Key;

    public static Balance? Apply(Balance? row, string key, ViewEvent<AccountEvent> e)
    {
        var (before, change) = (row ?? new Balance(0, 0), Total.ChangeOf(e.Event));
        return change > 0 ? before with { Deposits = before.Deposits + change } : before with { Withdrawals = before.Withdrawals - change };
    }
}
#else
/// <summary>One row an account.</summary>
[View("balances")]
public sealed record Balance(int Deposits) : IView<Balance, AccountEvent>
{
    public static string? KeyOf(ViewEvent<AccountEvent> e) => e.Recorded.Stream.Key;

    public static Balance? Apply(Balance? row, string key, ViewEvent<AccountEvent> e) => new((row?.Deposits ?? 0) + Total.ChangeOf(e.Event));
}
#endif

/// <summary>One row for all accounts, in the same version in both programs: the newer one's fold only knows more types.</summary>
[View("totals")]
public sealed record Total(int Sum) : IView<Total, AccountEvent>
{
    public static string? KeyOf(ViewEvent<AccountEvent> e) => "all";

    public static Total? Apply(Total? row, string key, ViewEvent<AccountEvent> e) => new((row?.Sum ?? 0) + ChangeOf(e.Event));

    public static int ChangeOf(AccountEvent @event) => @event switch
    {
        Deposited d => d.Amount,
#if NEXT
        Withdrawn w => -w.Amount,
#endif
        _ => throw new InvalidOperationException($"This program cannot fold {@event}."),
    };
}
