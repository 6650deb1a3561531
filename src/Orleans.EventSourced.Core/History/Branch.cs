using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Projections;

namespace Orleans.EventSourced.Core.History;

/// <summary>
/// What might have been: the log up to a base, with edits, and what live commands made of it since. It reads the trunk and writes nothing to it; what it has of its own is in memory. Streams are read as
/// they are on the branch; views are folded over the whole of it, beside the trunk's as of the base. Safe for concurrent use.
/// </summary>
public sealed partial class Branch
{
    private const int PageEvents = 1_000;
    private readonly IEventLog _log;
    private readonly JsonEventCodec _codec;
    private readonly HistoryOptions _options;
    private readonly LogReplay _replay;
    private readonly BoundFunction[] _functions;
    private readonly ILookup<StreamId, BoundEdit> _edits;
    private readonly ReadOnlyMemory<byte> _metadata;
    private readonly CommandId _command;
    private readonly Lock _gate = new();
    private readonly Dictionary<StreamId, List<RecordedEvent>> _live = [];
    private readonly Dictionary<EventId, RecordedEvent> _ids = [];
    private readonly List<RecordedEvent> _order = [];

    /// <param name="definition">What it is.</param>
    /// <param name="catalog">What it may name.</param>
    /// <param name="log">The trunk.</param>
    /// <param name="codec">What reads the events.</param>
    /// <param name="options">Limits; validated by whoever made them.</param>
    /// <param name="worker">Where it is folded.</param>
    /// <exception cref="HistoryException">The definition names what there is not, or has too many edits.</exception>
    public Branch(BranchDefinition definition, BranchCatalog catalog, IEventLog log, JsonEventCodec codec, HistoryOptions options, IHistoryWorker worker)
    {
        ArgumentNullException.ThrowIfNull(definition);
        ArgumentNullException.ThrowIfNull(catalog);
        ArgumentNullException.ThrowIfNull(options);
        (Definition, _log, _codec, _options) = (Checked(definition, options), log, codec, options);
        _replay = new LogReplay(log, codec, options, worker);
        _functions = [.. definition.Edits.OfType<BranchEdit.Apply>().Select(a => catalog.Function(a.Function).Bind(a.Parameters))];
        Rules = [.. definition.Rules.Select(r => catalog.Rule(r ?? throw new HistoryException(HistoryFault.BadEdit, "A rule is named by a text, not by null.")))];
        _edits = definition.Edits.Where(e => e is not BranchEdit.Apply).ToLookup(StreamOf, Bound);
        _command = CommandId.FromText($"branch/{definition.Id}/{definition.Base.Value}");
        _metadata = new EventMetadata(_command, Correlation: definition.Id, Actor: definition.Actor, Reason: definition.Reason, Origin: "what-if").ToJson();
    }

    /// <summary>What it is.</summary>
    public BranchDefinition Definition { get; }

    /// <summary>The other rules by which it goes on.</summary>
    public IReadOnlyList<BranchRule> Rules { get; }

    /// <summary>How many events live commands appended.</summary>
    public int LiveEvents
    {
        get
        {
            lock (_gate)
            {
                return _order.Count;
            }
        }
    }

    /// <summary>The last position of the branch: the base, and one more for each live event.</summary>
    public LogPosition Head => Definition.Base + LiveEvents;

    /// <summary>The fold of a type of streams by the branch's rules.</summary>
    public EntityFold FoldOf(EntityFold trunk)
    {
        ArgumentNullException.ThrowIfNull(trunk);
        return Rules.OfType<BranchRule.Fold>().LastOrDefault(r => r.States.Type == trunk.Type)?.States ?? trunk;
    }

    /// <summary>Whether edits or functions may change a stream, so that it is read whole, whatever page of it is wanted.</summary>
    public bool Rewrites(StreamId stream) => _functions.Length > 0 || _edits.Contains(stream);

    /// <summary>The events of a stream as they are on the branch, behind a version.</summary>
    /// <param name="stream">The stream.</param>
    /// <param name="after">The version, on the branch, behind which they are.</param>
    /// <param name="maxEvents">The most wanted.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="HistoryException">An edit names what is not there, a function fails, or the stream is too long.</exception>
    /// <exception cref="LogException">The trunk could not answer.</exception>
    public async Task<IReadOnlyList<RecordedEvent>> ReadStreamAsync(StreamId stream, StreamVersion after, int maxEvents, CancellationToken cancellationToken)
    {
        // A live event is behind all of the base, which never changes.
        var events = await BaseOfAsync(stream, after, maxEvents, cancellationToken).ConfigureAwait(false);
        lock (_gate)
        {
            return _live.TryGetValue(stream, out var live) ? [.. events.Concat(live.Where(e => e.Version > after)).Take(maxEvents)] : events;
        }
    }

