using System.Net.Http.Headers;
using Fines.Host;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Logging;
using Orleans.EventSourced.IntegrationTests.Grains;
using Orleans.EventSourced.IntegrationTests.Servers;

namespace Orleans.EventSourced.IntegrationTests.Security;

/// <summary>The real node on SQLite, in the process of the test, so that its endpoints can be listed; over real HTTP.</summary>
public sealed class InProcessNode : IAsyncDisposable
{
    public const string Reader = "reader-0123456789abcdef";
    public const string Clerk = "clerk-0123456789abcdef";
    public const string Operator = "operator-0123456789abcdef";
    public const string Anna = "anna-0123456789abcdef";

    private readonly TestFolder _folder = new();
    private WebApplication _app = null!;

    private InProcessNode()
    {
    }

    public ErrorLog Errors { get; } = new();

    public Uri Address { get; private set; } = null!;

    /// <summary>Method and pattern of each endpoint, as <c>GET /fines/{id}</c>.</summary>
    public IReadOnlyList<string> Endpoints => [.. ((IEndpointRouteBuilder)_app).DataSources.SelectMany(s => s.Endpoints).OfType<RouteEndpoint>()
        .SelectMany(e => (e.Metadata.GetMetadata<HttpMethodMetadata>()?.HttpMethods ?? ["GET"]).Select(m => $"{m} /{e.RoutePattern.RawText!.TrimStart('/').TrimEnd('/')}"))];

    /// <summary>Starts it in Production with four principals, or in Development without any.</summary>
    public static async Task<InProcessNode> StartAsync(bool isDevelopment = false, params string[] settings)
    {
        var node = new InProcessNode();
        string[] tokens =
        [
            $"--Fines:Tokens:rita:Secret={Reader}", "--Fines:Tokens:rita:Roles=read",
            $"--Fines:Tokens:carl:Secret={Clerk}", "--Fines:Tokens:carl:Roles=write",
            $"--Fines:Tokens:olga:Secret={Operator}", "--Fines:Tokens:olga:Roles=operate",
            $"--Fines:Tokens:anna:Secret={Anna}", "--Fines:Tokens:anna:Roles=read, write, operate",
        ];
        node._app = await Node.StartAsync(
            [
                $"--environment={(isDevelopment ? "Development" : "Production")}", "--urls=http://127.0.0.1:0", $"--ConnectionStrings:eventlog=Data Source={node._folder.Database}", "--Fines:AddsPenalties=false",
                $"--Orleans:SiloPort={LoopbackPort.Free()}", $"--Orleans:GatewayPort={LoopbackPort.Free()}", .. isDevelopment ? [] : tokens, .. settings,
            ],
            _ => { },
            builder => builder.Logging.ClearProviders().AddProvider(node.Errors));
        node.Address = new Uri(node._app.Urls.Single());
        return node;
    }

    public HttpClient Client(string? token = null)
    {
        var client = new HttpClient { BaseAddress = Address, Timeout = TimeSpan.FromSeconds(40) };
        client.DefaultRequestHeaders.Authorization = token is null ? null : new AuthenticationHeaderValue("Bearer", token);
        return client;
    }

    public async ValueTask DisposeAsync()
    {
        await _app.StopAsync();
        await _app.DisposeAsync();
        _folder.Dispose();
    }
}
