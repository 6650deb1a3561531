using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.Log;
using StreamId = Orleans.EventSourced.Core.Log.StreamId;

namespace Orleans.EventSourced.Testing.Faults;

/// <summary>
/// Says what must never happen and did, by what clients saw from outside and by the log as it is when all has come to rest: I1 to I8 and I12 by <see cref="Check"/>, I9, I11 and I19 by what is told
/// of views. It knows nothing of how the log came about: the same checks hold for a simulation and for a run of real processes. Not safe for concurrent use.
/// </summary>
/// <remarks>
/// <list type="table">
/// <item><term>I1</term><description>no acknowledged command is lost: it is in the log, where its answer said, and says what it was to say</description></item>
/// <item><term>I2</term><description>one command has one effect: no event id twice, the ids of its events are those derived from it, every try that was answered got the first answer, and streams that clients write hold nothing that nobody asked for</description></item>
/// <item><term>I3</term><description>no means never: what was refused or failed at each try is not in the log, and nothing is refused that was in the log already</description></item>
/// <item><term>I4</term><description>the versions of a stream are 1, 2, 3 ... in the order of positions</description></item>
/// <item><term>I5</term><description>positions have no gap, for readers either, and times do not run backward</description></item>
/// <item><term>I6</term><description>nothing appears behind a position already read, and nothing that was read changes</description></item>
/// <item><term>I7</term><description>no reader sees a part of what one command wrote at once</description></item>
/// <item><term>I8</term><description>what ended before another thing began has the lower version, on one stream</description></item>
/// <item><term>I9</term><description>a view is the fold of the log: with that, each event had its effect once (I10)</description></item>
/// <item><term>I11</term><description>checkpoints never go back</description></item>
/// <item><term>I12</term><description>who asks for what it knows of never gets an older answer</description></item>
/// <item><term>I19</term><description>after healing everything comes to rest, and views reach the head</description></item>
/// </list>
/// </remarks>
public sealed class HistoryChecker
{
    /// <summary>The most violations that are told.</summary>
    public const int MaxViolations = 100;

    private readonly IReadOnlyList<HistoryLine> _lines;
    private readonly IReadOnlyList<SeenPage> _pages;
    private readonly IReadOnlyList<RecordedEvent> _log;
    private readonly Dictionary<EventId, EventMetadata> _metadata = [];
    private readonly Dictionary<(CommandId, StreamId), List<RecordedEvent>> _written = [];
    private readonly List<Violation> _violations = [];
    private bool _checked;

    /// <param name="history">What clients and readers saw.</param>
    /// <param name="log">All events, in the order in which the log gives them, after the last client has ended and no append is on its way any more.</param>
    public HistoryChecker(ClientHistory history, IReadOnlyList<RecordedEvent> log)
        : this((history ?? throw new ArgumentNullException(nameof(history))).Lines, history.Pages, log)
    {
    }

    /// <param name="lines">What clients saw; those of one client in order.</param>
    /// <param name="pages">What readers of the log saw; those of one reader in order.</param>
    /// <param name="log">All events, in the order in which the log gives them.</param>
    public HistoryChecker(IReadOnlyList<HistoryLine> lines, IReadOnlyList<SeenPage> pages, IReadOnlyList<RecordedEvent> log)
    {
        ArgumentNullException.ThrowIfNull(lines);
        ArgumentNullException.ThrowIfNull(pages);
        ArgumentNullException.ThrowIfNull(log);
        (_lines, _pages, _log) = (lines, pages, log);
        foreach (var e in log)
        {
            if (EventMetadata.TryParse(e.Metadata) is { } metadata)
            {
                _metadata.TryAdd(e.Id, metadata);
                Group(_written, (metadata.Command, e.Stream)).Add(e);
            }
        }
    }

    /// <summary>Says what an event of a client's command holds, as <see cref="HistoryLine.Content"/> does, or null where it holds nothing that the command says. Null itself: contents are not compared.</summary>
    public Func<RecordedEvent, string?>? Describe { get; init; }

    /// <summary>What was found so far, at most <see cref="MaxViolations"/>.</summary>
    public IReadOnlyList<Violation> Violations => _violations;

