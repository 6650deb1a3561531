using Orleans.EventSourced.Core.Projections;

namespace Fines.Views;

/// <summary>View <c>open_cases</c>: one row a fine that has something to be paid, by the fine's id. A fine that is settled leaves it, and comes back when something is added to it.</summary>
[View("open_cases"), GenerateSerializer, Immutable, Alias("Fines.Views.OpenCase")]
public sealed record OpenCase : IRoutedView<OpenCase, FineEvent, OpenCase.Case>
{
    /// <summary>What is still to be paid, more than 0.</summary>
    [Id(0), Scale(2), Indexed]
    public decimal Outstanding { get; init; }

    /// <summary>What is to be paid.</summary>
    [Id(1), Scale(2)]
    public decimal Due { get; init; }

    /// <summary>The payments together.</summary>
    [Id(2), Scale(2)]
    public decimal Paid { get; init; }

    /// <summary>The article of the traffic code.</summary>
    [Id(3)]
    public int Article { get; init; }

    /// <summary>Who made it out.</summary>
    [Id(4)]
    public string Officer { get; init; } = "";

    /// <summary>When it was made out: the age of the case.</summary>
    [Id(5), Indexed]
    public DateTimeOffset IssuedAt { get; init; }

    /// <summary>When the last of its events happened.</summary>
    [Id(6)]
    public DateTimeOffset LastOccurredAt { get; init; }

    /// <summary>Whether it was handed over for credit collection.</summary>
    [Id(7)]
    public bool InCreditCollection { get; init; }

    /// <inheritdoc/>
    public static Case? Follow(Case? route, ViewEvent<FineEvent> e) => FineAccount.Follow(route?.Account, e) is { } account ? new Case(e.Recorded.Stream.Key, account) : null;

    /// <inheritdoc/>
    public static string? KeyOf(Case route) => route.FineId;

    /// <inheritdoc/>
    public static OpenCase? Apply(OpenCase? row, string key, Case? before, Case after, ViewEvent<FineEvent> e)
    {
        var account = after.Account;
        return account.Outstanding <= 0 ? null : new OpenCase
        {
            Outstanding = account.Outstanding,
            Due = account.Due,
            Paid = account.Paid,
            Article = account.Article,
            Officer = account.Officer,
            IssuedAt = account.IssuedAt,
            LastOccurredAt = e.Event.OccurredAt,
            InCreditCollection = account.InCreditCollection,
        };
    }

    /// <summary>What is kept of a fine, settled or not.</summary>
    /// <param name="FineId">Its id.</param>
    /// <param name="Account">Its account.</param>
    public sealed record Case(string FineId, FineAccount Account);
}
