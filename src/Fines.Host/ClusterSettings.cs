using System.Net;
using System.Net.Sockets;
using Orleans.EventSourced.Core.Projections;

namespace Fines.Host;

/// <summary>The node's place in its cluster, from the section <c>Orleans</c> of the configuration, and what all nodes of a cluster have in common.</summary>
internal sealed record ClusterSettings(string ClusterId, string ServiceId, IPAddress AdvertisedAddress, int SiloPort, int GatewayPort)
{
    private const int DefaultSiloPort = 11_111;
    private const int DefaultGatewayPort = 30_000;

    /// <summary>Into how many shares the rows of each view are divided, which as many runners on all nodes keep; 1 to <see cref="Slice.MaxCount"/>.</summary>
    public int ViewSlices { get; init; } = 1;

    /// <summary>Whether the view of the traces is kept, which has a row for each event.</summary>
    public bool KeepsTraces { get; init; } = true;

    /// <summary>In a container other nodes come from outside; on the loopback address nobody does.</summary>
    public bool ListenOnAnyAddress => !IPAddress.IsLoopback(AdvertisedAddress);

    public static ClusterSettings From(IConfiguration configuration)
    {
        var section = configuration.GetSection("Orleans");
        return new ClusterSettings(
            section["ClusterId"] ?? "fines",
            section["ServiceId"] ?? "fines",
            Address(section["AdvertisedIP"]),
            section.GetValue("SiloPort", DefaultSiloPort),
            section.GetValue("GatewayPort", DefaultGatewayPort))
        {
            ViewSlices = Slices(configuration.GetValue("Fines:ViewSlices", 1)),
            KeepsTraces = configuration.GetValue("Fines:KeepsTraces", true),
        };
    }

    /// <summary>The same, on ports that are free now: for a verb that joins for the time of its work.</summary>
    public ClusterSettings OnFreePorts() => this with { SiloPort = FreePort(), GatewayPort = FreePort() };

    /// <summary>Listens at the silo's port until it is disposed, so that no other process does.</summary>
    /// <exception cref="IOException">Another process listens there, or nobody may.</exception>
    public IDisposable HoldSiloPort()
    {
        var listener = new TcpListener(ListenOnAnyAddress ? IPAddress.Any : AdvertisedAddress, SiloPort);
        try
        {
            listener.Start();
            return listener;
        }
        catch (SocketException e)
        {
            listener.Dispose();
            throw new IOException($"The silo cannot listen at {listener.LocalEndpoint} (Orleans:SiloPort): {e.Message}. Does another node run there?", e);
        }
    }

    private static int Slices(int count) =>
        count is >= 1 and <= Slice.MaxCount ? count : throw new InvalidOperationException($"Fines:ViewSlices is {count}; allowed are 1 to {Slice.MaxCount}.");

    private static IPAddress Address(string? text)
    {
        if (string.IsNullOrWhiteSpace(text))
        {
            return IPAddress.Loopback;
        }

        return IPAddress.TryParse(text, out var address)
            ? address
            : Dns.GetHostAddresses(text, AddressFamily.InterNetwork).FirstOrDefault() ?? throw new InvalidOperationException($"Orleans:AdvertisedIP is '{text}', which is no address and no known host.");
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
