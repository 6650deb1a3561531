using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.Log;
using StreamId = Orleans.EventSourced.Core.Log.StreamId;

namespace Orleans.EventSourced.Testing.Faults;

/// <summary>
/// What all clients of a run did and learnt, written by them before and after each operation, outside the system that is tested; <see cref="HistoryChecker"/> compares it with the log. Lines are
/// numbered as they come, so that what ended before something else began has the lower number. Safe for concurrent use.
/// </summary>
public sealed class ClientHistory
{
    private readonly Lock _gate = new();
    private readonly List<HistoryLine> _lines = [];
    private readonly List<SeenPage> _pages = [];

    /// <summary>The lines so far, in order.</summary>
    public IReadOnlyList<HistoryLine> Lines
    {
        get
        {
            lock (_gate)
            {
                return [.. _lines];
            }
        }
    }

    /// <summary>The pages that readers got so far, in order.</summary>
    public IReadOnlyList<SeenPage> Pages
    {
        get
        {
            lock (_gate)
            {
                return [.. _pages];
            }
        }
    }

    /// <summary>A command is about to be sent, for the first time or again.</summary>
    /// <param name="client">Who sends it.</param>
    /// <param name="command">The command.</param>
    /// <param name="stream">Its stream.</param>
    /// <param name="content">What its events are to say, see <see cref="HistoryLine.Content"/>; null: not told.</param>
    public void Invoke(string client, CommandId command, StreamId stream, string? content = null) => Add(new HistoryLine(0, client, HistoryKind.Invoke, command, stream) { Content = content });

    /// <summary>It was answered: done, now or before.</summary>
    /// <param name="client">Who asked.</param>
    /// <param name="command">The command.</param>
    /// <param name="stream">Its stream.</param>
    /// <param name="version">The version answered.</param>
    /// <param name="position">The position answered.</param>
    /// <param name="events">How many events it wrote; null: not told, but one at least.</param>
    public void Ok(string client, CommandId command, StreamId stream, StreamVersion version, LogPosition position, int? events = null) =>
        Add(new HistoryLine(0, client, HistoryKind.Ok, command, stream) { Version = version, Position = position, Events = events });

    /// <summary>It was answered with no.</summary>
    public void Refused(string client, CommandId command, StreamId stream, string? note = null) => Add(new HistoryLine(0, client, HistoryKind.Refused, command, stream) { Note = note });

    /// <summary>The try surely did nothing.</summary>
    public void Fail(string client, CommandId command, StreamId stream, string? note = null) => Add(new HistoryLine(0, client, HistoryKind.Fail, command, stream) { Note = note });

    /// <summary>The client does not know what became of the try.</summary>
    public void Unknown(string client, CommandId command, StreamId stream, string? note = null) => Add(new HistoryLine(0, client, HistoryKind.Unknown, command, stream) { Note = note });

    /// <summary>A read was answered.</summary>
    /// <param name="client">Who asked.</param>
    /// <param name="stream">What was read.</param>
    /// <param name="reflects">What the answer says that it reflects.</param>
    /// <param name="isSession">Whether the client asked for all that it knows of.</param>
    public void Read(string client, StreamId stream, LogPosition reflects, bool isSession) =>
        Add(new HistoryLine(0, client, HistoryKind.Read, default, stream) { Position = reflects, IsSession = isSession });

    /// <summary>A reader of the log, who began at its start and reads on page by page, got a page.</summary>
    public void Saw(string reader, IReadOnlyList<RecordedEvent> page)
    {
        ArgumentNullException.ThrowIfNull(page);
        var seen = new SeenPage(reader, [.. page.Select(e => (e.Position, e.Id))]);
        lock (_gate)
        {
            _pages.Add(seen);
        }
    }

    /// <summary>Adds a line; it gets the next number.</summary>
    public void Add(HistoryLine line)
    {
        ArgumentNullException.ThrowIfNull(line);
        lock (_gate)
        {
            _lines.Add(line with { At = _lines.Count + 1 });
        }
    }
}
