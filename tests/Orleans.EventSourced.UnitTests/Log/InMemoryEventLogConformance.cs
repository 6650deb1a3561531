using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Testing.Conformance;

namespace Orleans.EventSourced.UnitTests.Log;

public sealed class InMemoryEventLogConformance : EventLogConformance
{
    protected override Task<IEventLog> OpenAsync() => Task.FromResult<IEventLog>(new InMemoryEventLog(TimeProvider.System));
}
