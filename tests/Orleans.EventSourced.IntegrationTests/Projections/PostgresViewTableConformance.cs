using Orleans.EventSourced.Core.Projections;
using Orleans.EventSourced.IntegrationTests.Log;
using Orleans.EventSourced.Postgres;
using Orleans.EventSourced.Testing.Conformance;

namespace Orleans.EventSourced.IntegrationTests.Projections;

public sealed class PostgresViewTableConformance(PostgresFixture postgres) : ViewTableConformance, IAsyncDisposable
{
    private readonly List<IAsyncDisposable> _tables = [];
    private PostgresOptions? _options;

    public async ValueTask DisposeAsync()
    {
        foreach (var table in _tables)
        {
            await table.DisposeAsync();
        }
    }

    protected override async Task<IViewTable<TRow>> TableAsync<TRow>()
    {
        var table = new PostgresViewTable<TRow>(_options ??= await PostgresConformance.MigratedAsync(postgres));
        _tables.Add(table);
        return table;
    }
}
