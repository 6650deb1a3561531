using System.Globalization;

namespace Orleans.EventSourced.Core.Log;

/// <summary>The log is broken, misused or out of reach. The facts are kept in <see cref="Exception.Data"/>, so that they survive a call between silos.</summary>
public abstract class LogException : Exception
{
    private protected LogException(string message, Exception? inner)
        : base(message, inner)
    {
    }
}

/// <summary>
/// The log could not be reached or could not do the work now. Of an append it says: surely not written. Trying again later may help.
/// </summary>
public class LogUnavailableException(string message, Exception? inner = null) : LogException(message, inner);

/// <summary>
/// Another writer wrote the same version or id between this batch's look-up and its insert. Surely not written by this try; the next try
/// sees the other's events.
/// </summary>
public sealed class LogRaceException(string message, Exception? inner = null) : LogUnavailableException(message, inner);

/// <summary>The queue of appends, or of reads, is full. Surely not written; slow down and try again.</summary>
public sealed class LogOverloadedException(string message) : LogException(message, null);

/// <summary>
/// The append may or may not have been written, and asking the log about its ids did not get an answer in the time allowed. Send the same
/// command id again to learn which.
/// </summary>
public sealed class LogOutcomeUnknownException(string message, Exception? inner = null) : LogException(message, inner);

/// <summary>The request is refused for what it contains, by its limits or by the store; sending it again gives the same answer. Nothing was written.</summary>
public sealed class LogRequestRefusedException(string message, Exception? inner = null) : LogException(message, inner);

/// <summary>The store is not what the code expects: foreign, newer, not durable, or not set up. Nothing was written.</summary>
public sealed class LogMisconfiguredException(string message, Exception? inner = null) : LogException(message, inner);

/// <summary>An event that is in the log cannot be used: a row that is no event, unknown type, unreadable JSON, a gap, or a state that refuses it.</summary>
public class LogCorruptException : LogException
{
    /// <param name="message">What is wrong with the event.</param>
    /// <param name="stream">Its stream.</param>
    /// <param name="version">Its version.</param>
    /// <param name="position">Its position.</param>
    /// <param name="eventType">The name of its type.</param>
    /// <param name="inner">The cause.</param>
    public LogCorruptException(string message, StreamId stream, StreamVersion version, LogPosition position, string eventType, Exception? inner = null)
        : base($"Stream '{stream}', version {version}, position {position}, event type '{eventType}': {message}", inner)
    {
        Data["stream"] = stream.ToString();
        Data["version"] = version.ToString();
        Data["position"] = position.ToString();
        Data["eventType"] = eventType;
    }

    /// <summary>The stream of the event.</summary>
    public string? Stream => Data["stream"] as string;

    /// <summary>The version of the event.</summary>
    public int Version => int.Parse(Data["version"] as string ?? "0", CultureInfo.InvariantCulture);

    /// <summary>The position of the event; 0 when it has none yet.</summary>
    public long Position => long.Parse(Data["position"] as string ?? "0", CultureInfo.InvariantCulture);

    /// <summary>The registered name of the event's type.</summary>
    public string? EventType => Data["eventType"] as string;
}

/// <summary>The log holds an event whose type, or whose schema version, this code does not know. An older binary meets a newer event so.</summary>
public sealed class UnknownEventTypeException(string message, StreamId stream, StreamVersion version, LogPosition position, string eventType)
    : LogCorruptException(message, stream, version, position, eventType);