    /// <summary>Appends what a live command made happen.</summary>
    /// <param name="request">The events.</param>
    /// <param name="at">When.</param>
    /// <param name="cancellationToken">Ends the read of the trunk before; nothing was appended then.</param>
    /// <exception cref="HistoryException">The branch has all the events that it may have.</exception>
    public async Task<AppendOutcome> AppendAsync(AppendRequest request, DateTimeOffset at, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(request);
        var last = LastBeforeLive(request.Stream) ?? await LastOfBaseAsync(request.Stream, cancellationToken).ConfigureAwait(false);
        lock (_gate)
        {
            if (request.Events.Any(e => _ids.ContainsKey(e.Id)))
            {
                return Repeated(request);
            }

            var live = _live.GetValueOrDefault(request.Stream) ?? [];
            var actual = last + live.Count;
            if (!request.Expected.Accepts(actual))
            {
                return new AppendOutcome.Conflict(actual);
            }

            if (_order.Count + request.Events.Count > _options.MaxLiveEvents)
            {
                throw new HistoryException(HistoryFault.QuotaReached, $"Branch '{Definition.Id}' has {_order.Count} events of its own; {_options.MaxLiveEvents} are allowed.");
            }

            _live[request.Stream] = live;
            foreach (var e in request.Events)
            {
                var recorded = new RecordedEvent(Definition.Base + (_order.Count + 1), request.Stream, last + (live.Count + 1), e.Id, e.Type, e.Schema, e.Data, e.Metadata, at);
                live.Add(recorded);
                _order.Add(recorded);
                _ids.Add(e.Id, recorded);
            }

            return new AppendOutcome.Appended(live[^1].Version, live[^1].Position, at);
        }
    }

    /// <summary>A live event by its id; null: none has it.</summary>
    public RecordedEvent? Find(EventId id)
    {
        lock (_gate)
        {
            return _ids.GetValueOrDefault(id);
        }
    }

    /// <summary>The live events behind a position of the branch, in order.</summary>
    public IReadOnlyList<RecordedEvent> Live(LogPosition after)
    {
        lock (_gate)
        {
            return [.. _order.Skip((int)Math.Max(0, after.Value - Definition.Base.Value))];
        }
    }

    /// <summary>A fold that refuses an event of a branch is an answer, not a fault of the program.</summary>
    internal static void Guarded(Action fold)
    {
        try
        {
            fold();
        }
        catch (ViewFoldException e)
        {
            throw new HistoryException(HistoryFault.FoldRefuses, e.Message, e);
        }
    }

    private static BranchDefinition Checked(BranchDefinition definition, HistoryOptions options)
    {
        if (!BranchDefinition.IsId(definition.Id))
        {
            throw new HistoryException(HistoryFault.BadEdit, $"'{definition.Id}' is no name of a branch: 1 to {BranchDefinition.MaxIdLength} of a-z, 0-9 and '-'.");
        }

        if (string.IsNullOrWhiteSpace(definition.Reason) || definition.Reason.Length > BranchDefinition.MaxText || definition.Actor is { Length: > BranchDefinition.MaxText })
        {
            throw new HistoryException(HistoryFault.BadEdit, $"A branch has a reason of 1 to {BranchDefinition.MaxText} characters, and an actor of no more.");
        }

        return definition.Edits.Count <= options.MaxEdits ? definition
            : throw new HistoryException(HistoryFault.QuotaReached, $"A branch has {options.MaxEdits} edits at most; these are {definition.Edits.Count}.");
    }

    private static StreamId StreamOf(BranchEdit edit) => edit switch
    {
        BranchEdit.Drop(var stream, _) => stream,
        BranchEdit.Replace(var stream, _, _, _) => stream,
        BranchEdit.Insert(var stream, _, _, _) => stream,
        _ => throw new InvalidOperationException($"'{edit}' is no edit of one stream."),
    };

    private BoundEdit Bound(BranchEdit edit) => edit switch
    {
        BranchEdit.Replace(var stream, var version, var type, var data) => new BoundEdit(edit, Payload(stream, version, type, data)),
        BranchEdit.Insert(var stream, var after, var type, var data) => new BoundEdit(edit, Payload(stream, after, type, data)),
        _ => new BoundEdit(edit, null),
    };

    private object Payload(StreamId stream, StreamVersion version, string type, System.Text.Json.JsonElement data)
    {
        if (!_codec.Types.TryFind(type, out var known))
        {
            throw new HistoryException(HistoryFault.BadEdit, $"The edit of '{stream}' names the event type '{type}', which is not registered.");
        }

        try
        {
            return System.Text.Json.JsonSerializer.Deserialize(data, known.Json) ?? throw new System.Text.Json.JsonException("the payload is null.");
        }
        catch (Exception e) when (e is System.Text.Json.JsonException or ArgumentException or NotSupportedException)
        {
            throw new HistoryException(HistoryFault.BadEdit, $"The edit of '{stream}' at version {version} has no payload of type '{type}': {e.Message}", e);
        }
    }

    private AppendOutcome Repeated(AppendRequest request)
    {
        var before = request.Events.Select(e => _ids.GetValueOrDefault(e.Id)).ToList();
        return before.TrueForAll(e => e is not null && e.Stream == request.Stream && EventMetadata.RequestHashOf(e.Metadata) == request.RequestHash)
            ? new AppendOutcome.Duplicate(before[^1]!.Version, before[^1]!.Position, before[^1]!.RecordedAt)
            : new AppendOutcome.IdReused();
    }

