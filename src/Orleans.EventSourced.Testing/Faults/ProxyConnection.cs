using System.Net.Sockets;
using System.Threading.Channels;

namespace Orleans.EventSourced.Testing.Faults;

/// <summary>The two sockets of one connection through a <see cref="FaultProxy"/>.</summary>
internal sealed class ProxyConnection : IDisposable
{
    // Of each direction the last bytes, so that a pattern is found that two packets share.
    private readonly byte[][] _last = [[], []];
    private volatile bool _isSilent;
    private volatile bool _repliesAreLost;

    public ProxyConnection(Socket client)
    {
        (Client, Server) = (client, new Socket(SocketType.Stream, ProtocolType.Tcp));
        Client.NoDelay = Server.NoDelay = true;
    }

    public Socket Client { get; }

    public Socket Server { get; }

    /// <summary>Nothing passes any more; what comes is read and forgotten.</summary>
    public bool IsSilent
    {
        get => _isSilent;
        set => _isSilent = value;
    }

    /// <summary>What the server says is read and forgotten.</summary>
    public bool RepliesAreLost
    {
        get => _repliesAreLost;
        set => _repliesAreLost = value;
    }

    /// <summary>The packet, behind the last bytes that came before it.</summary>
    public ReadOnlySpan<byte> Join(ProxyDirection direction, ReadOnlySpan<byte> packet)
    {
        byte[] joined = [.. _last[(int)direction], .. packet];
        _last[(int)direction] = joined[Math.Max(0, joined.Length - ProxyCut.MaxPattern + 1)..];
        return joined;
    }

    public void Reset()
    {
        IsSilent = true;
        foreach (var socket in (Socket[])[Client, Server])
        {
            try
            {
                // A linger time of 0 makes of the close a reset.
                socket.LingerState = new LingerOption(true, 0);
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException)
            {
                // It is closed already.
            }

            socket.Close(0);
        }
    }

    public void HalfClose()
    {
        IsSilent = true;
        foreach (var socket in (Socket[])[Client, Server])
        {
            try
            {
                socket.Shutdown(SocketShutdown.Send);
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException)
            {
                // It is closed already.
            }
        }
    }

    public void Dispose()
    {
        Client.Dispose();
        Server.Dispose();
    }
}

/// <summary>The packets of one direction that are on their way, at most 64.</summary>
internal sealed class ProxyPackets(TimeProvider time)
{
    private const int MaxOnTheWay = 64;

    private readonly Channel<(long CameAt, ReadOnlyMemory<byte> Bytes, FaultProxy.PendingCut? Cut)> _packets =
        Channel.CreateBounded<(long CameAt, ReadOnlyMemory<byte> Bytes, FaultProxy.PendingCut? Cut)>(new BoundedChannelOptions(MaxOnTheWay) { SingleReader = true, SingleWriter = true });

    private volatile bool _isAbandoned;

    public async ValueTask AddAsync(ReadOnlyMemory<byte> bytes, FaultProxy.PendingCut? cut)
    {
        try
        {
            await _packets.Writer.WriteAsync((time.GetTimestamp(), bytes, cut)).ConfigureAwait(false);
        }
        catch (ChannelClosedException) when (_isAbandoned)
        {
            // The end that these were for is gone, and so is a cut of what no longer is.
            cut?.Done.TrySetResult();
        }
    }

    public void Complete() => _packets.Writer.TryComplete();

    /// <summary>Nobody takes what is still there.</summary>
    public void Abandon()
    {
        _isAbandoned = true;
        _packets.Writer.TryComplete();
        while (_packets.Reader.TryRead(out var packet))
        {
            packet.Cut?.Done.TrySetResult();
        }
    }

    public IAsyncEnumerable<(long CameAt, ReadOnlyMemory<byte> Bytes, FaultProxy.PendingCut? Cut)> ReadAllAsync() => _packets.Reader.ReadAllAsync();
}