    /// <summary>All events of a log, page by page.</summary>
    /// <exception cref="LogUnavailableException">The log could not answer.</exception>
    public static async Task<IReadOnlyList<RecordedEvent>> ReadAllAsync(IEventLog log, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(log);
        var all = new List<RecordedEvent>();
        while (await log.ReadLogAsync(all.Count == 0 ? LogPosition.Start : all[^1].Position, 5_000, cancellationToken).ConfigureAwait(false) is { Count: > 0 } page)
        {
            all.AddRange(page);
        }

        return all;
    }

    /// <summary>Checks history and log, once, and answers all that was found so far.</summary>
    public IReadOnlyList<Violation> Check()
    {
        if (!_checked)
        {
            _checked = true;
            CheckLog();
            CheckOrigins();
            CheckAnswers();
            CheckOrder();
            CheckReads();
            CheckPages();
        }

        return _violations;
    }

    /// <summary>Checks I9: the rows that a view has at its checkpoint against those that a fold of the log gives.</summary>
    /// <param name="view">Its name, for people.</param>
    /// <param name="expected">The rows of the fold, by key.</param>
    /// <param name="actual">The rows of the table, by key.</param>
    public void CheckView<TRow>(string view, IReadOnlyDictionary<string, TRow> expected, IReadOnlyDictionary<string, TRow> actual)
        where TRow : class
    {
        ArgumentNullException.ThrowIfNull(expected);
        ArgumentNullException.ThrowIfNull(actual);
        foreach (var key in expected.Keys.Union(actual.Keys).Order(StringComparer.Ordinal))
        {
            var (should, has) = (expected.GetValueOrDefault(key), actual.GetValueOrDefault(key));
            if (!Equals(should, has))
            {
                Found("I9", $"row '{key}' of view {view} is {has?.ToString() ?? "not there"}; the fold of the log gives {should?.ToString() ?? "none"}.");
            }
        }
    }

    /// <summary>Checks I11 and I19: how the checkpoint of one slice of a view moved, and that it has reached the end of the log.</summary>
    /// <param name="slice">Its name, for people.</param>
    /// <param name="observed">The checkpoint, as it was seen from time to time, the last time after all had come to rest.</param>
    public void CheckCheckpoints(string slice, IReadOnlyList<LogPosition> observed)
    {
        ArgumentNullException.ThrowIfNull(observed);
        for (var i = 1; i < observed.Count; i++)
        {
            if (observed[i] < observed[i - 1])
            {
                Found("I11", $"the checkpoint of {slice} went back from {observed[i - 1]} to {observed[i]}.");
            }
        }

        var head = _log.Count == 0 ? LogPosition.Start : _log.Max(e => e.Position);
        if ((observed.Count == 0 ? LogPosition.Start : observed[^1]) is var last && last != head)
        {
            Found("I19", $"the checkpoint of {slice} stays at {last}; the log ends at {head}.");
        }
    }

    /// <summary>Adds what whoever runs the test found by itself.</summary>
    public void Found(string invariant, string message)
    {
        if (_violations.Count < MaxViolations)
        {
            _violations.Add(new Violation(invariant, message));
        }
    }

    private static List<T> Group<TKey, T>(Dictionary<TKey, List<T>> groups, TKey key)
        where TKey : notnull => groups.TryGetValue(key, out var group) ? group : groups[key] = [];

    private void CheckLog()
    {
        var ids = new HashSet<EventId>();
        var versions = new Dictionary<StreamId, StreamVersion>();
        for (var i = 0; i < _log.Count; i++)
        {
            var e = _log[i];
            if (!ids.Add(e.Id))
            {
                Found("I2", $"event id {e.Id} is in the log twice, the second time at position {e.Position}.");
            }

            if (e.Version != versions.GetValueOrDefault(e.Stream) + 1)
            {
                Found("I4", $"stream {e.Stream} has version {e.Version} at position {e.Position}, behind version {versions.GetValueOrDefault(e.Stream)}.");
            }

            versions[e.Stream] = e.Version;
            if (e.Position != LogPosition.Start + (i + 1))
            {
                Found("I5", $"event {i + 1} of the log is at position {e.Position}.");
            }

            if (i > 0 && e.RecordedAt < _log[i - 1].RecordedAt)
            {
                Found("I5", $"position {e.Position} was recorded at {e.RecordedAt:O}, before the one before it.");
            }
        }

        foreach (var ((command, stream), events) in _written)
        {
            for (var i = 0; i < events.Count; i++)
            {
                if (events[i].Id != EventId.Derive(command, stream, i))
                {
                    Found("I2", $"event {i} of command {command} on {stream}, at position {events[i].Position}, has an id that is not derived from it: the command was written more than once, or not whole.");
                    break;
                }
            }
        }
    }

