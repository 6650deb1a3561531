using Orleans.EventSourced.Core.Projections;
using Orleans.EventSourced.IntegrationTests.Log;
using Orleans.EventSourced.Postgres;
using Orleans.EventSourced.Testing.Conformance;

namespace Orleans.EventSourced.IntegrationTests.Projections;

public sealed class PostgresViewTableConformance(PostgresFixture postgres) : ViewTableConformance, IAsyncDisposable
{
    private readonly List<PostgresViewTable<EveryColumn>> _tables = [];
    private PostgresOptions? _options;

    public async ValueTask DisposeAsync()
    {
        foreach (var table in _tables)
        {
            await table.DisposeAsync();
        }
    }

    protected override async Task<IViewTable<EveryColumn>> TableAsync()
    {
        _tables.Add(new PostgresViewTable<EveryColumn>(_options ??= await PostgresConformance.MigratedAsync(postgres)));
        return _tables[^1];
    }
}
