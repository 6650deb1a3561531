using CsCheck;
using Xunit;

namespace Orleans.EventSourced.UnitTests.Log;

public sealed class AppendProtocolSpecTests(ITestOutputHelper output)
{
    [Theory]
    [InlineData(false, 8_720)]
    [InlineData(true, 6_612)]
    public void whatever_is_lost_or_comes_late_the_append_protocol_keeps_its_promises(bool namesVersion, int states)
    {
        var report = AppendProtocolSpec.Of(ProtocolMistake.None, namesVersion).Exhaustive(output.WriteLine);
        Assert.Equal((true, states, 0), (report.Closed, report.States, report.DeadlockStates));
        Assert.Empty(report.NeverFired);
    }

    [Theory]
    [InlineData(ProtocolMistake.NoEventIds, false, "ONCE", 7)]
    [InlineData(ProtocolMistake.ReadsOnce, false, "NEVER", 4)]
    [InlineData(ProtocolMistake.TwoSnapshots, true, "NEVER", 7)]
    [InlineData(ProtocolMistake.NoToTheLastIsNoToAll, false, "NEVER", 5)]
    [InlineData(ProtocolMistake.NoVersionCheck, false, "VERSIONS", 4)]
    internal void a_protocol_with_a_mistake_breaks_a_promise_in_a_few_steps(ProtocolMistake mistake, bool namesVersion, string promise, int steps)
    {
        AppendProtocolSpec.Of(mistake, namesVersion).Exhaustive(out var violation);
        Assert.NotNull(violation);
        output.WriteLine(violation.ToString());
        Assert.Equal((promise, steps), (violation.Id, violation.StepIndex + 1));
    }
}