    /// <summary>On a stream that clients write, an event is of a command that one of them sent, or caused by an event before it, as what a reaction does is.</summary>
    private void CheckOrigins()
    {
        var asked = _lines.Where(l => l.Kind == HistoryKind.Invoke).Select(l => (l.Command, l.Stream)).ToHashSet();
        var streams = asked.Select(a => a.Stream).ToHashSet();
        var before = new HashSet<string>(StringComparer.Ordinal);
        foreach (var e in _log)
        {
            if (streams.Contains(e.Stream) && (!_metadata.TryGetValue(e.Id, out var metadata) || !(asked.Contains((metadata.Command, e.Stream)) || before.Contains(metadata.Causation ?? ""))))
            {
                Found("I2", $"nobody asked for the event at position {e.Position}, version {e.Version} of {e.Stream}.");
            }

            before.Add(e.Id.ToString());
        }
    }

    private void CheckAnswers()
    {
        foreach (var tries in _lines.Where(l => l.Kind != HistoryKind.Read).GroupBy(l => (l.Command, l.Stream)))
        {
            var written = _written.GetValueOrDefault(tries.Key) ?? [];
            var answers = tries.Where(l => l.Kind == HistoryKind.Ok).ToList();
            foreach (var ok in answers.Where(a => a.Events != 0))
            {
                var last = written.Count == 0 ? null : written[^1];
                if (last is null || (ok.Version ?? last.Version, ok.Position ?? last.Position) != (last.Version, last.Position) || (ok.Events ?? written.Count) > written.Count)
                {
                    Found("I1", $"'{ok}' was answered; the log has {(last is null ? "nothing of the command" : $"{written.Count} events, the last at version {last.Version}, position {last.Position}")}.");
                }
                else if ((ok.Events ?? written.Count) < written.Count)
                {
                    Found("I2", $"'{ok}' was answered; the log has {written.Count} events of the command.");
                }
            }

            if (answers.Select(a => (a.Version, a.Position, a.Events)).Distinct().Count() > 1 && answers.TrueForAll(a => a.Events != 0))
            {
                Found("I2", $"tries of one command got different answers: {string.Join("; ", answers)}.");
            }

            if (written.Count > 0 && Describe is { } describe && tries.FirstOrDefault(l => l.Content is not null)?.Content is { } content && string.Join("; ", written.Select(describe).OfType<string>()) is var said && said != content)
            {
                Found("I1", $"command {tries.Key.Command} on {tries.Key.Stream} was to say '{content}', and the log says '{said}' at position {written[^1].Position}.");
            }

            var ends = tries.Where(l => l.Kind != HistoryKind.Invoke).ToList();
            if (written.Count > 0 && tries.Count() == 2 * ends.Count && ends.TrueForAll(l => l.Kind is HistoryKind.Fail or HistoryKind.Refused))
            {
                Found("I3", $"command {tries.Key.Command} on {tries.Key.Stream} is in the log at position {written[0].Position}; its tries ended as {string.Join("; ", ends)}.");
            }

            if (written.Count > 0 && ends.Find(l => l.Kind == HistoryKind.Refused && KnownBefore(Began(tries, l)) >= written[0].Position) is { } late)
            {
                Found("I3", $"'{late}' was answered to a try that began when the command was in the log already, at position {written[0].Position}.");
            }

            if (answers.MinBy(a => a.At) is { Events: not 0 } first && ends.Find(l => l.Kind == HistoryKind.Refused && Began(tries, l) > first.At) is { } refused)
            {
                Found("I2", $"'{refused}' was answered to a try that began when '{first}' had been answered.");
            }
        }
    }

    /// <summary>How far the log surely was before a moment: some client had been told so.</summary>
    private LogPosition KnownBefore(long at) => _lines.Where(l => l.At < at && l.Position is not null).Select(l => l.Position!.Value).DefaultIfEmpty(LogPosition.Start).Max();

