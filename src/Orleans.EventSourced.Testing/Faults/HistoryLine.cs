using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.Log;
using StreamId = Orleans.EventSourced.Core.Log.StreamId;

namespace Orleans.EventSourced.Testing.Faults;

/// <summary>What a line of a history says.</summary>
public enum HistoryKind
{
    /// <summary>A client sends a command, for the first time or again. Written before it is sent.</summary>
    Invoke,

    /// <summary>The command is done, now or before: with version and position.</summary>
    Ok,

    /// <summary>The answer is no: rejected, or the stream was not at the version that the client named. Sent again, the command may be decided otherwise.</summary>
    Refused,

    /// <summary>This try surely did nothing; the client was not told more, as when a store is away or a queue is full.</summary>
    Fail,

    /// <summary>The client does not know: no answer came, or one that says so.</summary>
    Unknown,

    /// <summary>A client read, and the answer reflected the log up to a position.</summary>
    Read,
}

/// <summary>What one client did or learnt, as it saw it from outside.</summary>
/// <param name="At">When, by one clock of all clients, or the number of the line: whatever ended before another thing began has the lower one.</param>
/// <param name="Client">Who: one session, that does one thing after the other.</param>
/// <param name="Kind">What happened.</param>
/// <param name="Command">The command; of a read the default.</param>
/// <param name="Stream">The stream that it is for, or that was read.</param>
public sealed record HistoryLine(long At, string Client, HistoryKind Kind, CommandId Command, StreamId Stream)
{
    /// <summary>Of <see cref="HistoryKind.Ok"/>: the version answered; null: none was.</summary>
    public StreamVersion? Version { get; init; }

    /// <summary>Of <see cref="HistoryKind.Ok"/> the position answered, of <see cref="HistoryKind.Read"/> the one that the answer reflects; null: none was.</summary>
    public LogPosition? Position { get; init; }

    /// <summary>Of <see cref="HistoryKind.Ok"/>: how many events the command wrote; null: not told, but one at least. 0: it was accepted without any.</summary>
    public int? Events { get; init; }

    /// <summary>Of <see cref="HistoryKind.Invoke"/>: what the events of the command are to say, in order and with "; " between them, in the words of <see cref="HistoryChecker.Describe"/>; null: not told.</summary>
    public string? Content { get; init; }

    /// <summary>Of <see cref="HistoryKind.Read"/>: whether the client asked for what it knows of, by its own writes and reads; otherwise an older answer is no fault.</summary>
    public bool IsSession { get; init; }

    /// <summary>What is worth telling people: an error, a status.</summary>
    public string? Note { get; init; }

    /// <inheritdoc/>
    public override string ToString() =>
        $"{At} {Client} {Kind} {(Kind == HistoryKind.Read ? "" : Command + " ")}{Stream}{(Version is { } v ? $" v{v}" : "")}{(Position is { } p ? $" @{p}" : "")}{(Events is { } n ? $" x{n}" : "")}{(Note is null ? "" : " " + Note)}";
}

/// <summary>A page of the log as a reader got it, who reads on where the page before ended.</summary>
/// <param name="Reader">Who reads: each from the log's beginning on.</param>
/// <param name="Events">The events as they came.</param>
public sealed record SeenPage(string Reader, IReadOnlyList<(LogPosition Position, EventId Id)> Events);

/// <summary>Something that must never happen, and did.</summary>
/// <param name="Invariant">Which: <c>I1</c> (no acknowledged command is lost), and so on; the names are those of the documentation.</param>
/// <param name="Message">What and where.</param>
public sealed record Violation(string Invariant, string Message)
{
    /// <inheritdoc/>
    public override string ToString() => $"{Invariant}: {Message}";
}
