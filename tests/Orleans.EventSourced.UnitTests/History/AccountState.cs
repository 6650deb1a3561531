using Orleans.EventSourced.Core.Deciding;
using Orleans.EventSourced.UnitTests.Projections;

namespace Orleans.EventSourced.UnitTests.History;

/// <summary>The state of one account, for who looks back at it.</summary>
[FoldVersion(3, SnapshotEvery = 10)]
internal sealed record AccountState(string? Branch, int Balance, bool IsClosed, IReadOnlyList<int> Last) : IFold<AccountState, AccountEvent>
{
    public static AccountState Initial { get; } = new(null, 0, false, []);

    public static AccountState Evolve(AccountState state, AccountEvent @event) => @event switch
    {
        Opened opened => state with { Branch = opened.Branch, IsClosed = false },
        Deposited deposited => state with { Balance = state.Balance + deposited.Amount, Last = [.. state.Last.TakeLast(2), deposited.Amount] },
        Closed => state with { IsClosed = true },
        _ => throw new InvalidOperationException("cursed"),
    };
}
