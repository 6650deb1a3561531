using System.Net.Mime;
using System.Reflection;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Json;
using Microsoft.AspNetCore.Http.Metadata;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Orleans.EventSourced.Commands;

namespace Orleans.EventSourced.AspNetCore;

/// <summary>
/// The body of a command's request, with the context that its headers give: <c>Idempotency-Key</c> names the command, <c>If-Match</c> the version
/// expected, <c>X-Correlation-Id</c> the workflow, <c>X-Reason</c> why. The actor is the authenticated principal. A parameter of this type in an endpoint is bound from the request.
/// </summary>
/// <typeparam name="TBody">The shape of the JSON body.</typeparam>
/// <param name="Body">The body.</param>
/// <param name="Context">What goes with the grain call.</param>
public sealed record CommandRequest<TBody>(TBody Body, CommandContext Context) : IEndpointParameterMetadataProvider
    where TBody : class
{
    /// <summary>The most bytes of a command's body.</summary>
    public const int MaxBodyBytes = 256 * 1024;

    /// <summary>Reads body and headers.</summary>
    /// <exception cref="BadCommandException">Body or header is not what it must be; the answer is 400 with the fault named.</exception>
    public static async ValueTask<CommandRequest<TBody>?> BindAsync(HttpContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        var bytes = await ReadBodyAsync(context.Request);
        var json = context.RequestServices.GetRequiredService<IOptions<JsonOptions>>().Value.SerializerOptions;
        TBody? body;
        try
        {
            body = bytes.Length == 0 ? null : JsonSerializer.Deserialize<TBody>(bytes, json);
        }
        catch (JsonException e)
        {
            throw new BadCommandException(e.Path is null or "$" ? "body" : e.Path.TrimStart('$', '.'), $"Not the JSON expected here (line {e.LineNumber + 1}, byte {e.BytePositionInLine}): {e.Message}", e);
        }

        return new CommandRequest<TBody>(body ?? throw new BadCommandException("body", "A JSON object is needed."), ContextOf(context, bytes));
    }

    /// <inheritdoc/>
    public static void PopulateMetadata(ParameterInfo parameter, EndpointBuilder builder)
    {
        ArgumentNullException.ThrowIfNull(builder);
        builder.Metadata.Add(new AcceptsMetadata([MediaTypeNames.Application.Json], typeof(TBody)));
    }

    /// <summary>One key used for two requests is told by their bodies.</summary>
    private static CommandContext ContextOf(HttpContext http, byte[] body)
    {
        var context = CommandHeaders.ContextOf(http);
        return context with { RequestHash = context.IsNamed ? Hash(http.Request, body) : null, ExpectedVersion = IfMatch(http) };
    }

    private static string Hash(HttpRequest request, byte[] body)
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

    private static async Task<byte[]> ReadBodyAsync(HttpRequest request)
    {
        if (request.ContentLength > MaxBodyBytes)
        {
            throw new BadCommandException("body", $"It has {request.ContentLength} bytes; allowed are {MaxBodyBytes}.");
        }

        using var buffer = new MemoryStream((int)(request.ContentLength ?? 1024));
        var chunk = new byte[8192];
        for (int read; (read = await request.Body.ReadAsync(chunk, request.HttpContext.RequestAborted)) > 0;)
        {
            if (buffer.Length + read > MaxBodyBytes)
            {
                throw new BadCommandException("body", $"It has more than {MaxBodyBytes} bytes.");
            }

            buffer.Write(chunk, 0, read);
        }

        return buffer.ToArray();
    }

    private sealed class AcceptsMetadata(string[] contentTypes, Type type) : IAcceptsMetadata
    {
        public IReadOnlyList<string> ContentTypes => contentTypes;

        public Type? RequestType => type;

        public bool IsOptional => false;
    }
}

/// <summary>A request that is not what its endpoint takes. The answer is 400 with the fault named.</summary>
public sealed class BadCommandException : Exception
{
    /// <param name="field">The header, or the path of the member in the body.</param>
    /// <param name="fault">What is wrong with it.</param>
    /// <param name="inner">The cause.</param>
    public BadCommandException(string field, string fault, Exception? inner = null)
        : base($"{field}: {fault}", inner)
    {
        Field = field;
        Fault = fault;
    }

    /// <summary>The header, or the path of the member in the body.</summary>
    public string Field { get; }

    /// <summary>What is wrong with it.</summary>
    public string Fault { get; }
}
