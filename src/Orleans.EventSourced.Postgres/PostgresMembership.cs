using System.Net;
using Npgsql;
using Orleans.EventSourced.Core.Log;

namespace Orleans.EventSourced.Postgres;

/// <summary>House-keeping of the table in which Orleans' clustering keeps the members of a cluster.</summary>
public static class PostgresMembership
{
    /// <summary>
    /// Forgets members at an address whose generation lies after <paramref name="generation"/>. A generation is the second of a silo's start, and Orleans takes a silo for dead while the table has a
    /// later one at its address: where a clock was ahead and was put right, the silo could not join before that time has come. To be called by the silo that is about to start at this address, while it
    /// holds the port there: of a silo that is alive the row would be deleted.
    /// </summary>
    /// <param name="options">Where the tables are.</param>
    /// <param name="clusterId">The cluster.</param>
    /// <param name="address">The silo's address.</param>
    /// <param name="port">The silo's port.</param>
    /// <param name="generation">The generation that the silo would have if it started now.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>How many were forgotten.</returns>
    /// <exception cref="LogUnavailableException">The server could not be reached or could not do it now.</exception>
    /// <exception cref="LogMisconfiguredException">The tables are not there, or the login may not change them.</exception>
    public static async Task<int> ForgetLaterAsync(PostgresOptions options, string clusterId, IPAddress address, int port, int generation, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentException.ThrowIfNullOrEmpty(clusterId);
        ArgumentNullException.ThrowIfNull(address);
        await using var source = NpgsqlDataSource.Create(PostgresConnectionString.ForOrleans(options));
        try
        {
            await using var command = source.CreateCommand(Statements.DeleteLaterSilos);
            command.Parameters.AddWithValue(clusterId);
            command.Parameters.AddWithValue(address.ToString());
            command.Parameters.AddWithValue(port);
            command.Parameters.AddWithValue(generation);
            return await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (PostgresErrors.IsStoreError(e) && !cancellationToken.IsCancellationRequested)
        {
            throw PostgresErrors.OnRead(e);
        }
    }
}
