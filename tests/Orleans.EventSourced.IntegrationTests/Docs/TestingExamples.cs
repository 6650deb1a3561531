using Npgsql;
using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.Projections;
using Orleans.EventSourced.Grains;
using Orleans.EventSourced.Hosting;
using Orleans.EventSourced.IntegrationTests.Grains;
using Orleans.EventSourced.Postgres;
using Orleans.EventSourced.Sqlite;
using Orleans.EventSourced.Testing.Clusters;
using Orleans.EventSourced.Testing.Faults;
using Orleans.EventSourced.Testing.Scenarios;
using Xunit;

namespace Orleans.EventSourced.IntegrationTests.Docs;

/// <summary>The examples of docs/testing.md, which shows them line by line.</summary>
public sealed class TestingExamples(PostgresFixture postgres)
{
    private static readonly EventTypeMap Types = new EventTypeMap.Builder().Add(typeof(BalanceChanged), System.Text.Json.JsonSerializerOptions.Web).Build();

    private static readonly Scenario<Account, ChangeBalance, BalanceChanged> AnAccount = Scenario.Of<Account, ChangeBalance, BalanceChanged>();

    [Fact]
    public void an_account_is_not_overdrawn()
    {
        var account = AnAccount.Given(new BalanceChanged(100));
        account.When(new ChangeBalance(-30)).Then(new BalanceChanged(-30)).ThenState(new Account(70));
        account.When(new ChangeBalance(-101)).ThenRejected("overdrawn");
    }

    [Fact]
    public void a_failed_expectation_shows_both_sides()
    {
        var failed = Assert.Throws<ExpectationException>(() => AnAccount.Given(new BalanceChanged(100)).When(new ChangeBalance(-30)).Then(new BalanceChanged(-31)));
        Assert.Equal(
            """
            ChangeBalance {"by":-30} did not make the expected events happen: event 1, $.by is -30; expected is -31.
            Expected:
              > 1  balance-changed {"by":-31}
            Actual:
              > 1  balance-changed {"by":-30}
            Given:
                1  balance-changed {"by":100}
            """,
            failed.Message);
    }

    [Fact]
    public async Task the_grain_does_as_its_decider()
    {
        await using var cluster = await new EventSourcedTestClusterBuilder().UseEventTypes(Types).StartAsync();
        var anna = cluster.Grains.GetGrain<IAccountGrain>("anna");
        await cluster.Scenario<IAccountGrain, BalanceChanged>(anna)
            .Given(new BalanceChanged(100))
            .When(account => account.ExecuteAsync(new ChangeBalance(-30)))
            .ThenAsync(new BalanceChanged(-30));
        Assert.Equal(70, await anna.GetBalanceAsync());
    }

    [Fact]
    public async Task a_view_shows_what_was_accepted()
    {
        await using var cluster = await new EventSourcedTestClusterBuilder()
            .WithSilos(2)
            .UseEventTypes(Types)
            .ConfigureSilo(silo => silo.AddView(Projection.Of<BalanceRow, BalanceChanged>()))
            .StartAsync();
        await cluster.Grains.GetGrain<IAccountGrain>("anna").ExecuteAsync(new ChangeBalance(100));
        await cluster.WaitForProjectionsAsync();
        var read = await cluster.Silos[1].View<BalanceRow>().ReadAsync("anna", new Slice(0, 1), CancellationToken.None);
        Assert.Equal(new BalanceRow(100, false), read.Row?.Row);
    }

    [Fact]
    public async Task the_same_on_sqlite_and_after_a_crash()
    {
        using var folder = new TestFolder();
        var file = folder.Database;
        await using var cluster = await new EventSourcedTestClusterBuilder()
            .UseEventTypes(Types)
            .UseLog(services => services.AddSqliteEventLog(o => o.Path = file))
            .StartAsync();
        await cluster.Grains.GetGrain<IAccountGrain>("anna").ExecuteAsync(new ChangeBalance(100));
        await cluster.KillSiloAsync(cluster.Silos[0]);
        await cluster.StartSiloAsync();
        Assert.Equal(100, await cluster.Grains.GetGrain<IAccountGrain>("anna").GetBalanceAsync());
    }

