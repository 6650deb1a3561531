using Orleans.EventSourced.Core.Events;

namespace Orleans.EventSourced.Core.Log;

/// <summary>
/// One command's events for one stream: written all together or not at all. It is validated here, before it is queued, so that one
/// bad request never fails the strangers in its batch.
/// </summary>
public sealed class AppendRequest
{
    /// <summary>The most events of one command.</summary>
    public const int MaxEvents = 1_000;

    /// <summary>The most bytes of all payloads and envelopes of one command together.</summary>
    public const int MaxBytes = 16 * 1024 * 1024;

    /// <summary>The most bytes of one event's payload. Above <see cref="SoftMaxDataBytes"/> the silo warns.</summary>
    public const int MaxDataBytes = 1024 * 1024;

    /// <summary>The size from which an event's payload is worth a warning, in bytes.</summary>
    public const int SoftMaxDataBytes = 256 * 1024;

    /// <summary>The most characters of an event type's name.</summary>
    internal const int MaxTypeLength = 128;

    private static ReadOnlySpan<byte> EscapedNul => "\\u0000"u8;

    /// <param name="stream">Where the events go.</param>
    /// <param name="expected">What the stream must be at.</param>
    /// <param name="events">1 to <see cref="MaxEvents"/> events in order, with distinct ids.</param>
    /// <param name="requestHash">A digest of the command; a duplicate with another digest is answered <see cref="AppendOutcome.IdReused"/>.</param>
    /// <exception cref="LogRequestRefusedException">It is too large, or holds a NUL character, or the stream's key is white space alone; the message names event and limit. Nothing was written.</exception>
    /// <exception cref="ArgumentException">There is no event, two have one id, or one is without type, schema, payload or metadata.</exception>
    public AppendRequest(StreamId stream, ExpectedVersion expected, IReadOnlyList<NewEvent> events, string? requestHash = null)
    {
        ArgumentNullException.ThrowIfNull(events);
        if (events.Count == 0)
        {
            throw new ArgumentException($"A command for stream '{stream}' has no events.", nameof(events));
        }

        if (events.Count > MaxEvents)
        {
            throw new LogRequestRefusedException($"A command for stream '{stream}' has {events.Count} events; allowed are 1 to {MaxEvents}.");
        }

        var bytes = 0;
        for (var i = 0; i < events.Count; i++)
        {
            bytes += Check(stream, events[i], i);
        }

        if (bytes > MaxBytes)
        {
            throw new LogRequestRefusedException($"The {events.Count} events of a command for stream '{stream}' have {bytes} bytes of payload and metadata; allowed are {MaxBytes}.");
        }

        if (events.Count > 1 && events.DistinctBy(e => e.Id).Count() != events.Count)
        {
            throw new ArgumentException($"Two events for stream '{stream}' have the same id.", nameof(events));
        }

        if (stream.NamesNoGrain)
        {
            throw new LogRequestRefusedException($"The key of stream '{stream}' is white space alone: it can be read, and nothing is appended to it.");
        }

        Stream = stream;
        Expected = expected;
        Events = events;
        RequestHash = requestHash;
        Bytes = bytes;
    }

    private AppendRequest(AppendRequest checkedBefore, ExpectedVersion expected) =>
        (Stream, Expected, Events, RequestHash, Bytes) = (checkedBefore.Stream, expected, checkedBefore.Events, checkedBefore.RequestHash, checkedBefore.Bytes);

    /// <summary>Where the events go.</summary>
    public StreamId Stream { get; }

    /// <summary>What the stream must be at.</summary>
    public ExpectedVersion Expected { get; }

    /// <summary>The events, in order.</summary>
    public IReadOnlyList<NewEvent> Events { get; }

    /// <summary>A digest of the command's content, or null.</summary>
    public string? RequestHash { get; }

    /// <summary>The bytes of all payloads and envelopes together.</summary>
    public int Bytes { get; }

    /// <summary>The same events behind another version; they are not checked again.</summary>
    public AppendRequest Expecting(ExpectedVersion expected) => new(this, expected);

    private static int Check(StreamId stream, NewEvent e, int index)
    {
        _ = e.Id.Value;
        if (e.Type is not { Length: >= 1 and <= MaxTypeLength } || e.Schema < 1)
        {
            throw new ArgumentException($"Event {index} for stream '{stream}' needs a type of 1 to {MaxTypeLength} characters and a schema from 1; got '{e.Type}', {e.Schema}.");
        }

        if (e.Data.IsEmpty || e.Metadata.IsEmpty)
        {
            throw new ArgumentException($"Event {index} ('{e.Type}') for stream '{stream}' needs a payload and metadata.");
        }

        if (e.Data.Length > MaxDataBytes)
        {
            throw new LogRequestRefusedException($"Event {index} ('{e.Type}') for stream '{stream}' has {e.Data.Length} bytes; allowed are 1 to {MaxDataBytes}.");
        }

        if (e.Metadata.Length > EventMetadata.MaxBytes)
        {
            throw new LogRequestRefusedException($"The metadata of event {index} ('{e.Type}') for stream '{stream}' has {e.Metadata.Length} bytes; allowed are 1 to {EventMetadata.MaxBytes}.");
        }

        if (HoldsNul(e.Data.Span) || HoldsNul(e.Metadata.Span))
        {
            throw new LogRequestRefusedException($"Event {index} ('{e.Type}') for stream '{stream}' holds a NUL character, which PostgreSQL's JSON operators cannot read back.");
        }

        return e.Data.Length + e.Metadata.Length;
    }

    /// <summary>Whether JSON text holds an escaped NUL: <c>\u0000</c> whose backslash is not itself escaped by an odd number of them before it.</summary>
    private static bool HoldsNul(ReadOnlySpan<byte> json)
    {
        for (int at; (at = json.IndexOf(EscapedNul)) >= 0; json = json[(at + EscapedNul.Length)..])
        {
            var backslashesBefore = at - (json[..at].LastIndexOfAnyExcept((byte)'\\') + 1);
            if (backslashesBefore % 2 == 0)
            {
                return true;
            }
        }

        return false;
    }
}
