using Orleans.Concurrency;
using Orleans.EventSourced.Core.Events;
using Orleans.EventSourcing;

namespace Orleans.EventSourced.IntegrationTests.Grains;

/// <summary>A plain JournaledGrain, as its author writes it who never heard of this project: a mutable state with Apply methods.</summary>
[GrainType("ledger")]
public sealed class LedgerGrain : JournaledGrain<LedgerState, LedgerEvent>, ILedgerGrain
{
    public async Task DepositAsync(int amount)
    {
        RaiseEvent(new Deposited(amount));
        await ConfirmEvents();
    }

    public async Task DepositAllAsync(int[] amounts)
    {
        RaiseEvents(amounts.Select(a => new Deposited(a)));
        await ConfirmEvents();
    }

    public Task<bool> WithdrawAsync(int amount) => State.Balance >= amount ? RaiseConditionalEvent(new Withdrawn(amount)) : Task.FromResult(false);

    public Task<bool> WithdrawWithoutLookingAsync(int amount) => RaiseConditionalEvents([new Withdrawn(amount)]);

    public async Task DepositInsistentlyAsync(int amount)
    {
        while (!await RaiseConditionalEvent(new Deposited(amount)))
        {
            // Another writer was first; the ledger takes any deposit.
        }
    }

    public async Task DepositReusingTheListAsync(int amount)
    {
        var events = new List<LedgerEvent> { new Deposited(amount) };
        RaiseEvents(events);
        events.Clear();
        await ConfirmEvents();
    }

    public async Task<bool> WithdrawOrNoteAsync(int amount, bool conditionally)
    {
        LedgerEvent decided = State.Balance >= amount ? new Withdrawn(amount) : new Deposited(0);
        if (conditionally)
        {
            return await RaiseConditionalEvent(decided) && decided is Withdrawn;
        }

        RaiseEvent(decided);
        await ConfirmEvents();
        return decided is Withdrawn;
    }

    public async Task DepositInTwoTurnsAsync(int amount)
    {
        RaiseEvent(new Deposited(amount));
        await Task.Yield();
        RaiseEvent(new Deposited(amount + 1));
        await ConfirmEvents();
    }

    public Task<(int Confirmed, int Tentative, int Unconfirmed)> RaiseWithoutConfirmingAsync(int amount)
    {
        RaiseEvent(new Deposited(amount));
        return Task.FromResult((State.Balance, TentativeState.Balance, UnconfirmedEvents.Count()));
    }

    public async Task<(int Balance, int Version)> GetAsync()
    {
        await ConfirmEvents();
        return (State.Balance, Version);
    }

    public async Task<(int Balance, int Version)> RefreshAsync()
    {
        await RefreshNow();
        return (State.Balance, Version);
    }

    public Task<(int Balance, int Version)> LookAgainAsync() => RefreshAsync();

    public async Task<int[]> HistoryAsync(int from, int to) =>
        [.. (await RetrieveConfirmedEvents(from, to)).Select(e => e switch { Deposited d => d.Amount, Withdrawn w => -w.Amount, _ => 0 })];

    public Task ClearAsync() => ClearLogAsync(CancellationToken.None);

    public async Task PoisonAsync(string reason)
    {
        RaiseEvent(new Poisoned(reason));
        await ConfirmEvents();
    }

    public async Task PayAsync(string other, int amount, int times)
    {
        for (var i = 0; i < times; i++)
        {
            await GrainFactory.GetGrain<ILedgerGrain>(other).DepositAsync(amount);
        }

        RaiseEvent(new Withdrawn(amount * times));
        await ConfirmEvents();
    }

    public Task LeaveAsync()
    {
        DeactivateOnIdle();
        return Task.CompletedTask;
    }
}

[Alias("tests.ILedgerGrain")]
public interface ILedgerGrain : IGrainWithStringKey
{
    Task DepositAsync(int amount);

    Task DepositAllAsync(int[] amounts);

    Task<bool> WithdrawAsync(int amount);

    Task<bool> WithdrawWithoutLookingAsync(int amount);

    /// <summary>Takes what is there, else notes a deposit of 0 that stands for the refusal.</summary>
    Task<bool> WithdrawOrNoteAsync(int amount, bool conditionally);

    [AlwaysInterleave]
    Task<(int Balance, int Version)> LookAgainAsync();

    Task DepositInsistentlyAsync(int amount);

    Task DepositReusingTheListAsync(int amount);

    Task DepositInTwoTurnsAsync(int amount);

    Task<(int Confirmed, int Tentative, int Unconfirmed)> RaiseWithoutConfirmingAsync(int amount);

    Task<(int Balance, int Version)> GetAsync();

    Task<(int Balance, int Version)> RefreshAsync();

    Task<int[]> HistoryAsync(int from, int to);

    Task ClearAsync();

    Task PoisonAsync(string reason);

    Task PayAsync(string other, int amount, int times);

    Task LeaveAsync();
}

public sealed class LedgerState
{
    public int Balance { get; set; }

    public void Apply(Deposited e) => Balance += e.Amount;

    public void Apply(Withdrawn e) => Balance -= e.Amount;

    public void Apply(Poisoned e) => throw new InvalidOperationException(e.Reason);
}

public abstract record LedgerEvent;

[EventType("ledger-deposited")]
public sealed record Deposited(int Amount) : LedgerEvent;

[EventType("ledger-withdrawn")]
public sealed record Withdrawn(int Amount) : LedgerEvent;

[EventType("ledger-poisoned")]
public sealed record Poisoned(string Reason) : LedgerEvent;