    private static long Began(IEnumerable<HistoryLine> tries, HistoryLine end) =>
        tries.Where(l => l.Kind == HistoryKind.Invoke && l.Client == end.Client && l.At < end.At).Select(l => l.At).DefaultIfEmpty(long.MinValue).Max();

    private void CheckOrder()
    {
        foreach (var stream in _lines.Where(l => l.Kind is HistoryKind.Invoke or HistoryKind.Ok).GroupBy(l => l.Stream))
        {
            var commands = stream.GroupBy(l => l.Command)
                .Select(c => (Began: c.Min(l => l.At), Ok: c.Where(l => l.Kind == HistoryKind.Ok && l.Version is not null && l.Events != 0).MinBy(l => l.At)))
                .Where(c => c.Ok is not null)
                .ToList();
            var ended = new Queue<HistoryLine>(commands.Select(c => c.Ok!).OrderBy(l => l.At));
            HistoryLine? highest = null;
            foreach (var (began, ok) in commands.OrderBy(c => c.Began))
            {
                while (ended.TryPeek(out var end) && end.At < began)
                {
                    highest = highest is null || end.Version > highest.Version ? end : highest;
                    ended.Dequeue();
                }

                if (highest is not null && ok!.Version <= highest.Version)
                {
                    Found("I8", $"'{ok}' began, at {began}, when '{highest}' had ended, and has no higher version.");
                }
            }
        }
    }

    private void CheckReads()
    {
        foreach (var client in _lines.GroupBy(l => l.Client))
        {
            HistoryLine? knows = null;
            foreach (var line in client.Where(l => l.Kind is HistoryKind.Ok or HistoryKind.Read && l.Position is not null).OrderBy(l => l.At))
            {
                if (line is { Kind: HistoryKind.Read, IsSession: true } && knows is not null && line.Position < knows.Position)
                {
                    Found("I12", $"'{line}' is older than what the client knew by '{knows}'.");
                }

                knows = knows is null || line.Position > knows.Position ? line : knows;
            }
        }
    }

    private void CheckPages()
    {
        var final = _log.DistinctBy(e => e.Position).ToDictionary(e => e.Position, e => e.Id);
        var whole = Wholes();
        foreach (var reader in _pages.GroupBy(p => p.Reader))
        {
            var seen = new HashSet<LogPosition>();
            var last = LogPosition.Start;
            foreach (var page in reader)
            {
                foreach (var (position, id) in page.Events)
                {
                    if (position != last + 1)
                    {
                        Found("I5", $"reader {reader.Key} got position {position} behind {last}.");
                    }

                    if (final.GetValueOrDefault(position) != id)
                    {
                        Found("I6", $"reader {reader.Key} got event {id} at position {position}, where the log has {(final.TryGetValue(position, out var now) ? $"{now}" : "none")} now.");
                    }

                    seen.Add(last = position);
                }

                var here = page.Events.Select(e => e.Position).ToHashSet();
                if (page.Events.Select(e => whole.GetValueOrDefault(e.Position)).FirstOrDefault(w => w is not null && !w.TrueForAll(here.Contains)) is { } part)
                {
                    Found("I7", $"reader {reader.Key} got a page from {page.Events[0].Position} to {page.Events[^1].Position} with a part of what was written at once at positions {part[0]} to {part[^1]}.");
                }
            }

            if (final.Keys.Where(p => p < last && !seen.Contains(p)).Order().Select(p => (LogPosition?)p).FirstOrDefault() is { } behind)
            {
                Found("I6", $"position {behind} appeared behind {last}, which reader {reader.Key} had read already.");
            }
        }
    }

    /// <summary>For each position those that were written with it by one command, in one commit.</summary>
    private Dictionary<LogPosition, List<LogPosition>> Wholes() =>
        _written.SelectMany(w => w.Value.GroupBy(e => e.RecordedAt)).Select(g => g.Select(e => e.Position).ToList()).Where(g => g.Count > 1)
            .SelectMany(g => g.Select(p => (Position: p, Whole: g))).DistinctBy(p => p.Position).ToDictionary(p => p.Position, p => p.Whole);
}
