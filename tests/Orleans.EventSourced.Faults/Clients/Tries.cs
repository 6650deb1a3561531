using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;

namespace Orleans.EventSourced.Faults.Clients;

/// <summary>How one try of a command ended.</summary>
internal enum TryResult
{
    /// <summary>Accepted, now or before.</summary>
    Accepted,

    /// <summary>Refused for what it is: it is not in the log and will not be by what was sent so far.</summary>
    Refused,

    /// <summary>This try wrote nothing.</summary>
    NotWritten,

    /// <summary>Written or not.</summary>
    Unknown,
}

/// <summary>Sends commands over HTTP, each try once.</summary>
internal sealed class Tries(RunHistory history) : IDisposable
{
    // No connection outlives its process for long, and a try that is not answered is given up before the next one would be of no use to anybody.
    private readonly HttpClient _http = new(new SocketsHttpHandler { PooledConnectionIdleTimeout = TimeSpan.FromSeconds(5), ConnectTimeout = TimeSpan.FromSeconds(2) }) { Timeout = TimeSpan.FromSeconds(15) };

    /// <summary>Whether a request failed because no answer came. A connection that is reset just after it is made comes out of the client as it is.</summary>
    public static bool IsNoAnswer(Exception e) => e is HttpRequestException or SocketException or TaskCanceledException;

    /// <summary>Sends a command to a node, and keeps what it was told in the operation.</summary>
    public async Task<TryResult> PostAsync(Uri node, Operation operation)
    {
        operation.Tries++;
        operation.Code = null;
        history.Invoke(operation);
        var result = await TryAsync(node, operation);
        history.Told(operation, result);
        return result;
    }

    /// <summary>Reads what a node says; null: it gave no answer.</summary>
    public async Task<(HttpStatusCode Status, string Body, long Position)?> GetAsync(Uri node, string path)
    {
        try
        {
            using var answer = await _http.GetAsync(new Uri(node, path));
            var position = answer.Headers.TryGetValues("ES-Position", out var values) ? long.Parse(values.Single(), CultureInfo.InvariantCulture) : 0;
            return (answer.StatusCode, await answer.Content.ReadAsStringAsync(), position);
        }
        catch (Exception e) when (IsNoAnswer(e))
        {
            return null;
        }
    }

    /// <summary>Sends a request that is no operation; null: it got no answer.</summary>
    public async Task<(HttpStatusCode Status, string Body)?> SendAsync(HttpMethod method, Uri node, string path, string? body, params (string Name, string Value)[] headers)
    {
        using var request = new HttpRequestMessage(method, new Uri(node, path));
        request.Content = body is null ? null : new StringContent(body, Encoding.UTF8, "application/json");
        foreach (var (name, value) in headers)
        {
            request.Headers.TryAddWithoutValidation(name, value);
        }

        try
        {
            using var answer = await _http.SendAsync(request);
            return (answer.StatusCode, await answer.Content.ReadAsStringAsync());
        }
        catch (Exception e) when (IsNoAnswer(e))
        {
            return null;
        }
    }

    public void Dispose() => _http.Dispose();

    private async Task<TryResult> TryAsync(Uri node, Operation operation)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(node, operation.Path)) { Content = new StringContent(operation.Body, Encoding.UTF8, "application/json") };
        request.Headers.TryAddWithoutValidation("Idempotency-Key", operation.Key);
        if (operation.IfMatch is { } version)
        {
            request.Headers.IfMatch.Add(new EntityTagHeaderValue(string.Create(CultureInfo.InvariantCulture, $"\"{version}\"")));
        }

        try
        {
            using var answer = await _http.SendAsync(request);
            return Read(operation, answer.StatusCode, await answer.Content.ReadAsStringAsync());
        }
        catch (Exception e) when (IsNoAnswer(e))
        {
            return e.InnerException is SocketException { SocketErrorCode: SocketError.ConnectionRefused } ? TryResult.NotWritten : TryResult.Unknown;
        }
    }

    private TryResult Read(Operation operation, HttpStatusCode status, string body)
    {
        JsonElement json;
        try
        {
            json = JsonElement.Parse(body);
        }
        catch (JsonException)
        {
            // The connection ended in the middle, or what answered is no node of this program.
            return status is HttpStatusCode.BadGateway or HttpStatusCode.OK or HttpStatusCode.Created or HttpStatusCode.ServiceUnavailable ? TryResult.Unknown : Unexpected(operation, status, body);
        }

        operation.Code = json.TryGetProperty("title", out var title) ? title.GetString() : null;
        switch (status)
        {
            case HttpStatusCode.OK or HttpStatusCode.Created:
                (operation.Version, operation.Position) = (json.GetProperty("version").GetInt32(), json.GetProperty("position").GetInt64());
                return TryResult.Accepted;
            case HttpStatusCode.Conflict or HttpStatusCode.PreconditionFailed:
                return TryResult.Refused;
            case HttpStatusCode.ServiceUnavailable when operation.Code is "log-unavailable" or "log-overloaded":
                return TryResult.NotWritten;
            case HttpStatusCode.ServiceUnavailable when operation.Code is "outcome-unknown" or "node-unavailable":
                return TryResult.Unknown;
            default:
                return Unexpected(operation, status, body);
        }
    }

    private TryResult Unexpected(Operation operation, HttpStatusCode status, string body)
    {
        history.Violation($"errors: {operation.Path} {operation.Key} was answered {(int)status}: {body}");
        return TryResult.Unknown;
    }
}
