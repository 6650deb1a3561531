using System.Transactions;
using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Reactions;
using Orleans.EventSourced.Core.Snapshots;
using Orleans.EventSourced.Postgres;
using Xunit;

namespace Orleans.EventSourced.IntegrationTests.Log;

/// <summary>A caller's own transaction, which it has open around its calls, has no part in what the stores do: each commits by itself.</summary>
public sealed class PostgresAmbientTransaction(PostgresFixture postgres)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task an_append_is_committed_whatever_becomes_of_the_callers_transaction()
    {
        await using var log = new PostgresEventLog(await PostgresConformance.MigratedAsync(postgres));
        using (Ambient())
        {
            Assert.IsType<AppendOutcome.Appended>(Assert.Single(await log.AppendAsync([Requests.One("t/a")], Cancel)));
        }

        Assert.Equal(1, (await log.ReadHeadAsync(Cancel)).Position.Value);
    }

    [Fact]
    public async Task snapshots_and_checkpoints_are_kept_whatever_becomes_of_the_callers_transaction()
    {
        var options = await PostgresConformance.MigratedAsync(postgres);
        await using var snapshots = new PostgresSnapshotStore(options);
        await using var reactions = new PostgresReactionStore(options);
        var (log, stream, greet) = (Guid.CreateVersion7(), new StreamId("t/a"), new ReactionName("greet"));
        using (Ambient())
        {
            var id = EventId.Derive(CommandId.FromText("c"), stream, 0);
            await snapshots.WriteAsync(new Snapshot(log, stream, new StreamVersion(1), new LogPosition(1), id, 1, "{}"u8.ToArray()), Cancel);
            await reactions.OpenAsync(greet, new LogPosition(3), Cancel);
        }

        Assert.NotNull(await snapshots.ReadLatestAsync(log, stream, 1, null, Cancel));
        Assert.Equal(new LogPosition(3), (await reactions.OpenAsync(greet, new LogPosition(5), Cancel)).Position);
    }

    [Fact]
    public async Task a_migration_may_run_inside_a_callers_transaction()
    {
        var options = new PostgresOptions { ConnectionString = await postgres.CreateDatabaseAsync() };
        using (Ambient())
        {
            await PostgresSchema.MigrateAsync(options, Cancel);
        }

        Assert.True((await PostgresSchema.CheckAsync(options, Cancel)).IsDurable);
    }

    /// <summary>Never completed: what took part in it is rolled back.</summary>
    private static TransactionScope Ambient() => new(TransactionScopeAsyncFlowOption.Enabled);
}
