using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Snapshots;
using Orleans.EventSourced.Postgres;
using Orleans.EventSourced.Testing.Conformance;

namespace Orleans.EventSourced.IntegrationTests.Log;

public sealed class PostgresEventLogConformance(PostgresFixture postgres) : EventLogConformance
{
    protected override async Task<IEventLog> OpenAsync() => new PostgresEventLog(await PostgresConformance.MigratedAsync(postgres));
}

public sealed class PostgresLogInspectorConformance(PostgresFixture postgres) : LogInspectorConformance, IAsyncDisposable
{
    private readonly List<IAsyncDisposable> _opened = [];

    public async ValueTask DisposeAsync()
    {
        foreach (var opened in _opened)
        {
            await opened.DisposeAsync();
        }
    }

    protected override async Task<(IEventLog Log, ILogInspector Inspector)> OpenAsync()
    {
        var options = await PostgresConformance.MigratedAsync(postgres);
        var (log, inspector) = (new PostgresEventLog(options), new PostgresLogInspector(options));
        _opened.AddRange([log, inspector]);
        return (log, inspector);
    }
}

public sealed class PostgresSnapshotStoreConformance(PostgresFixture postgres) : SnapshotStoreConformance
{
    protected override async Task<ISnapshotStore> OpenAsync() => new PostgresSnapshotStore(await PostgresConformance.MigratedAsync(postgres));
}

internal static class PostgresConformance
{
    public static async Task<PostgresOptions> MigratedAsync(PostgresFixture postgres) => new() { ConnectionString = await postgres.CreateLogAsync() };
}
