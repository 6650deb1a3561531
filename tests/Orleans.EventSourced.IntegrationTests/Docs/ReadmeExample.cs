using Microsoft.Extensions.Hosting;
using Orleans.EventSourced.Core.Deciding;
using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Grains;
using Orleans.EventSourced.Hosting;
using Orleans.EventSourced.Sqlite;

namespace Orleans.EventSourced.IntegrationTests.Docs;

[GenerateSerializer] public sealed record ChangeBalance(decimal By);
[GenerateSerializer, EventType("balance-changed")] public sealed record BalanceChanged(decimal By);

[GenerateSerializer]
public sealed record Account(decimal Balance) : IDecider<Account, ChangeBalance, BalanceChanged>
{
    public static Account Initial => new(0m);
    public static Decision<BalanceChanged> Decide(Account state, ChangeBalance command) => state.Balance + command.By >= 0
        ? new Decision<BalanceChanged>.Accept([new BalanceChanged(command.By)])
        : new Decision<BalanceChanged>.Refuse("overdrawn", $"The account holds {state.Balance}.");
    public static Account Evolve(Account state, BalanceChanged @event) => new(state.Balance + @event.By);
}

public interface IAccountGrain : IGrainWithStringKey
{
    Task<CommandResult<BalanceChanged>> ExecuteAsync(ChangeBalance command);
    Task<decimal> GetBalanceAsync();
}

[GrainType("account")]
public sealed class AccountGrain : EventSourcedGrain<Account, BalanceChanged>, IAccountGrain
{
    public Task<CommandResult<BalanceChanged>> ExecuteAsync(ChangeBalance command) => ExecuteAsync(command, Account.Decide);
    public Task<decimal> GetBalanceAsync() => Task.FromResult(State.Balance);
}

public static class AccountNode
{
    public static IHost Build(string file, int siloPort = 11_111, int gatewayPort = 30_000) => new HostBuilder().UseOrleans(silo => silo
        .UseLocalhostClustering(siloPort, gatewayPort)
        .AddEventSourcing(o => o.EventTypes = new EventTypeMap.Builder().Add(typeof(BalanceChanged), System.Text.Json.JsonSerializerOptions.Web).Build())
        .Services.AddSqliteEventLog(o => o.Path = file)).Build();
}
