using Orleans.Concurrency;
using Orleans.EventSourcing;

namespace Orleans.EventSourced.IntegrationTests.Grains;

/// <summary>A plain JournaledGrain whose author did without the base's OnActivateAsync, and whose hooks and turns can be made awkward.</summary>
[GrainType("moody")]
public sealed class MoodyGrain : JournaledGrain<LedgerState, LedgerEvent>, IMoodyGrain
{
    private bool _throws;

    public override Task OnActivateAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public async Task<int> RefreshAsync()
    {
        await RefreshNow();
        return State.Balance;
    }

    public async Task DepositAsync(int amount)
    {
        RaiseEvent(new Deposited(amount));
        await ConfirmEvents();
    }

    public Task DepositAtOnceAsync(int amount) => DepositAsync(amount);

    public async Task DepositTwiceAsync(int amount, bool pause)
    {
        RaiseEvent(new Deposited(amount));
        await (pause ? Task.Delay(TimeSpan.FromMilliseconds(50), TimeProvider.System) : Task.CompletedTask);
        RaiseEvent(new Deposited(amount + 1));
        await ConfirmEvents();
    }

    public async Task DepositInABadMoodAsync(int amount)
    {
        _throws = true;
        RaiseEvent(new Deposited(amount));
        await ConfirmEvents();
    }

    public Task<int> UnconfirmedAsync() => Task.FromResult(UnconfirmedEvents.Count());

    public async Task<(int Balance, int Version)> GetAsync()
    {
        await ConfirmEvents();
        return (State.Balance, Version);
    }

    protected override void OnTentativeStateChanged()
    {
        if (_throws)
        {
            throw new InvalidOperationException("not in the mood");
        }
    }
}

[Alias("tests.IMoodyGrain")]
public interface IMoodyGrain : IGrainWithStringKey
{
    Task<int> RefreshAsync();

    Task DepositAsync(int amount);

    [AlwaysInterleave]
    Task DepositAtOnceAsync(int amount);

    /// <summary>Raises two events, and lets the log come between them when <paramref name="pause"/> says so.</summary>
    Task DepositTwiceAsync(int amount, bool pause);

    /// <summary>From now on the grain's own hook throws whenever its tentative state changes.</summary>
    Task DepositInABadMoodAsync(int amount);

    [AlwaysInterleave]
    Task<int> UnconfirmedAsync();

    Task<(int Balance, int Version)> GetAsync();
}
