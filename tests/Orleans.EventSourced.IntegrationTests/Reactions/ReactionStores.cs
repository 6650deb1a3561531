using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Reactions;
using Orleans.EventSourced.IntegrationTests.Grains;
using Orleans.EventSourced.IntegrationTests.Log;
using Orleans.EventSourced.Postgres;
using Orleans.EventSourced.Sqlite;
using Orleans.EventSourced.Testing.Conformance;
using Xunit;

namespace Orleans.EventSourced.IntegrationTests.Reactions;

public sealed class PostgresReactionStoreConformance(PostgresFixture postgres) : ReactionStoreConformance
{
    private PostgresOptions? _options;

    protected override async Task<IReactionStore> OpenAsync() => new PostgresReactionStore(_options ??= await PostgresConformance.MigratedAsync(postgres));
}

public sealed class SqliteReactionStoreConformance : ReactionStoreConformance, IAsyncDisposable
{
    private readonly TestFolder _folder = new();
    private readonly List<SqliteReactionStore> _stores = [];

    private SqliteOptions Options => new() { Path = _folder.Database };

    [Fact]
    public async Task a_checkpoint_of_another_log_is_refused()
    {
        await (await OpenAsync()).OpenAsync(new ReactionName("greet"), LogPosition.Start, CancellationToken.None);
        await DisposeStoresAsync();
        File.Delete(_folder.Database);
        var store = await OpenAsync();
        await Assert.ThrowsAsync<LogMisconfiguredException>(() => store.OpenAsync(new ReactionName("greet"), LogPosition.Start, CancellationToken.None));
    }

    [Fact]
    public async Task the_views_can_be_thrown_away_without_it_and_a_damaged_file_is_no_beginning()
    {
        await (await OpenAsync()).OpenAsync(new ReactionName("greet"), new LogPosition(3), CancellationToken.None);
        await DisposeStoresAsync();
        File.Delete(Path.Combine(_folder.Path, "eventlog-views.db"));
        Assert.Equal(new LogPosition(3), (await (await OpenAsync()).OpenAsync(new ReactionName("greet"), new LogPosition(5), CancellationToken.None)).Position);
        await DisposeStoresAsync();
        await File.WriteAllTextAsync(Path.Combine(_folder.Path, "eventlog-reactions.db"), new string('x', 8_192));
        await Assert.ThrowsAsync<LogMisconfiguredException>(OpenAsync);
    }

    public async ValueTask DisposeAsync()
    {
        await DisposeStoresAsync();
        _folder.Dispose();
    }

    protected override async Task<IReactionStore> OpenAsync()
    {
        await SqliteSchema.PrepareAsync(Options, CancellationToken.None);
        _stores.Add(new SqliteReactionStore(Options, TimeProvider.System));
        return _stores[^1];
    }

    private async Task DisposeStoresAsync()
    {
        foreach (var store in _stores)
        {
            await store.DisposeAsync();
        }

        _stores.Clear();
    }
}
