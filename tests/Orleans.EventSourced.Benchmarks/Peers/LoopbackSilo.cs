using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Orleans.EventSourced.IntegrationTests.Servers;

namespace Orleans.EventSourced.Benchmarks.Peers;

/// <summary>A silo of its own in this process, on loopback ports that are free, without logs.</summary>
internal static class LoopbackSilo
{
    public static async Task<IHost> StartAsync(Action<ISiloBuilder> configure)
    {
        var builder = Microsoft.Extensions.Hosting.Host.CreateEmptyApplicationBuilder(null);
        builder.Logging.SetMinimumLevel(LogLevel.None);
        builder.UseOrleans(silo =>
        {
            silo.UseLocalhostClustering(LoopbackPort.Free(), LoopbackPort.Free());
            configure(silo);
        });
        var host = builder.Build();
        await host.StartAsync();
        return host;
    }
}
