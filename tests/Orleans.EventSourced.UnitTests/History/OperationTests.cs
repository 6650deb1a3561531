using Orleans.EventSourced.Core.History;
using Orleans.EventSourced.History;
using Xunit;

namespace Orleans.EventSourced.UnitTests.History;

public sealed class OperationTests
{
    [Fact]
    public async Task who_waits_for_work_that_is_ended_is_told_so_and_that_it_can_be_asked_for_again()
    {
        var operation = new Operation<string>(async (progress, stop) =>
        {
            progress(1, 2);
            await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, stop);
            return "done";
        });
        var waiting = operation.ResultAsync(TimeSpan.FromSeconds(20), TimeProvider.System);
        operation.Stop();
        Assert.Equal(HistoryFault.NotNow, (await Assert.ThrowsAsync<HistoryException>(() => waiting)).Fault);
        Assert.Equal((OperationState.Failed, HistoryFault.NotNow), (operation.Status.State, operation.Status.Kind));
    }
}
