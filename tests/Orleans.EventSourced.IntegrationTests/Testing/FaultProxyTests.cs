using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Time.Testing;
using Orleans.EventSourced.Testing.Faults;
using Xunit;

namespace Orleans.EventSourced.IntegrationTests.Testing;

/// <summary>The proxy on real sockets, before a server that answers each byte with the next one.</summary>
public sealed class FaultProxyTests : IAsyncLifetime
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly FakeTimeProvider _time = new();
    private FaultProxy _proxy = null!;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public ValueTask InitializeAsync()
    {
        _listener.Start();
        _proxy = new FaultProxy("127.0.0.1", ((IPEndPoint)_listener.LocalEndpoint).Port, _time);
        return ValueTask.CompletedTask;
    }

    public async ValueTask DisposeAsync()
    {
        await _proxy.DisposeAsync();
        _listener.Dispose();
    }

    [Fact]
    public async Task what_is_sent_arrives_and_so_does_the_end()
    {
        var (client, server) = await ConnectAsync();
        await client.SendAsync("abc"u8.ToArray(), Cancel);
        Assert.Equal("abc", await ReadAsync(server, 3));
        await server.SendAsync("de"u8.ToArray(), Cancel);
        Assert.Equal("de", await ReadAsync(client, 2));
        client.Shutdown(SocketShutdown.Send);
        Assert.Equal("", await ReadAsync(server, 1));
        await server.SendAsync("f"u8.ToArray(), Cancel);
        Assert.Equal("f", await ReadAsync(client, 1));
        server.Dispose();
        Assert.Equal("", await ReadAsync(client, 1));
    }

    [Theory]
    [InlineData(false, "")]
    [InlineData(true, "COMMIT")]
    public async Task a_connection_is_reset_at_a_pattern_that_two_packets_share(bool isPassedOn, string arrived)
    {
        var (client, server) = await ConnectAsync();
        var (_, other) = await ConnectAsync();
        var cut = _proxy.CutOnce(new ProxyCut(ProxyDirection.ToServer, ProxyEnd.Reset, "COMMIT"u8.ToArray(), isPassedOn), Cancel);
        await client.SendAsync("begin COM"u8.ToArray(), Cancel);
        Assert.Equal("begin COM", await ReadAsync(server, 9));
        Assert.False(cut.IsCompleted);
        await client.SendAsync("MIT"u8.ToArray(), Cancel);
        await cut.WaitAsync(TimeSpan.FromSeconds(20), Cancel);

        Assert.Equal(SocketError.ConnectionReset, (await Assert.ThrowsAsync<SocketException>(() => client.ReceiveAsync(new byte[1]))).SocketErrorCode);
        var rest = "";
        var end = await Record.ExceptionAsync(async () => rest = await ReadAsync(server, 3));

        // What was passed on may still be read, or the reset has thrown it away at the server.
        Assert.True(end is SocketException { SocketErrorCode: SocketError.ConnectionReset } || (isPassedOn && arrived.EndsWith(rest, StringComparison.Ordinal)), $"{end} {rest}");
        Assert.Equal(1, _proxy.Resets);
        await other.SendAsync("still"u8.ToArray(), Cancel);
    }

    [Fact]
    public async Task a_request_that_vanished_in_a_black_hole_was_received_and_no_reply_and_no_end_ever_comes()
    {
        var (client, server) = await ConnectAsync();
        var cut = _proxy.CutOnce(new ProxyCut(ProxyDirection.ToServer, ProxyEnd.BlackHole, "x"u8.ToArray(), IsPassedOn: true), Cancel);
        await client.SendAsync("x"u8.ToArray(), Cancel);
        Assert.Equal("x", await ReadAsync(server, 1));
        await cut.WaitAsync(TimeSpan.FromSeconds(20), Cancel);
        await server.SendAsync("reply"u8.ToArray(), Cancel);
        await client.SendAsync("more"u8.ToArray(), Cancel);
        var reply = client.ReceiveAsync(new byte[1], SocketFlags.None, Cancel).AsTask();
        var more = server.ReceiveAsync(new byte[1], SocketFlags.None, Cancel).AsTask();
        var (next, nextServer) = await ConnectAsync();
        await next.SendAsync("y"u8.ToArray(), Cancel);
        Assert.Equal("y", await ReadAsync(nextServer, 1));
        Assert.False(reply.IsCompleted || more.IsCompleted);
        Assert.Equal(2, _proxy.Connections);

        _proxy.Heal();
        Assert.IsType<SocketException>(await Record.ExceptionAsync(() => reply.WaitAsync(TimeSpan.FromSeconds(20), Cancel)));
        Assert.IsType<SocketException>(await Record.ExceptionAsync(() => more.WaitAsync(TimeSpan.FromSeconds(20), Cancel)));
        await nextServer.SendAsync("z"u8.ToArray(), Cancel);
        Assert.Equal("z", await ReadAsync(next, 1));
    }

    [Fact]
    public async Task a_half_closed_connection_ends_for_both_readers_and_forgets_what_is_still_sent()
    {
        var (client, server) = await ConnectAsync();
        Assert.Equal(1, _proxy.CutAll(ProxyEnd.HalfClose));
        Assert.Equal(("", ""), (await ReadAsync(server, 1), await ReadAsync(client, 1)));
        await client.SendAsync("lost"u8.ToArray(), Cancel);
        await server.SendAsync("lost"u8.ToArray(), Cancel);
        Assert.Equal(0, _proxy.Resets);
    }

    [Fact]
    public async Task a_proxy_that_ends_just_when_a_connection_comes_in_ends_in_peace()
    {
        for (var round = 0; round < 300; round++)
        {
            await using var proxy = new FaultProxy("127.0.0.1", ((IPEndPoint)_listener.LocalEndpoint).Port, _time);
            using var client = new Socket(SocketType.Stream, ProtocolType.Tcp);
            await client.ConnectAsync(IPAddress.Loopback, proxy.Port, Cancel);
        }
    }

    [Fact]
    public async Task latency_delays_each_packet_once_and_keeps_the_order()
    {
        var (client, server) = await ConnectAsync();
        _proxy.Latency = TimeSpan.FromSeconds(10);
        await client.SendAsync("a"u8.ToArray(), Cancel);
        var first = ReadAsync(server, 1);
        await AdvanceUntilAsync(TimeSpan.FromSeconds(1), first, atLeast: TimeSpan.FromSeconds(9));
        Assert.Equal("a", await first);
        _proxy.Heal();
        await client.SendAsync("bc"u8.ToArray(), Cancel);
        Assert.Equal("bc", await ReadAsync(server, 2));
    }

    [Fact]
    public async Task a_narrow_connection_lets_so_many_bytes_through_in_a_second()
    {
        var (client, server) = await ConnectAsync();
        _proxy.BytesPerSecond = 10;
        await client.SendAsync(new byte[200], Cancel);
        var all = ReadAsync(server, 200);
        await AdvanceUntilAsync(TimeSpan.FromSeconds(1), all, atLeast: TimeSpan.FromSeconds(18));
        Assert.Equal(200, (await all).Length);
    }

    [Fact]
    public async Task what_is_sent_into_a_stall_arrives_when_it_is_over()
    {
        var (client, server) = await ConnectAsync();
        _proxy.IsStalled = true;
        await client.SendAsync("late"u8.ToArray(), Cancel);
        var (other, otherServer) = (client, server);
        var read = ReadAsync(server, 4);
        Assert.False(read.IsCompleted);
        _proxy.IsStalled = false;
        Assert.Equal("late", await read.WaitAsync(TimeSpan.FromSeconds(20), Cancel));
        await otherServer.SendAsync("ok"u8.ToArray(), Cancel);
        Assert.Equal("ok", await ReadAsync(other, 2));
    }

    [Fact]
    public async Task who_comes_while_connections_are_refused_is_reset_and_a_cut_taken_back_cuts_nobody()
    {
        var (client, server) = await ConnectAsync();
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        var cut = _proxy.CutOnce(new ProxyCut(ProxyDirection.ToServer, ProxyEnd.Reset), stop.Token);
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => cut);
        _proxy.RefusesConnections = true;
        using var refused = new Socket(SocketType.Stream, ProtocolType.Tcp);
        Assert.IsType<SocketException>(await Record.ExceptionAsync(async () =>
        {
            await refused.ConnectAsync(IPAddress.Loopback, _proxy.Port, Cancel);
            await refused.ReceiveAsync(new byte[1], SocketFlags.None, Cancel);
        }));
        await client.SendAsync("on"u8.ToArray(), Cancel);
        Assert.Equal("on", await ReadAsync(server, 2));
    }

    private async Task<(Socket Client, Socket Server)> ConnectAsync()
    {
        var client = new Socket(SocketType.Stream, ProtocolType.Tcp);
        await client.ConnectAsync(IPAddress.Loopback, _proxy.Port, Cancel);
        return (client, await _listener.AcceptSocketAsync(Cancel).AsTask().WaitAsync(TimeSpan.FromSeconds(20), Cancel));
    }

    /// <summary>So many bytes, or fewer where the end comes first.</summary>
    private static async Task<string> ReadAsync(Socket socket, int count)
    {
        var text = "";
        var buffer = new byte[count];
        while (text.Length < count && await socket.ReceiveAsync(buffer.AsMemory(0, count - text.Length), SocketFlags.None, Cancel).AsTask().WaitAsync(TimeSpan.FromSeconds(20), Cancel) is > 0 and var n)
        {
            text += System.Text.Encoding.Latin1.GetString(buffer, 0, n);
        }

        return text;
    }

    /// <summary>Lets virtual time go by in steps until something is done, which it is not before a time has gone by.</summary>
    private async Task AdvanceUntilAsync(TimeSpan step, Task done, TimeSpan atLeast)
    {
        var began = _time.GetUtcNow();
        await Eventually.Async("the packet has arrived", () =>
        {
            _time.Advance(done.IsCompleted ? TimeSpan.Zero : step);
            return Task.FromResult(done.IsCompleted);
        });
        Assert.True(_time.GetUtcNow() - began >= atLeast, $"It came after {_time.GetUtcNow() - began}.");
    }
}
