using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;

namespace Orleans.EventSourced.Testing.Faults;

/// <summary>
/// A TCP proxy on loopback in front of a server, which is the network between it and its clients: slow, narrow, cut or silent where a test wants it. It works on whatever protocol.
/// Thread-safe; changes of <see cref="Latency"/>, <see cref="BytesPerSecond"/> and <see cref="IsStalled"/> hold for open connections too.
/// </summary>
/// <example>
/// A reply that is lost behind the commit, so that the client cannot know:
/// <code>
/// await using var proxy = new FaultProxy("127.0.0.1", 5432);
/// var cut = proxy.CutOnce(new ProxyCut(ProxyDirection.ToClient, ProxyEnd.Reset, "CALL\0"u8.ToArray()));
/// </code>
/// </example>
public sealed class FaultProxy : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly string _host;
    private readonly int _port;
    private readonly TimeProvider _time;
    private readonly ConcurrentDictionary<ProxyConnection, Task> _connections = new();
    private readonly LinkedList<PendingCut> _cuts = [];
    private readonly CancellationTokenSource _ending = new();
    private readonly Task _accepting;
    private TaskCompletionSource? _stalled;
    private long _latencyTicks;
    private long _bytesPerSecond;
    private int _resets;
    private volatile bool _refuses;

    /// <param name="host">The server's name or address.</param>
    /// <param name="port">Its TCP port.</param>
    /// <param name="time">What latency and bandwidth are measured by; null: the system's.</param>
    public FaultProxy(string host, int port, TimeProvider? time = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(host);
        (_host, _port, _time) = (host, port, time ?? TimeProvider.System);
        _listener.Start();
        Port = ((IPEndPoint)_listener.LocalEndpoint).Port;
        _accepting = AcceptAsync();
    }

    /// <summary>The TCP port on 127.0.0.1 that clients connect to.</summary>
    public int Port { get; }

    /// <summary>The connections that are open now, those in a black hole among them.</summary>
    public int Connections => _connections.Count;

    /// <summary>The connections that the proxy has reset so far.</summary>
    public int Resets => Volatile.Read(ref _resets);

    /// <summary>How much later than it came each packet is passed on, each way; 0 to 1 min, default 0. Order is kept, and packets on their way do not wait for each other.</summary>
    public TimeSpan Latency
    {
        get => new(Interlocked.Read(ref _latencyTicks));
        set
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(value, TimeSpan.Zero);
            ArgumentOutOfRangeException.ThrowIfGreaterThan(value, TimeSpan.FromMinutes(1));
            Interlocked.Exchange(ref _latencyTicks, value.Ticks);
        }
    }

    /// <summary>How many bytes pass in a second, each way and in each connection; 0, the default: no limit.</summary>
    public long BytesPerSecond
    {
        get => Interlocked.Read(ref _bytesPerSecond);
        set
        {
            ArgumentOutOfRangeException.ThrowIfNegative(value);
            Interlocked.Exchange(ref _bytesPerSecond, value);
        }
    }

    /// <summary>Whether nothing passes for now, in any connection and both ways. What comes meanwhile arrives when this is false again, as after a partition that TCP outlives.</summary>
    public bool IsStalled
    {
        get => Volatile.Read(ref _stalled) is not null;
        set
        {
            if (value)
            {
                Interlocked.CompareExchange(ref _stalled, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously), null);
            }
            else
            {
                Interlocked.Exchange(ref _stalled, null)?.SetResult();
            }
        }
    }

    /// <summary>Whether new connections are reset as soon as they are made; open ones go on.</summary>
    public bool RefusesConnections
    {
        get => _refuses;
        set => _refuses = value;
    }

    /// <summary>Cuts the one connection in which the bytes come by next. Several cuts wait beside each other.</summary>
    /// <param name="cut">Where, and how.</param>
    /// <param name="cancellationToken">Takes the cut back while it has not happened.</param>
    /// <returns>Done when the connection has been cut; cancelled when that was taken back, by <see cref="Heal"/> too, or the proxy was disposed of.</returns>
    public Task CutOnce(ProxyCut cut, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(cut);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(cut.Pattern.Length, ProxyCut.MaxPattern);
        var pending = new PendingCut(cut);
        lock (_cuts)
        {
            _cuts.AddLast(pending);
        }

        if (cancellationToken.CanBeCanceled)
        {
            var registration = cancellationToken.Register(() => TakeBack(pending, cancellationToken));
            _ = pending.Done.Task.ContinueWith(_ => registration.Unregister(), CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        }

        return pending.Done.Task;
    }

    /// <summary>Ends every open connection so.</summary>
    /// <returns>How many there were.</returns>
    public int CutAll(ProxyEnd end)
    {
        var open = _connections.Keys.ToList();
        open.ForEach(connection => Cut(connection, end));
        return open.Count;
    }

    /// <summary>Makes the network whole again: no latency, limit, stall or refusal, no cut that still waits; connections in a black hole are reset, all others go on.</summary>
    public void Heal()
    {
        (Latency, BytesPerSecond, RefusesConnections, IsStalled) = (TimeSpan.Zero, 0, false, false);
        TakeBackAll();
        foreach (var connection in _connections.Keys.Where(c => c.IsSilent))
        {
            Cut(connection, ProxyEnd.Reset);
        }
    }

    /// <summary>Takes no more connections and resets those there are.</summary>
    public async ValueTask DisposeAsync()
    {
        _listener.Dispose();
        await _accepting.ConfigureAwait(false);
        await _ending.CancelAsync().ConfigureAwait(false);
        Heal();
        CutAll(ProxyEnd.Reset);
        await Task.WhenAll(_connections.Values).ConfigureAwait(false);
        _ending.Dispose();
    }

    private async Task AcceptAsync()
    {
        while (true)
        {
            Socket client;
            try
            {
                client = await _listener.AcceptSocketAsync().ConfigureAwait(false);
            }
            catch (Exception e) when (e is SocketException or InvalidOperationException)
            {
                // The listener was closed, while this waited for a connection or between two of them.
                return;
            }

            var connection = new ProxyConnection(client);
            if (_refuses)
            {
                connection.Reset();
                continue;
            }

            _connections[connection] = Task.CompletedTask;
            _connections.TryUpdate(connection, RelayAsync(connection), Task.CompletedTask);
        }
    }

    private async Task RelayAsync(ProxyConnection connection)
    {
        try
        {
            await connection.Server.ConnectAsync(_host, _port).ConfigureAwait(false);
            await Task.WhenAll(PumpAsync(connection, ProxyDirection.ToServer), PumpAsync(connection, ProxyDirection.ToClient)).ConfigureAwait(false);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // The server takes no connections, or this one was cut already: the client learns it by the end of its own.
        }

        _connections.TryRemove(connection, out _);
        connection.Dispose();
    }

    private Task PumpAsync(ProxyConnection connection, ProxyDirection direction)
    {
        var packets = new ProxyPackets(_time);
        return Task.WhenAll(ReadAsync(connection, direction, packets), WriteAsync(connection, direction, packets));
    }

    private async Task ReadAsync(ProxyConnection connection, ProxyDirection direction, ProxyPackets packets)
    {
        var from = direction == ProxyDirection.ToServer ? connection.Client : connection.Server;
        var buffer = new byte[32 * 1024];
        try
        {
            while (await from.ReceiveAsync(buffer).ConfigureAwait(false) is > 0 and var count)
            {
                if (connection.IsSilent || (direction == ProxyDirection.ToClient && connection.RepliesAreLost))
                {
                    continue;
                }

                var cut = TakeCut(connection, direction, buffer.AsSpan(0, count));
                if (cut is { What.IsPassedOn: false })
                {
                    // What came before it is on its way, and arrives before the end does.
                    connection.RepliesAreLost |= direction == ProxyDirection.ToServer;
                    await packets.AddAsync(default, cut).ConfigureAwait(false);
                    continue;
                }

                // Said before the request goes out: a fast server's reply would otherwise be through before the cut.
                connection.RepliesAreLost |= cut is not null && direction == ProxyDirection.ToServer;
                await packets.AddAsync(buffer.AsSpan(0, count).ToArray(), cut).ConfigureAwait(false);
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // This end is gone; the other one is told below.
        }

        packets.Complete();
    }

    private async Task WriteAsync(ProxyConnection connection, ProxyDirection direction, ProxyPackets packets)
    {
        var to = direction == ProxyDirection.ToServer ? connection.Server : connection.Client;
        try
        {
            await foreach (var (cameAt, bytes, cut) in packets.ReadAllAsync().ConfigureAwait(false))
            {
                await DelayAsync(cameAt, bytes.Length).ConfigureAwait(false);
                for (var sent = 0; sent < bytes.Length && !connection.IsSilent;)
                {
                    sent += await to.SendAsync(bytes[sent..]).ConfigureAwait(false);
                }

                if (cut is not null)
                {
                    Cut(connection, cut.What.End);
                    cut.Done.TrySetResult();
                }
            }

            if (!connection.IsSilent)
            {
                to.Shutdown(SocketShutdown.Send);
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException or OperationCanceledException)
        {
            // One end is gone, or the proxy ends: the reader of the other direction must not wait for ever for what nobody takes.
            connection.Dispose();
            packets.Abandon();
        }
    }

    private async Task DelayAsync(long cameAt, int bytes)
    {
        while (Volatile.Read(ref _stalled) is { } stalled)
        {
            await stalled.Task.ConfigureAwait(false);
        }

        var wait = Latency - _time.GetElapsedTime(cameAt);
        if (BytesPerSecond is > 0 and var rate)
        {
            wait = TimeSpan.FromSeconds((double)bytes / rate) + (wait > TimeSpan.Zero ? wait : TimeSpan.Zero);
        }

        if (wait > TimeSpan.Zero)
        {
            await Task.Delay(wait, _time, _ending.Token).ConfigureAwait(false);
        }
    }

    private PendingCut? TakeCut(ProxyConnection connection, ProxyDirection direction, ReadOnlySpan<byte> packet)
    {
        var seen = connection.Join(direction, packet);
        var before = seen.Length - packet.Length;
        lock (_cuts)
        {
            for (var node = _cuts.First; node is not null; node = node.Next)
            {
                var cut = node.Value.What;
                var pattern = cut.Pattern.Span;

                // Its last byte is in this packet: what was over before the cut was asked for is not meant.
                if (cut.Direction == direction && (pattern.IsEmpty || seen[Math.Max(0, before - pattern.Length + 1)..].IndexOf(pattern) >= 0))
                {
                    _cuts.Remove(node);
                    return node.Value;
                }
            }
        }

        return null;
    }

    private void TakeBackAll()
    {
        List<PendingCut> waiting;
        lock (_cuts)
        {
            waiting = [.. _cuts];
            _cuts.Clear();
        }

        waiting.ForEach(pending => pending.Done.TrySetCanceled());
    }

    private void TakeBack(PendingCut pending, CancellationToken cancellationToken)
    {
        lock (_cuts)
        {
            if (!_cuts.Remove(pending))
            {
                return;
            }
        }

        pending.Done.TrySetCanceled(cancellationToken);
    }

    private void Cut(ProxyConnection connection, ProxyEnd end)
    {
        switch (end)
        {
            case ProxyEnd.Reset:
                Interlocked.Increment(ref _resets);
                connection.Reset();
                break;
            case ProxyEnd.HalfClose:
                connection.HalfClose();
                break;
            case ProxyEnd.BlackHole:
                connection.IsSilent = true;
                break;
            default:
                throw new InvalidOperationException($"There is no end '{end}'.");
        }
    }

    internal sealed record PendingCut(ProxyCut What)
    {
        public TaskCompletionSource Done { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
