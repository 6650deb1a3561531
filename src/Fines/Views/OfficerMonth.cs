using System.Globalization;
using Orleans.EventSourced.Core.Projections;

namespace Fines.Views;

/// <summary>View <c>officer_month</c>: one row for each officer and month in which he made out fines, by <c>officer/yyyy-MM</c>.</summary>
[View("officer_month"), GenerateSerializer, Immutable, Alias("Fines.Views.OfficerMonth")]
public sealed record OfficerMonth : IRoutedView<OfficerMonth, FineEvent, FineAccount>
{
    /// <summary>The officer.</summary>
    [Id(0), Indexed]
    public string Officer { get; init; } = "";

    /// <summary>The first day of the month, by the city's calendar.</summary>
    [Id(1), Indexed]
    public DateOnly Month { get; init; }

    /// <summary>How many they are.</summary>
    [Id(2)]
    public int Fines { get; init; }

    /// <summary>The sum of the amounts of issue.</summary>
    [Id(3), Scale(2)]
    public decimal Amount { get; init; }

    /// <summary>The sum of the penalties' amounts.</summary>
    [Id(4), Scale(2)]
    public decimal Penalties { get; init; }

    /// <summary>The sum of the postal costs.</summary>
    [Id(5), Scale(2)]
    public decimal Expenses { get; init; }

    /// <summary>The sum of what is to be paid.</summary>
    [Id(6), Scale(2)]
    public decimal Due { get; init; }

    /// <summary>The sum of the payments.</summary>
    [Id(7), Scale(2)]
    public decimal Paid { get; init; }

    /// <summary>The sum of what is still to be paid, over the fines where that is more than 0.</summary>
    [Id(8), Scale(2)]
    public decimal Outstanding { get; init; }

    /// <summary>By how much the overpaid ones were, together.</summary>
    [Id(9), Scale(2)]
    public decimal OverpaidSum { get; init; }

    /// <summary>How many have something to be paid.</summary>
    [Id(10)]
    public int Open { get; init; }

    /// <summary>How many have nothing to be paid any more.</summary>
    [Id(11)]
    public int Settled { get; init; }

    /// <summary>How many of these were paid too much.</summary>
    [Id(12)]
    public int Overpaid { get; init; }

    /// <summary>How many went to credit collection.</summary>
    [Id(13)]
    public int CreditCollection { get; init; }

    private FineSums Sums => new(Fines, Amount, Penalties, Expenses, Due, Paid, Outstanding, OverpaidSum, Open, Settled, Overpaid, CreditCollection);

    /// <inheritdoc/>
    public static FineAccount? Follow(FineAccount? route, ViewEvent<FineEvent> e) => FineAccount.Follow(route, e);

    /// <inheritdoc/>
    public static string? KeyOf(FineAccount route) => string.Create(CultureInfo.InvariantCulture, $"{route.Officer}/{route.IssuedAt:yyyy-MM}");

    /// <inheritdoc/>
    public static OfficerMonth Apply(OfficerMonth? row, string key, FineAccount? before, FineAccount after, ViewEvent<FineEvent> e)
    {
        var sums = (row?.Sums ?? default).Change(before, after);
        return new OfficerMonth
        {
            Officer = after.Officer,
            Month = new DateOnly(after.IssuedAt.Year, after.IssuedAt.Month, 1),
            Fines = sums.Fines,
            Amount = sums.Amount,
            Penalties = sums.Penalties,
            Expenses = sums.Expenses,
            Due = sums.Due,
            Paid = sums.Paid,
            Outstanding = sums.Outstanding,
            OverpaidSum = sums.OverpaidSum,
            Open = sums.Open,
            Settled = sums.Settled,
            Overpaid = sums.Overpaid,
            CreditCollection = sums.CreditCollection,
        };
    }
}
