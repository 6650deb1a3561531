using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Orleans.EventSourced.Commands;
using Orleans.EventSourced.Core.Events;

namespace Orleans.EventSourced.AspNetCore;

/// <summary>
/// What the headers of a request say of its command: <c>Idempotency-Key</c> names it, <c>If-Match</c> the version expected, <c>X-Correlation-Id</c> the workflow, <c>X-Reason</c> why. The actor is the
/// authenticated principal, whatever a header says.
/// </summary>
internal static class CommandHeaders
{
    private const int MaxLength = 256;

    /// <summary>What goes with the grain call.</summary>
    /// <param name="http">The request.</param>
    /// <param name="body">Its body, which tells a key that is used again for another request; empty: what is called does.</param>
    /// <exception cref="BadCommandException">A header is not what it must be.</exception>
    public static CommandContext ContextOf(HttpContext http, ReadOnlySpan<byte> body)
    {
        var key = Header(http, "Idempotency-Key");
        var time = http.RequestServices.GetService<TimeProvider>() ?? TimeProvider.System;
        return new CommandContext((key is null ? CommandId.New(time) : CommandId.FromText(key)).Value)
        {
            IsNamed = key is not null,
            Correlation = Header(http, "X-Correlation-Id"),
            Reason = Header(http, "X-Reason"),
            Actor = ApiAccess.ActorOf(http),
            Origin = "http",
            RequestHash = key is null || body.IsEmpty ? null : Hash(http.Request, body),
            ExpectedVersion = IfMatch(http),
        };
    }

    private static string Hash(HttpRequest request, ReadOnlySpan<byte> body)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(Encoding.UTF8.GetBytes($"{request.Method} {request.PathBase}{request.Path}\n"));
        hash.AppendData(body);
        return Convert.ToHexStringLower(hash.GetHashAndReset().AsSpan(0, 16));
    }

    private static int? IfMatch(HttpContext http)
    {
        var text = http.Request.Headers.IfMatch.ToString();
        if (text.Length == 0 || text == "*")
        {
            return null;
        }

        return text.Length > 2 && text[0] == '"' && text[^1] == '"' && int.TryParse(text.AsSpan(1, text.Length - 2), System.Globalization.NumberStyles.None, null, out var version)
            ? version
            : throw new BadCommandException("If-Match", "It is a version in quotation marks, as the ETag of an answer gives it: \"3\".");
    }

    private static string? Header(HttpContext http, string name)
    {
        var value = http.Request.Headers[name].ToString();
        if (value.Length == 0)
        {
            return null;
        }

        return value.Length <= MaxLength && !value.Any(char.IsControl)
            ? value
            : throw new BadCommandException(name, $"It has at most {MaxLength} characters, none of them a control character.");
    }
}
