using Microsoft.Extensions.Logging;
using Orleans.EventSourced.Commands;
using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.History;
using Orleans.EventSourcing;
using EventId = Orleans.EventSourced.Core.Events.EventId;

namespace Orleans.EventSourced.LogConsistency;

/// <summary>
/// The log-consistency provider of one grain: it keeps the confirmed and the tentative view, sends submitted events to the log through group commit, and
/// reads in what others wrote. The log is the only truth; a fault breaks the activation, which then is deactivated and starts again from the log.
/// Runs on the grain's scheduler only.
/// </summary>
internal sealed partial class EventLogViewAdaptor<TView, TEntry> : ILogViewAdaptor<TView, TEntry>, IEventLogViewAdaptor<TEntry>
    where TView : class, new()
    where TEntry : class
{
    /// <summary>What insists on a version is joined with nothing, so that its turn needs no watching.</summary>
    private const long NoTurn = -1;

    private readonly ILogViewAdaptorHost<TView, TEntry> _host;
    private readonly IGrainContext _context;
    private readonly EventSourcingServices _services;
    private readonly Views<TView, TEntry> _views;
    private readonly List<Submission<TEntry>> _pending = [];
    private CommandInvocation? _implicit;
    private Task? _flushing;
    private Exception? _broken;
    private Guid _edition;
    private bool _loaded;
    private bool _active;
    private bool _turnIsOpen;
    private long _turn;

    public EventLogViewAdaptor(ILogViewAdaptorHost<TView, TEntry> host, TView initial, IGrainContext context, EventSourcingServices services)
    {
        _host = host;
        _context = context;
        _services = services;
        Stream = services.StreamOf(context.GrainId);
        _views = new Views<TView, TEntry>(host, initial, Stream, services);
        context.SetComponent<IEventLogViewAdaptor>(this);
    }

    public StreamId Stream { get; }

    public BranchScope? Branch => _services.Branch;

    public LogPosition Position => _views.Position;

    public IReadOnlyCollection<RecordedEvent> Recent => _views.Recent;

    public TView ConfirmedView
    {
        get
        {
            ThrowIfBroken();
            return _views.Confirmed;
        }
    }

    public TView TentativeView
    {
        get
        {
            ThrowIfBroken();
            return _views.Tentative(_pending);
        }
    }

    public int ConfirmedVersion => _views.Version.Value;

    public IEnumerable<TEntry> UnconfirmedSuffix => _pending.SelectMany(p => p.Entries);

    public void ThrowIfBroken()
    {
        if (_broken is not null)
        {
            System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(_broken);
        }
    }

    public void ThrowIfOutOfService()
    {
        if (_broken is not null && _active)
        {
            throw OutOfService(_broken);
        }

        ThrowIfBroken();

        // A grain whose OnActivateAsync does not call the base's is told nothing of its activation's end, and has not taken the Synchronize that the base calls.
        (_active, _loaded) = (true, false);
    }

    public async Task ThrowIfNotOnBranchAsync()
    {
        if (Branch is { } branch && _broken is null && await branch.ReadEditionAsync() != _edition)
        {
            Break(new LogUnavailableException($"Branch '{branch.Id}' was made anew or edited since this activation began."));
            ThrowIfOutOfService();
        }
    }

    public async Task PreOnActivate()
    {
        try
        {
            _edition = Branch is { } branch ? await branch.ReadEditionAsync() : Guid.Empty;
            if (_views.Rehydrate(_context))
            {
                await _views.ReadTailAsync();
            }
            else
            {
                await _views.LoadAsync();
            }

            _loaded = true;
        }
        catch (Exception e)
        {
            // The activation goes on so far that its callers get this very error, not a rejection that hides it.
            Break(e);
        }
    }

    public Task PostOnActivate()
    {
        _active = _broken is null;
        return Task.CompletedTask;
    }

    public async Task PostOnDeactivate()
    {
        if (_broken is null && _pending.Count > 0)
        {
            await ConfirmSubmittedEntries();
        }

        await _views.SnapshotsWritten;
    }

    public void Submit(TEntry entry) => SubmitRange([entry]);

    public void SubmitRange(IEnumerable<TEntry> entries)
    {
        ThrowIfBroken();
        TEntry[] list = [.. entries];
        if (list.Length == 0)
        {
            return;
        }

        var submission = Prepare(list, Raising(CommandInvocation.Current) ?? (_implicit ??= _services.NewInvocation()), expected: null);
        Enqueue(submission);
        try
        {
            _host.OnViewChanged(tentative: true, confirmed: false);
        }
        catch (Exception e)
        {
            // To its caller the event was not raised, so it must not be written by whatever is raised next.
            _pending.Remove(submission);
            Break(e);
            throw;
        }

        _ = FlushAsync();
    }

    public async Task ConfirmSubmittedEntries()
    {
        ThrowIfBroken();
        if (_pending.LastOrDefault() is { } last)
        {
            await SettledAsync(last);
        }
    }

    public async Task NothingPendingAsync()
    {
        ThrowIfBroken();
        while (_pending.Count > 0)
        {
            await FlushAsync();
            ThrowIfBroken();
        }
    }

    public Task<bool> TryAppend(TEntry entry) => TryAppendRange([entry]);

    public async Task<bool> TryAppendRange(IEnumerable<TEntry> entries)
    {
        var outcome = await AppendAsync([.. entries], Raising(CommandInvocation.Current) ?? _services.NewInvocation(), _views.Version + _pending.Sum(p => p.Entries.Count));
        return outcome switch
        {
            AppendOutcome.Appended or AppendOutcome.Duplicate => true,
            AppendOutcome.Conflict => false,
            AppendOutcome.IdReused => throw new CommandIdReusedException(Stream, CommandInvocation.Current?.Command),
            _ => throw new InvalidOperationException($"An append was answered {outcome}."),
        };
    }

    public Task<AppendOutcome> AppendAsync(IReadOnlyList<TEntry> entries, CommandInvocation invocation) => AppendAsync(entries, invocation, _views.Version);

    public async Task Synchronize()
    {
        ThrowIfBroken();
        if (_loaded)
        {
            // The base's OnActivateAsync calls it right after PreOnActivate has read the stream.
            _loaded = false;
            return;
        }

        await ConfirmSubmittedEntries();
        await RefreshAsync();
    }

    public async Task RefreshAsync()
    {
        while (_flushing is { IsCompleted: false } busy)
        {
            await busy;
        }

        ThrowIfBroken();
        await (_flushing = ReadInAsync());

        // What became pending meanwhile is not sent by an activation that broke: its callers are told that it surely was not written.
        ThrowIfBroken();
        if (_pending.Count > 0)
        {
            _ = FlushAsync();
        }
    }

    public async Task<IReadOnlyList<TEntry>> RetrieveLogSegment(int fromVersion, int toVersion)
    {
        var segment = new List<TEntry>(toVersion - fromVersion);
        while (segment.Count < toVersion - fromVersion)
        {
            var after = new StreamVersion(fromVersion + segment.Count);
            var page = await _services.Loader.ReadAsync(Stream, after, Math.Min(StreamLoader.PageSize, toVersion - after.Value));
            if (page.Count == 0)
            {
                throw new LogCorruptException($"the stream ends here; version {toVersion} was confirmed before.", Stream, after, LogPosition.Start, "");
            }

            segment.AddRange(page.Select(Decode));
        }

        return segment;
    }

    public Task ClearLogAsync(CancellationToken cancellationToken) =>
        throw new NotSupportedException($"The events of stream '{Stream}' are facts: they are not erased. Append an event that says what changed.");

    public async Task<IReadOnlyList<RecordedEvent>> ReadAsync(StreamVersion after, int maxEvents)
    {
        var read = new List<RecordedEvent>();
        while (true)
        {
            var wanted = maxEvents - read.Count;
            var page = await _services.Loader.ReadAsync(Stream, after + read.Count, wanted);
            read.AddRange(page);
            if (read.Count == maxEvents || !StreamLoader.IsFull(page, wanted))
            {
                return read;
            }
        }
    }

    public async Task<RecordedEvent?> FindAsync(EventId id) =>
        _views.Recent.FirstOrDefault(e => e.Id == id) ?? await _services.Log.FindEventAsync(id, CancellationToken.None);

    public TEntry Decode(RecordedEvent recorded) => _views.Decode(recorded);

    public void Dehydrate(IDehydrationContext target)
    {
        // A branch may be edited or made anew on the way, and then has another past than this state.
        if (_broken is null && _pending.Count == 0 && Branch is null)
        {
            _views.Dehydrate(target);
        }
    }

    public void EnableStatsCollection() => _views.Statistics ??= new LogConsistencyStatistics { EventCounters = [], StabilizationLatenciesInMsecs = [] };

    public void DisableStatsCollection() => _views.Statistics = null;

    public LogConsistencyStatistics? GetStats() => _views.Statistics;

    private Submission<TEntry> Prepare(IReadOnlyList<TEntry> entries, CommandInvocation invocation, StreamVersion? expected)
    {
        var events = new NewEvent[entries.Count];
        for (var i = 0; i < events.Length; i++)
        {
            events[i] = _services.Codec.Encode(invocation.NextEventId(Stream), entries[i], invocation.Metadata);
        }

        // What the log would refuse is refused here, where it breaks nothing but this call.
        var request = new AppendRequest(Stream, expected is { } version ? ExpectedVersion.Exactly(version) : ExpectedVersion.Any, events, invocation.Context.RequestHash);
        return new Submission<TEntry>(entries, request, invocation, expected, expected is null ? Turn() : NoTurn);
    }

    private Task<AppendOutcome> AppendAsync(IReadOnlyList<TEntry> entries, CommandInvocation invocation, StreamVersion expected)
    {
        ThrowIfBroken();
        ArgumentOutOfRangeException.ThrowIfZero(entries.Count);
        var submission = Prepare(entries, invocation, expected);
        Enqueue(submission);
        _ = FlushAsync();
        return submission.Answer;
    }

    /// <summary>Waits for a submission's own fate: what breaks the activation after it does not make it unwritten.</summary>
    private async Task SettledAsync(Submission<TEntry> submission)
    {
        while (!submission.IsSettled)
        {
            ThrowIfBroken();
            await FlushAsync();
        }
    }

    /// <summary>Events raised beside executed commands are numbered apart; a plain journaled grain executes none.</summary>
    private CommandInvocation? Raising(CommandInvocation? invocation) => _views.Confirmed is IFoldedView ? invocation?.Raising : invocation;

    /// <summary>The number of the grain's present turn: for what may be joined with others of it.</summary>
    private long Turn()
    {
        if (!_turnIsOpen)
        {
            _turnIsOpen = true;
            _ = EndTurnAsync();
        }

        return _turn;
    }

    private async Task EndTurnAsync()
    {
        await Task.Yield();
        (_turn, _turnIsOpen) = (_turn + 1, false);
    }

    /// <summary>Reads in what others wrote. It never throws: a failure breaks the activation.</summary>
    private async Task ReadInAsync()
    {
        try
        {
            await CatchUpAsync(tentativeChanged: false);
        }
        catch (Exception e)
        {
            Break(e);
        }

        FailPending(sent: null);
    }

    /// <summary>Where the activation broke, answers those whose events are not sent any more, and the one whose answer it failed over, if that is not told yet.</summary>
    private void FailPending(Submission<TEntry>? sent)
    {
        if (_broken is null)
        {
            return;
        }

        sent?.Fail(_broken);
        foreach (var pending in _pending)
        {
            pending.Fail(_broken);
        }
    }

    private void Enqueue(Submission<TEntry> submission)
    {
        try
        {
            // A state that refuses the event refuses it here, before the log has it. It may have been changed halfway: it is built anew.
            _views.ApplyTentatively(_pending, submission);
        }
        catch (Exception e)
        {
            Break(e);
            throw;
        }

        _pending.Add(submission);
    }

    private void Break(Exception e)
    {
        if (_broken is not null)
        {
            return;
        }

        _broken = e;
        ActivationBroken(_services.Logger, Stream.ToString(), ConfirmedVersion, e);

        // Calls that wait for it are not those that it failed in.
        var reason = _active ? OutOfService(e) : e;
        _context.Deactivate(new DeactivationReason(DeactivationReasonCode.ApplicationError, reason, "Its log-consistency provider failed."), CancellationToken.None);
    }

    private LogUnavailableException OutOfService(Exception cause) =>
        new($"The grain of stream '{Stream}' failed in an earlier call and starts again from the log; this call did nothing. Send it again.", cause);

    [LoggerMessage(Level = LogLevel.Error, Message = "Grain of stream {Stream} failed at version {Version} and is deactivated; the next call starts it again from the log")]
    private static partial void ActivationBroken(ILogger logger, string stream, int version, Exception cause);
}
