using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Testing.Conformance;

namespace Orleans.EventSourced.UnitTests.Log;

public sealed class InMemoryLogInspectorConformance : LogInspectorConformance
{
    protected override Task<(IEventLog Log, ILogInspector Inspector)> OpenAsync()
    {
        var log = new InMemoryEventLog(TimeProvider.System);
        return Task.FromResult<(IEventLog, ILogInspector)>((log, log));
    }
}
