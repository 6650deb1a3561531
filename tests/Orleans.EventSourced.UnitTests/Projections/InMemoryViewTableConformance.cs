using Orleans.EventSourced.Core.Projections;
using Orleans.EventSourced.Testing.Conformance;

namespace Orleans.EventSourced.UnitTests.Projections;

public sealed class InMemoryViewTableConformance : ViewTableConformance
{
    private readonly Dictionary<Type, object> _tables = [];

    protected override Task<IViewTable<TRow>> TableAsync<TRow>()
    {
        if (!_tables.TryGetValue(typeof(TRow), out var table))
        {
            _tables.Add(typeof(TRow), table = new InMemoryViewTable<TRow>());
        }

        return Task.FromResult((IViewTable<TRow>)table);
    }
}
