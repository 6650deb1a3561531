using Npgsql;
using Xunit;

namespace Orleans.EventSourced.IntegrationTests.Servers;

public sealed class PostgresServerTests(PostgresFixture postgres)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task a_fresh_database_is_utf8_with_locale_c_on_a_durable_server()
    {
        await using var source = NpgsqlDataSource.Create(await postgres.CreateDatabaseAsync());
        Assert.Equal("UTF8", await ScalarAsync(source, "show server_encoding"));
        Assert.Equal("C", await ScalarAsync(source, "select datcollate from pg_database where datname = current_database()"));
        Assert.Equal("on", await ScalarAsync(source, "show fsync"));
    }

    [Fact]
    public async Task what_was_committed_before_a_kill_is_there_after_the_restart_on_the_same_port()
    {
        await using var server = await PostgresServer.StartOwnAsync();
        await using var source = NpgsqlDataSource.Create(await server.CreateDatabaseAsync("survives"));
        await ScalarAsync(source, "create table kept (n int)");
        await ScalarAsync(source, "insert into kept values (42)");

        await server.KillAsync();
        await Assert.ThrowsAnyAsync<NpgsqlException>(() => ScalarAsync(source, "select n from kept"));
        await server.RestartAsync();

        Assert.Equal(42, await ScalarAsync(source, "select n from kept"));
    }

    [Fact]
    public async Task a_stopped_server_starts_again_with_its_data()
    {
        await using var server = await PostgresServer.StartOwnAsync();
        await using var source = NpgsqlDataSource.Create(await server.CreateDatabaseAsync());
        await ScalarAsync(source, "create table kept (n int)");

        await server.StopAsync();
        await server.RestartAsync();
        source.Clear();

        Assert.Equal(0L, await ScalarAsync(source, "select count(*) from kept"));
    }

    private static async Task<object?> ScalarAsync(NpgsqlDataSource source, string sql)
    {
        await using var command = source.CreateCommand(sql);
        return await command.ExecuteScalarAsync(Cancel);
    }
}
