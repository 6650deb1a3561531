using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.IntegrationTests.Docs;
using Orleans.EventSourced.Testing.Clusters;
using Orleans.EventSourced.Testing.Faults;
using Xunit;

namespace Orleans.EventSourced.IntegrationTests.Grains;

/// <summary>What a caller is told of a command that is in the log while its first answer cannot be read.</summary>
public sealed class FirstAnswerTests
{
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    public async Task a_command_that_was_written_is_never_told_to_be_surely_not(int readsBefore)
    {
        var plan = new FaultPlan();
        await using var cluster = await new EventSourcedTestClusterBuilder()
            .UseEventTypes(new Core.Events.EventTypeMap.Builder().Add(typeof(BalanceChanged), System.Text.Json.JsonSerializerOptions.Web).Build())
            .WrapLog(log => new FaultLog(log, plan, TimeProvider.System))
            .StartAsync();
        var anna = cluster.Grains.GetGrain<IAccountGrain>("anna");
        await anna.ExecuteAsync(new ChangeBalance(100));

        plan.NextWrite(FaultKind.LostReply);
        if (readsBefore > 0)
        {
            plan.NextRead(FaultKind.None, times: readsBefore);
        }

        plan.NextRead(FaultKind.Unavailable);
        var told = await Record.ExceptionAsync(() => anna.ExecuteAsync(new ChangeBalance(10)));
        Assert.True(told is null or LogOutcomeUnknownException, $"{told}");
        Assert.Equal(110, await Eventually.ServedAsync(anna.GetBalanceAsync));
    }
}
