using System.Net;
using Microsoft.AspNetCore.Http;

namespace Orleans.EventSourced.AspNetCore;

/// <summary>
/// Whether a request comes from this machine, by its own will: over the loopback interface, not handed on by a proxy that shows it, and not from a page of another site, neither by its origin nor by a name that was made to lead here (DNS rebinding).
/// </summary>
internal static class LocalCaller
{
    private const string Open = "To answer others, add authentication and the policies that say who may do what.";

    /// <summary>What proxies add by habit, and what the middleware that believes them keeps of it.</summary>
    private static readonly string[] HandedOn = ["X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Original-For", "X-Real-IP", "Forwarded", "Via"];

    /// <summary>Why it is not, for people; null: it is.</summary>
    public static string? FaultOf(HttpContext http)
    {
        var request = http.Request;
        if (http.Connection.RemoteIpAddress is not { } address || !IPAddress.IsLoopback(address))
        {
            return $"Without authorization policies only callers on this machine are answered, and this one comes from {http.Connection.RemoteIpAddress?.ToString() ?? "nobody knows where"}. {Open}";
        }

        // Browsers and clients of today do not speak HTTP/1.0; proxies do to what is behind them, unless told otherwise.
        if (HttpProtocol.IsHttp10(request.Protocol) || HandedOn.Any(request.Headers.ContainsKey))
        {
            return $"Without authorization policies only callers on this machine are answered, and this request was handed on by a proxy. {Open}";
        }

        if (!IsLocal(request.Host.Host))
        {
            return $"Without authorization policies this program answers to localhost and loopback addresses only, not to the name that this request asks for. {Open}";
        }

        return request.Headers.Origin.ToString() is { Length: > 0 } origin && !(Uri.TryCreate(origin, UriKind.Absolute, out var site) && IsLocal(site.Host))
            ? $"Without authorization policies pages of other sites are not answered. {Open}"
            : null;
    }

    private static bool IsLocal(string host) =>
        host.Equals("localhost", StringComparison.OrdinalIgnoreCase) || host.EndsWith(".localhost", StringComparison.OrdinalIgnoreCase) || (IPAddress.TryParse(host.Trim('[', ']'), out var address) && IPAddress.IsLoopback(address));
}