    [Fact]
    public async Task two_activations_of_one_account_do_not_overdraw_it()
    {
        var database = await postgres.CreateDatabaseAsync();
        await PostgresSchema.MigrateAsync(new PostgresOptions { ConnectionString = database }, CancellationToken.None);
        await using var cluster = await new EventSourcedTestClusterBuilder()
            .UseEventTypes(Types)
            .UseLog(services => services.AddPostgresEventLog(o => o.ConnectionString = database))
            .StartAsync();
        var twin = await cluster.StartTwinAsync();
        var (here, there) = (cluster.Grains.GetGrain<IAccountGrain>("anna"), twin.Grains.GetGrain<IAccountGrain>("anna"));
        await here.ExecuteAsync(new ChangeBalance(50));
        Assert.Equal(50, await there.GetBalanceAsync());

        await here.ExecuteAsync(new ChangeBalance(-40));
        Assert.Equal(50, await there.GetBalanceAsync());
        Assert.IsType<Rejected<BalanceChanged>>(await there.ExecuteAsync(new ChangeBalance(-40)));
    }

    [Fact]
    public async Task a_lost_reply_takes_no_second_effect()
    {
        var plan = new FaultPlan();
        await using var cluster = await new EventSourcedTestClusterBuilder()
            .UseEventTypes(Types)
            .WrapLog(log => new FaultLog(log, plan, TimeProvider.System))
            .StartAsync();
        plan.NextWrite(FaultKind.LostReply);
        await cluster.Scenario<IAccountGrain, BalanceChanged>(cluster.Grains.GetGrain<IAccountGrain>("anna"))
            .When(account => account.ExecuteAsync(new ChangeBalance(100)))
            .ThenAsync(new BalanceChanged(100));
        Assert.Equal(1, plan.Given(FaultKind.LostReply));
    }

    [Fact]
    public async Task interest_is_due_a_year_later()
    {
        await using var cluster = await new EventSourcedTestClusterBuilder()
            .UseVirtualTime(new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero))
            .UseEventTypes(Types)
            .ConfigureSilo(silo => silo
                .AddView(Projection.Of<InterestDue, BalanceChanged>())
                .AddDeadline<InterestDue>("interest", row => row.DueAt, due => due.SendAsync(grains => grains.GetGrain<IAccountGrain>(due.Due.Key).ExecuteAsync(new ChangeBalance(2)))))
            .StartAsync();
        var anna = cluster.Grains.GetGrain<IAccountGrain>("anna");
        await anna.ExecuteAsync(new ChangeBalance(100));
        await cluster.AdvanceAsync(TimeSpan.FromDays(364));
        Assert.Equal(100, await anna.GetBalanceAsync());
        await cluster.AdvanceAsync(TimeSpan.FromDays(1));
        Assert.Equal(102, await anna.GetBalanceAsync());
    }

    [Fact]
    public async Task a_connection_cut_behind_the_commit_takes_no_second_effect()
    {
        var database = new NpgsqlConnectionStringBuilder(await postgres.CreateDatabaseAsync());
        await PostgresSchema.MigrateAsync(new PostgresOptions { ConnectionString = database.ConnectionString }, CancellationToken.None);
        await using var proxy = new FaultProxy(database.Host!, database.Port);
        (database.Host, database.Port) = ("127.0.0.1", proxy.Port);
        await using var cluster = await new EventSourcedTestClusterBuilder()
            .UseEventTypes(Types)
            .UseLog(services => services.AddPostgresEventLog(o => o.ConnectionString = database.ConnectionString))
            .StartAsync();
        var cut = proxy.CutOnce(new ProxyCut(ProxyDirection.ToClient, ProxyEnd.Reset, "CALL\0"u8.ToArray()));
        await cluster.Scenario<IAccountGrain, BalanceChanged>(cluster.Grains.GetGrain<IAccountGrain>("anna"))
            .When(account => account.ExecuteAsync(new ChangeBalance(100)))
            .ThenAsync(new BalanceChanged(100));
        await cut;
    }
}

/// <summary>A row an account.</summary>
[View("balances")]
public sealed record BalanceRow([property: Scale(2)] decimal Balance, bool IsLow) : IView<BalanceRow, BalanceChanged>
{
    public static string? KeyOf(ViewEvent<BalanceChanged> e) => e.Recorded.Stream.Key;

    public static BalanceRow? Apply(BalanceRow? row, string key, ViewEvent<BalanceChanged> e) => new((row?.Balance ?? 0) + e.Event.By, (row?.Balance ?? 0) + e.Event.By < 10);
}

/// <summary>When an account gets its interest: a year behind its first event.</summary>
[View("interest_due")]
public sealed record InterestDue([property: Indexed] DateTimeOffset DueAt) : IView<InterestDue, BalanceChanged>
{
    public static string? KeyOf(ViewEvent<BalanceChanged> e) => e.Recorded.Version.Value <= 2 ? e.Recorded.Stream.Key : null;

    public static InterestDue? Apply(InterestDue? row, string key, ViewEvent<BalanceChanged> e) => row is null ? new InterestDue(e.Recorded.RecordedAt.AddDays(365)) : null;
}
