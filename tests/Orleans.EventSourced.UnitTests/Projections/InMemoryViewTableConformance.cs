using Orleans.EventSourced.Core.Projections;
using Orleans.EventSourced.Testing.Conformance;

namespace Orleans.EventSourced.UnitTests.Projections;

public sealed class InMemoryViewTableConformance : ViewTableConformance
{
    private readonly InMemoryViewTable<EveryColumn> _table = new();

    protected override Task<IViewTable<EveryColumn>> TableAsync() => Task.FromResult<IViewTable<EveryColumn>>(_table);
}
