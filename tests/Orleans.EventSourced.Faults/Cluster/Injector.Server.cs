using Npgsql;

namespace Orleans.EventSourced.Faults.Cluster;

/// <summary>What befalls the database's server.</summary>
internal sealed partial class Injector
{
    private const string OthersSessions = "from pg_stat_activity where datname = current_database() and application_name <> 'faults' and backend_type = 'client backend'";

    /// <summary>Has a function called on sessions of the silos, chosen at random, rather those that do something.</summary>
    private async Task<(int Count, string? Note)> SessionsAsync(string function, int amount)
    {
        var done = await cluster.QueryAsync($"select {function}(pid) from (select pid {OthersSessions} order by state = 'active' desc, random() limit {amount}) s", r => r.GetBoolean(0));
        return (done.Count(d => d), null);
    }

    private async Task<(int Count, string? Note)> KillBackendAsync()
    {
        var ids = await cluster.QueryAsync($"select pid {OthersSessions} order by state = 'active' desc, random() limit 1", r => r.GetInt32(0));
        await Signals.SendAsync("KILL", ids);
        await cluster.ReviveServerAsync();
        return (ids.Count, null);
    }

    private async Task<(int Count, string? Note)> KillServerAsync(TimeSpan rest)
    {
        await cluster.Server.KillAsync();
        await Task.Delay(rest);
        await cluster.Server.RestartAsync();
        return (1, null);
    }

    private async Task<(int Count, string? Note)> StopServerAsync(TimeSpan lasts)
    {
        var processes = cluster.Server.ProcessesWithMarker();
        await Signals.SendAsync("STOP", processes);
        await Task.Delay(lasts);
        await Signals.SendAsync("CONT", processes);
        return (processes.Count, null);
    }

    private async Task<(int Count, string? Note)> FillDiskAsync(TimeSpan lasts)
    {
        cluster.Disk!.Fill();
        await Task.Delay(lasts);
        cluster.Disk.Free();
        await cluster.ReviveServerAsync();
        return (1, null);
    }

    /// <summary>Keeps a transaction open that holds what a statement took.</summary>
    private async Task<(int Count, string? Note)> HoldAsync(string sql, TimeSpan lasts)
    {
        await using var connection = await cluster.Admin.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        await ExecuteAsync(connection, sql);
        await Task.Delay(lasts);
        await transaction.RollbackAsync();
        return (1, null);
    }

    /// <summary>
    /// Takes the lock that orders commits, and then the rows of the streams that all clients share, while appends take rows first. This session waits long, so that the append is the one that loses.
    /// </summary>
    private async Task<(int Count, string? Note)> DeadlockAsync(TimeSpan lasts)
    {
        await using var connection = await cluster.Admin.OpenConnectionAsync();
        await ExecuteAsync(connection, "set deadlock_timeout = '60s'");
        var (began, before) = (TimeProvider.System.GetTimestamp(), await DeadlocksAsync());
        while (TimeProvider.System.GetElapsedTime(began) < lasts)
        {
            await using var transaction = await connection.BeginTransactionAsync();
            await ExecuteAsync(connection, CommitLock);
            await Task.Delay(TimeSpan.FromMilliseconds(200));
            await ExecuteAsync(connection, "select count(*) from (select 1 from es.streams where name ~ '^fine/S[0-9]+$' for no key update) s");
            await transaction.RollbackAsync();
        }

        // The server tells it a little later.
        await Task.Delay(TimeSpan.FromSeconds(1));
        return ((int)(await DeadlocksAsync() - before), null);
    }

    private async Task<long> DeadlocksAsync() => (await cluster.QueryAsync("select deadlocks from pg_stat_database where datname = current_database()", r => r.GetInt64(0)))[0];

    private static async Task ExecuteAsync(NpgsqlConnection connection, string sql)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync();
    }
}
