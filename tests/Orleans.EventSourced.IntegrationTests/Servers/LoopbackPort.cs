using System.Net;
using System.Net.Sockets;

namespace Orleans.EventSourced.IntegrationTests.Servers;

/// <summary>A port of the loopback address that is free now.</summary>
public static class LoopbackPort
{
    public static int Free()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
