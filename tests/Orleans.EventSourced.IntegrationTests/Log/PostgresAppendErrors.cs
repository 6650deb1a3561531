using Npgsql;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Postgres;
using Xunit;

namespace Orleans.EventSourced.IntegrationTests.Log;

/// <summary>What an append is told where the fault is the server's or the schema's and not its own.</summary>
public sealed class PostgresAppendErrors(PostgresFixture postgres)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("revoke execute on procedure es.append from es_writer", "42501")]
    [InlineData("drop procedure es.append", "42883")]
    public async Task a_login_or_a_schema_that_cannot_append_is_a_misconfiguration_and_no_fault_of_the_request(string fault, string state)
    {
        var options = await PostgresConformance.MigratedAsync(postgres);
        await using var log = new PostgresEventLog(options);
        await ExecuteAsync(options, fault);
        var e = await Assert.ThrowsAsync<LogMisconfiguredException>(() => log.AppendAsync([Requests.One("t/a")], Cancel));
        Assert.Contains(state, e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task a_number_of_a_commit_that_is_given_out_again_is_a_misconfiguration_and_writes_nothing()
    {
        var options = await PostgresConformance.MigratedAsync(postgres);
        await using var log = new PostgresEventLog(options);
        await log.AppendAsync([Requests.One("t/a")], Cancel);
        await ExecuteAsync(options, "alter sequence es.commit_ids restart");
        var e = await Assert.ThrowsAsync<LogMisconfiguredException>(() => log.AppendAsync([Requests.One("t/b")], Cancel));
        Assert.Contains("23505", e.Message, StringComparison.Ordinal);
        Assert.Equal(1, (await log.ReadHeadAsync(Cancel)).Position.Value);
    }

    [Fact]
    public async Task a_server_that_takes_no_writes_surely_wrote_nothing()
    {
        var options = await PostgresConformance.MigratedAsync(postgres);
        await ExecuteAsync(options, $"alter database {new NpgsqlConnectionStringBuilder(options.ConnectionString).Database} set default_transaction_read_only = on");
        await using var log = new PostgresEventLog(options);
        var e = await Assert.ThrowsAsync<LogUnavailableException>(() => log.AppendAsync([Requests.One("t/a")], Cancel));
        Assert.Contains("25006", e.Message, StringComparison.Ordinal);
    }

    private static async Task ExecuteAsync(PostgresOptions options, string sql)
    {
        await using var connection = await PostgresLaws.ConnectAsync(options.ConnectionString, null);
        await PostgresLaws.ExecuteAsync(connection, sql);
    }
}
