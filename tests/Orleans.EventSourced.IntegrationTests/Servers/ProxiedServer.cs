using Npgsql;
using Orleans.EventSourced.Testing.Faults;

namespace Orleans.EventSourced.IntegrationTests.Servers;

/// <summary>A PostgreSQL on TCP, reached through a network that a test can spoil.</summary>
internal static class ProxiedServer
{
    /// <summary>The request arrives, perhaps; the reply does not.</summary>
    public static readonly ProxyCut AfterRequest = new(ProxyDirection.ToServer, ProxyEnd.Reset, IsPassedOn: true);

    /// <summary>The request arrived and was answered; the reply does not arrive.</summary>
    public static readonly ProxyCut BeforeReply = new(ProxyDirection.ToClient, ProxyEnd.Reset);

    public static FaultProxy Before(string connectionString)
    {
        var server = new NpgsqlConnectionStringBuilder(connectionString);
        return new FaultProxy(server.Host!, server.Port);
    }

    /// <summary>The connection string of the same server and database, by way of the proxy.</summary>
    public static string Through(this FaultProxy proxy, string connectionString) => new NpgsqlConnectionStringBuilder(connectionString) { Host = "127.0.0.1", Port = proxy.Port }.ConnectionString;
}
