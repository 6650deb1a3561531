using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Orleans.EventSourced.Commands;
using Orleans.EventSourced.Core.Events;

namespace Orleans.EventSourced.AspNetCore;

/// <summary>
/// What the headers of a request say of its command: <c>Idempotency-Key</c> names it, <c>X-Correlation-Id</c> the workflow, <c>X-Reason</c> why. The actor is the authenticated principal,
/// whatever a header says.
/// </summary>
internal static class CommandHeaders
{
    private const int MaxLength = 256;

    /// <summary>The context of a grain call, without what only commands on entities have.</summary>
    /// <exception cref="BadCommandException">A header is not what it must be.</exception>
    public static CommandContext ContextOf(HttpContext http)
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
        };
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
