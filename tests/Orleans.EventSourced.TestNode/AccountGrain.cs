using Orleans.CodeGeneration;
using Orleans.EventSourced.Grains;
using Orleans.Placement;

namespace Orleans.EventSourced.TestNode;

/// <summary>Where a command stands in the log, and what is on the account then.</summary>
[GenerateSerializer, Immutable, Alias("node.AccountAnswer")]
public sealed record AccountAnswer([property: Id(0)] int Version, [property: Id(1)] long Position, [property: Id(2)] int Balance);

/// <summary>The newer program's version has a method more: such a call moves an account that the older program holds.</summary>
#if NEXT
[Version(2)]
#else
[Version(1)]
#endif
[Alias("node.IAccountGrain")]
public interface IAccountGrain : IGrainWithStringKey
{
    [Alias("Deposit")]
    Task<AccountAnswer> DepositAsync(int amount);

#if NEXT
    [Alias("Withdraw")]
    Task<AccountAnswer> WithdrawAsync(int amount);
#endif

    [Alias("Get")]
    Task<AccountAnswer> GetAsync();

    /// <summary>Ends the activation.</summary>
    [Alias("Leave")]
    Task LeaveAsync();
}

[GrainType("account"), PreferLocalPlacement]
internal sealed class AccountGrain : EventSourcedGrain<Account, AccountEvent>, IAccountGrain
{
    public Task<AccountAnswer> DepositAsync(int amount) => DoAsync(new Deposited(amount));

#if NEXT
    public Task<AccountAnswer> WithdrawAsync(int amount) => DoAsync(new Withdrawn(amount));
#endif

    public Task<AccountAnswer> GetAsync() => Task.FromResult(new AccountAnswer(Version, Position, State.Balance));

    public Task LeaveAsync()
    {
        DeactivateOnIdle();
        return Task.CompletedTask;
    }

    private async Task<AccountAnswer> DoAsync(AccountEvent command)
    {
        await ExecuteAsync(command, Account.Decide);
        return await GetAsync();
    }
}
