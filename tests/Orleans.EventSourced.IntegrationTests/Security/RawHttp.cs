using System.Globalization;
using System.Net.Sockets;
using System.Text;

namespace Orleans.EventSourced.IntegrationTests.Security;

/// <summary>A request as it goes over the wire: nothing of it is checked or escaped.</summary>
public sealed record RawRequest(string Method, string Target, IReadOnlyList<(string Name, string Value)> Headers, byte[] Body)
{
    public byte[] ToBytes()
    {
        var head = new StringBuilder($"{Method} {Target} HTTP/1.1\r\nHost: localhost\r\n");
        foreach (var (name, value) in Headers)
        {
            head.Append(CultureInfo.InvariantCulture, $"{name}: {value}\r\n");
        }

        head.Append(CultureInfo.InvariantCulture, $"Content-Length: {Body.Length}\r\n\r\n");
        return [.. Encoding.Latin1.GetBytes(head.ToString()), .. Body];
    }

    public override string ToString()
    {
        var text = Encoding.Latin1.GetString(ToBytes());
        return text.Length <= 2_000 ? text : $"{text[..1_500]} ... {text[^400..]} ({text.Length} bytes)";
    }
}

/// <summary>What came back; of a feed, only its head.</summary>
public sealed record RawAnswer(int Status, IReadOnlyDictionary<string, string> Headers, string Body)
{
    public string ContentType => Headers.GetValueOrDefault("content-type", "");

    public bool IsFeed => ContentType.StartsWith("text/event-stream", StringComparison.Ordinal);
}

/// <summary>A connection over which requests go that no decent client would send.</summary>
public sealed class RawHttp(Uri server) : IDisposable
{
    private TcpClient? _connection;
    private byte[] _buffer = new byte[64 * 1024];
    private bool _wasKept;
    private int _start;
    private int _end;

    /// <exception cref="IOException">The connection, a new one, ended before an answer came.</exception>
    public async Task<RawAnswer> SendAsync(RawRequest request, CancellationToken cancellationToken)
    {
        try
        {
            return await SendOnceAsync(request, cancellationToken);
        }
        catch (IOException) when (_wasKept)
        {
            // A server may close a connection that it kept, after a request whose body it did not want to read.
            return await SendOnceAsync(request, cancellationToken);
        }
    }

    public void Dispose() => Close();

    private async Task<RawAnswer> SendOnceAsync(RawRequest request, CancellationToken cancellationToken)
    {
        _wasKept = _connection is not null;
        try
        {
            if (_connection is null)
            {
                (_start, _end) = (0, 0);
                _connection = new TcpClient { NoDelay = true };
                await _connection.ConnectAsync(server.Host, server.Port, cancellationToken);
            }

            var stream = _connection.GetStream();
            try
            {
                await stream.WriteAsync(request.ToBytes(), cancellationToken);
            }
            catch (IOException)
            {
                // It may have been refused before all of it was sent: then an answer is there to be read.
            }

            var answer = await ReadAsync(stream, cancellationToken);
            if (answer.IsFeed || answer.Headers.GetValueOrDefault("connection", "").Equals("close", StringComparison.OrdinalIgnoreCase))
            {
                Close();
            }

            return answer;
        }
        catch
        {
            Close();
            throw;
        }
    }

    private async Task<RawAnswer> ReadAsync(NetworkStream stream, CancellationToken cancellationToken)
    {
        var status = int.Parse((await LineAsync(stream, cancellationToken)).Split(' ')[1], CultureInfo.InvariantCulture);
        var headers = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
        for (string line; (line = await LineAsync(stream, cancellationToken)).Length > 0;)
        {
            var colon = line.IndexOf(':', StringComparison.Ordinal);
            headers[line[..colon]] = line[(colon + 1)..].Trim();
        }

        if (status is 100)
        {
            return await ReadAsync(stream, cancellationToken);
        }

        var answer = new RawAnswer(status, headers, "");
        return answer.IsFeed || status is 204 or 304 ? answer
            : headers.TryGetValue("content-length", out var length) ? answer with { Body = await BytesAsync(stream, int.Parse(length, CultureInfo.InvariantCulture), cancellationToken) }
            : answer with { Body = await ChunksAsync(stream, cancellationToken) };
    }

    private async Task<string> ChunksAsync(NetworkStream stream, CancellationToken cancellationToken)
    {
        var body = new StringBuilder();
        for (int size; (size = int.Parse(await LineAsync(stream, cancellationToken), NumberStyles.HexNumber, CultureInfo.InvariantCulture)) > 0; await LineAsync(stream, cancellationToken))
        {
            body.Append(await BytesAsync(stream, size, cancellationToken));
        }

        await LineAsync(stream, cancellationToken);
        return body.ToString();
    }

    private async Task<string> LineAsync(NetworkStream stream, CancellationToken cancellationToken)
    {
        int length;
        while ((length = _buffer.AsSpan(_start, _end - _start).IndexOf("\r\n"u8)) < 0)
        {
            await FillAsync(stream, cancellationToken);
        }

        var line = Encoding.Latin1.GetString(_buffer, _start, length);
        _start += length + 2;
        return line;
    }

    private async Task<string> BytesAsync(NetworkStream stream, int count, CancellationToken cancellationToken)
    {
        while (_end - _start < count)
        {
            await FillAsync(stream, cancellationToken);
        }

        _start += count;
        return Encoding.UTF8.GetString(_buffer, _start - count, count);
    }

    private async Task FillAsync(NetworkStream stream, CancellationToken cancellationToken)
    {
        if (_start > 0)
        {
            _buffer.AsSpan(_start, _end - _start).CopyTo(_buffer);
            (_start, _end) = (0, _end - _start);
        }

        if (_end == _buffer.Length)
        {
            Array.Resize(ref _buffer, _buffer.Length * 2);
        }

        var read = await stream.ReadAsync(_buffer.AsMemory(_end), cancellationToken);
        _end += read > 0 ? read : throw new IOException("The connection ended.");
    }

    private void Close()
    {
        _connection?.Dispose();
        _connection = null;
    }
}