    /// <summary>A stream's events of the base, as the edits and functions make them.</summary>
    private async Task<IReadOnlyList<RecordedEvent>> BaseOfAsync(StreamId stream, StreamVersion after, int maxEvents, CancellationToken cancellationToken)
    {
        if (_functions.Length == 0 && !_edits.Contains(stream))
        {
            var page = await TrunkPageAsync(stream, after, maxEvents, cancellationToken).ConfigureAwait(false);
            return page.Count == 0 || page[^1].Position <= Definition.Base ? page : [.. page.TakeWhile(e => e.Position <= Definition.Base)];
        }

        var trunk = await TrunkAsync(stream, cancellationToken).ConfigureAwait(false);
        var (events, payloads) = (new List<(RecordedEvent Recorded, object? Payload)>(trunk.Count), trunk.ConvertAll(PayloadOf));
        if (StreamPatch.Of(stream, payloads, [.. _edits[stream]], _functions) is not { } patch)
        {
            return [.. trunk.Skip(after.Value).Take(maxEvents)];
        }

        var numbers = new Numbers();
        trunk.ForEach(e => patch.Emit(e, null, (p, v, at) => Make(p, v, at, numbers), events));
        if (trunk.Count == 0)
        {
            patch.EmitNew(PlaceOf(stream), (p, v, at) => Make(p, v, at, numbers), events);
        }

        return [.. events.Select(e => e.Recorded).Skip(after.Value).Take(maxEvents)];
    }

    /// <summary>Null: the stream has no live event, so that its base is to be read.</summary>
    private StreamVersion? LastBeforeLive(StreamId stream)
    {
        lock (_gate)
        {
            return _live.TryGetValue(stream, out var live) ? new StreamVersion(live[0].Version.Value - 1) : null;
        }
    }

    private async Task<StreamVersion> LastOfBaseAsync(StreamId stream, CancellationToken cancellationToken)
    {
        var last = StreamVersion.None;
        while (await BaseOfAsync(stream, last, PageEvents, cancellationToken).ConfigureAwait(false) is { Count: > 0 } page)
        {
            last = page[^1].Version;
        }

        return last;
    }

    private async Task<IReadOnlyList<RecordedEvent>> TrunkPageAsync(StreamId stream, StreamVersion after, int maxEvents, CancellationToken cancellationToken) =>
        (await _log.ReadStreamsAsync([new StreamRead(stream, after, maxEvents)], cancellationToken).ConfigureAwait(false))[0];

    private async Task<List<RecordedEvent>> TrunkAsync(StreamId stream, CancellationToken cancellationToken)
    {
        var events = new List<RecordedEvent>();
        while (await TrunkPageAsync(stream, new StreamVersion(events.Count), PageEvents, cancellationToken).ConfigureAwait(false) is { Count: > 0 } page)
        {
            events.AddRange(page.TakeWhile(e => e.Position <= Definition.Base));
            if (page[^1].Position > Definition.Base)
            {
                break;
            }

            if (events.Count > _options.MaxEventsAtOnce)
            {
                throw new HistoryException(HistoryFault.TooMuch, $"More than {_options.MaxEventsAtOnce} events of '{stream}' would be read at once.");
            }
        }

        return events;
    }

    /// <summary>Null: no function sees it.</summary>
    private object? PayloadOf(RecordedEvent recorded) =>
        IsSeenByFunctions(recorded) ? _codec.Decode(recorded) : null;

    private bool IsSeenByFunctions(RecordedEvent recorded) => _functions.Any(f => TailPage.MayBe(_codec, recorded, f.Events)) && _codec.Types.TryFind(recorded.Type, out _);

    /// <summary>Where the events of a stream stand that the trunk does not have: at the base.</summary>
    private RecordedEvent PlaceOf(StreamId stream) =>
        new(Definition.Base, stream, StreamVersion.None, EventId.Derive(_command, stream, 0), "", 0, ReadOnlyMemory<byte>.Empty, _metadata, DateTimeOffset.UnixEpoch);

    private RecordedEvent Make(object payload, int version, RecordedEvent place, Numbers numbers)
    {
        var made = _codec.Encode(EventId.Derive(_command, place.Stream, numbers.Next(place.Stream)), payload, _metadata);
        return new RecordedEvent(place.Position, place.Stream, new StreamVersion(version), made.Id, made.Type, made.Schema, made.Data, made.Metadata, place.RecordedAt);
    }

    /// <summary>Numbers the events that a branch makes of each stream. Used by one thread at a time.</summary>
    private sealed class Numbers
    {
        private readonly Dictionary<StreamId, int> _made = [];

        public int Next(StreamId stream) => _made[stream] = _made.GetValueOrDefault(stream, -1) + 1;

        public bool Seen(StreamId stream) => _made.ContainsKey(stream);
    }
}
