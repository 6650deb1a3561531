using System.Text.Json;
using Orleans.EventSourced.Core.Log;

namespace Orleans.EventSourced.Core.History;

/// <summary>
/// Where a log stood at some time, kept away from it. Whoever can write the tables can write them so that they fit each other; that they fit what was noted elsewhere he cannot bring about.
/// </summary>
/// <param name="LogId">The log's identity.</param>
/// <param name="Position">The position of its last event.</param>
/// <param name="Link">The link of its last commit, in hexadecimal.</param>
/// <param name="RecordedAt">The time of that commit.</param>
public sealed record LogAnchor(Guid LogId, long Position, string Link, DateTimeOffset RecordedAt)
{
    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web) { WriteIndented = true, RespectNullableAnnotations = true, RespectRequiredConstructorParameters = true };

    /// <summary>An anchor at a log's head; null: it has no commit yet.</summary>
    public static LogAnchor? Of(LogHead head)
    {
        ArgumentNullException.ThrowIfNull(head);
        return head.RecordedAt is { } at ? new LogAnchor(head.LogId, head.Position.Value, Convert.ToHexStringLower(head.Link.Span), at) : null;
    }

    /// <summary>Reads an anchor that was written by <see cref="WriteAsync"/>.</summary>
    /// <exception cref="InvalidDataException">The file holds none.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public static async Task<LogAnchor> ReadAsync(string path, CancellationToken cancellationToken)
    {
        try
        {
            return JsonSerializer.Deserialize<LogAnchor>(await File.ReadAllBytesAsync(path, cancellationToken).ConfigureAwait(false), Json)
                ?? throw new InvalidDataException($"'{path}' is no anchor: it holds null.");
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"'{path}' is no anchor: {e.Message}", e);
        }
    }

    /// <summary>Writes the anchor into a file, in place of one that may be there: the old or the new one is in it whole, whenever the machine stops.</summary>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public async Task WriteAsync(string path, CancellationToken cancellationToken)
    {
        var beside = path + ".new";
        var file = new FileStream(beside, FileMode.Create, FileAccess.Write, FileShare.None);
        await using (file.ConfigureAwait(false))
        {
            await JsonSerializer.SerializeAsync(file, this, Json, cancellationToken).ConfigureAwait(false);
            file.Flush(flushToDisk: true);
        }

        File.Move(beside, path, overwrite: true);
    }
}
