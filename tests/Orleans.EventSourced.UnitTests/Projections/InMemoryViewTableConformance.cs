using Orleans.EventSourced.Core.Projections;
using Orleans.EventSourced.Testing.Conformance;

namespace Orleans.EventSourced.UnitTests.Projections;

public sealed class InMemoryViewTableConformance : ViewTableConformance
{
    private readonly InMemoryViewStore _store = new(TimeProvider.System);

    protected override Task<IViewStore> StoreAsync() => Task.FromResult<IViewStore>(_store);
}
