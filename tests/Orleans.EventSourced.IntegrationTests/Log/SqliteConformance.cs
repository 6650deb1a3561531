using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Snapshots;
using Orleans.EventSourced.IntegrationTests.Grains;
using Orleans.EventSourced.Sqlite;
using Orleans.EventSourced.Testing.Conformance;

namespace Orleans.EventSourced.IntegrationTests.Log;

public sealed class SqliteEventLogConformance : EventLogConformance, IDisposable
{
    private readonly List<TestFolder> _folders = [];

    public void Dispose() => _folders.ForEach(f => f.Dispose());

    protected override Task<IEventLog> OpenAsync()
    {
        _folders.Add(new TestFolder());
        return Task.FromResult<IEventLog>(new SqliteEventLog(new SqliteOptions { Path = _folders[^1].Database }, TimeProvider.System));
    }
}

public sealed class SqliteLogInspectorConformance : LogInspectorConformance, IAsyncDisposable
{
    private readonly TestFolder _folder = new();
    private readonly List<IAsyncDisposable> _opened = [];

    public async ValueTask DisposeAsync()
    {
        foreach (var opened in _opened)
        {
            await opened.DisposeAsync();
        }

        _folder.Dispose();
    }

    protected override Task<(IEventLog Log, ILogInspector Inspector)> OpenAsync()
    {
        var options = new SqliteOptions { Path = _folder.Database };
        var (log, inspector) = (new SqliteEventLog(options, TimeProvider.System), new SqliteLogInspector(options));
        _opened.AddRange([log, inspector]);
        return Task.FromResult<(IEventLog, ILogInspector)>((log, inspector));
    }
}

public sealed class SqliteSnapshotStoreConformance : SnapshotStoreConformance, IDisposable
{
    private readonly TestFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    protected override Task<ISnapshotStore> OpenAsync() => Task.FromResult<ISnapshotStore>(new SqliteSnapshotStore(new SqliteOptions { Path = _folder.Database }));
}
