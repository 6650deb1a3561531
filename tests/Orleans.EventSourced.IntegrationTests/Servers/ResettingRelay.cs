using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using Npgsql;

namespace Orleans.EventSourced.IntegrationTests.Servers;

/// <summary>A relay on loopback in front of a PostgreSQL: the network of clients that lose their connections by a reset, where one wants it. Thread-safe.</summary>
public sealed class ResettingRelay : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly NpgsqlConnectionStringBuilder _server;
    private readonly ConcurrentDictionary<Connection, Task> _connections = new();
    private readonly Task _accepting;
    private int _next;
    private int _resets;

    /// <param name="connectionString">The server behind the relay, on TCP.</param>
    public ResettingRelay(string connectionString)
    {
        _server = new NpgsqlConnectionStringBuilder(connectionString);
        _listener.Start();
        _accepting = AcceptAsync();
    }

    /// <summary>Where a reset falls.</summary>
    public enum Moment
    {
        /// <summary>When the client's next bytes have been passed on; whether the server still reads them is open.</summary>
        AfterRequest = 1,

        /// <summary>When the server's next bytes are there; the client does not get them.</summary>
        BeforeReply,
    }

    /// <summary>The connection string of the server, through the relay.</summary>
    public string ConnectionString =>
        new NpgsqlConnectionStringBuilder(_server.ConnectionString) { Host = "127.0.0.1", Port = ((IPEndPoint)_listener.LocalEndpoint).Port }.ConnectionString;

    /// <summary>The connections reset so far.</summary>
    public int Resets => Volatile.Read(ref _resets);

    /// <summary>Resets every connection now, at both ends.</summary>
    public void ResetAll()
    {
        foreach (var connection in _connections.Keys)
        {
            Reset(connection);
        }
    }

    /// <summary>Resets the one connection that next comes to such a moment.</summary>
    public void ResetNext(Moment moment) => Volatile.Write(ref _next, (int)moment);

    /// <summary>Takes no more connections and resets those there are.</summary>
    public async ValueTask DisposeAsync()
    {
        _listener.Dispose();
        await _accepting;
        ResetAll();
        await Task.WhenAll(_connections.Values);
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                var connection = new Connection(await _listener.AcceptSocketAsync(), new Socket(SocketType.Stream, ProtocolType.Tcp));
                connection.Client.NoDelay = connection.Server.NoDelay = true;
                _connections[connection] = Task.CompletedTask;
                _connections.TryUpdate(connection, RelayAsync(connection), Task.CompletedTask);
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // The listener was closed.
        }
    }

    private async Task RelayAsync(Connection connection)
    {
        try
        {
            await connection.Server.ConnectAsync(_server.Host!, _server.Port);
            await Task.WhenAny(PumpAsync(connection, fromServer: false), PumpAsync(connection, fromServer: true));
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // The server takes no connections, or this one was reset already: the client learns it by the end of its own.
        }

        if (_connections.TryRemove(connection, out _))
        {
            connection.Client.Dispose();
            connection.Server.Dispose();
        }
    }

    private async Task PumpAsync(Connection connection, bool fromServer)
    {
        var (from, to) = fromServer ? (connection.Server, connection.Client) : (connection.Client, connection.Server);
        var buffer = new byte[32 * 1024];
        try
        {
            while (await from.ReceiveAsync(buffer) is > 0 and var count)
            {
                if (fromServer && (connection.RepliesAreLost || IsNow(Moment.BeforeReply)))
                {
                    // Nothing more passes, whoever of the two pumps is about to close the sockets.
                    Reset(connection);
                    return;
                }

                // Said before the request goes out: a fast server's reply would otherwise be through before the reset.
                var isNow = !fromServer && IsNow(Moment.AfterRequest);
                if (isNow)
                {
                    connection.RepliesAreLost = true;
                }

                for (var sent = 0; sent < count;)
                {
                    sent += await to.SendAsync(buffer.AsMemory(sent, count - sent));
                }

                if (isNow)
                {
                    Reset(connection);
                    return;
                }
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // One end is gone: the other one is closed too.
        }
    }

    private bool IsNow(Moment moment) => Interlocked.CompareExchange(ref _next, 0, (int)moment) == (int)moment;

    private void Reset(Connection connection)
    {
        if (_connections.TryRemove(connection, out _))
        {
            Interlocked.Increment(ref _resets);
            foreach (var socket in (Socket[])[connection.Client, connection.Server])
            {
                // A linger time of 0 makes of the close a reset.
                socket.LingerState = new LingerOption(true, 0);
                socket.Close(0);
            }
        }
    }

    private sealed class Connection(Socket client, Socket server)
    {
        private volatile bool _repliesAreLost;

        public Socket Client { get; } = client;

        public Socket Server { get; } = server;

        public bool RepliesAreLost
        {
            get => _repliesAreLost;
            set => _repliesAreLost = value;
        }
    }
}
