using Orleans.EventSourced.Core.Deciding;
using Orleans.EventSourced.Core.Events;

namespace Orleans.EventSourced.TestNode;

/// <summary>What happens to an account. The newer program knows of withdrawals, too.</summary>
public abstract record AccountEvent;

[EventType("deposited")]
public sealed record Deposited(int Amount) : AccountEvent;

#if NEXT
[EventType("withdrawn")]
public sealed record Withdrawn(int Amount) : AccountEvent;
#endif

/// <summary>An account; a command is the event that it asks for. Its snapshots come early, so that each program meets those of the other.</summary>
#if NEXT
[FoldVersion(2, SnapshotEvery = 3)]
#else
[FoldVersion(1, SnapshotEvery = 3)]
#endif
[GenerateSerializer, Alias("node.Account")]
public sealed record Account([property: Id(0)] int Balance) : IDecider<Account, AccountEvent, AccountEvent>
{
    public static Account Initial { get; } = new(0);

    public static Decision<AccountEvent> Decide(Account state, AccountEvent command) => Core.Deciding.Decide.Accept<AccountEvent>(command);

    public static Account Evolve(Account state, AccountEvent @event) => @event switch
    {
        Deposited d => new(state.Balance + d.Amount),
#if NEXT
        Withdrawn w => new(state.Balance - w.Amount),
#endif
        _ => throw new InvalidOperationException($"An account cannot take {@event}."),
    };
}
