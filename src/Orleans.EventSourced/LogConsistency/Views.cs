using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Snapshots;
using Orleans.EventSourcing;

namespace Orleans.EventSourced.LogConsistency;

/// <summary>
/// The two views of one grain. An immutable state is copied by assignment; a mutable one is folded twice, because only the grain knows how to
/// change it and nothing may know how to copy it.
/// </summary>
internal sealed class Views<TView, TEntry>
    where TView : class, new()
    where TEntry : class
{
    /// <summary>The most bytes of recent events kept, beside their number, so that grains of large events do not fill the memory with them.</summary>
    private const int MaxRecentBytes = 64 * 1024;

    private readonly ILogViewAdaptorHost<TView, TEntry> _host;
    private readonly StreamId _stream;
    private readonly EventSourcingServices _services;
    private readonly Snapshots<TView> _snapshots;
    private readonly Queue<RecordedEvent> _recent = new();
    private int _recentBytes;
    private LastEvent _last;
    private TView? _tentative;
    private TView? _shadow;

    public Views(ILogViewAdaptorHost<TView, TEntry> host, TView initial, StreamId stream, EventSourcingServices services)
    {
        _host = host;
        _stream = stream;
        _services = services;
        _snapshots = new Snapshots<TView>(stream, services);
        Confirmed = initial;
        _shadow = initial is IFoldedView ? null : new TView();
    }

    public TView Confirmed { get; private set; }

    public StreamVersion Version => _last.Version;

    public LogPosition Position => _last.Position;

    /// <summary>The last events, oldest first: the queue itself, for use within a turn.</summary>
    public IReadOnlyCollection<RecordedEvent> Recent => _recent;

    public LogConsistencyStatistics? Statistics { get; set; }

    public Task SnapshotsWritten => _snapshots.Written;

    /// <summary>The second instance of a mutable state was used up, and is to be folded again from the log.</summary>
    private bool IsRebuilding => Confirmed is not IFoldedView && _tentative is null && _shadow is null;

    private string Fold => Snapshots<TView>.FoldOf(_host.GetType());

    /// <summary>The confirmed view with what is pending folded on top.</summary>
    public TView Tentative(List<Submission<TEntry>> pending) => pending.Count == 0 ? Confirmed : _tentative ?? MakeTentative(pending);

    public void ApplyTentatively(List<Submission<TEntry>> pending, Submission<TEntry> submission)
    {
        if (IsRebuilding)
        {
            // The rebuild folds whatever is pending when it ends, before any of it is sent.
            return;
        }

        Apply(submission, _tentative ?? MakeTentative(pending));
    }

    /// <summary>Builds the tentative view anew. A mutable one's second instance, where it was used up, is folded again from the log.</summary>
    public async Task RebuildTentativeAsync(List<Submission<TEntry>> pending)
    {
        _tentative = null;
        if (IsRebuilding)
        {
            await RebuildShadowAsync();
        }

        if (pending.Count > 0)
        {
            MakeTentative(pending);
        }
    }

    /// <summary>Folds events that the log has just taken into the confirmed view.</summary>
    public void Confirm(Submission<TEntry> batch, AppendOutcome.Appended appended, List<Submission<TEntry>> pending)
    {
        var first = appended.Version.Value - batch.Events.Count + 1;
        for (var i = 0; i < batch.Events.Count; i++)
        {
            var e = batch.Events[i];
            var position = new LogPosition(appended.Position.Value - batch.Events.Count + 1 + i);
            Apply(new RecordedEvent(position, _stream, new StreamVersion(first + i), e.Id, e.Type, e.Schema, e.Data, e.Metadata, appended.RecordedAt), batch.Entries[i], shadow: false);
        }

        Count("appended", batch.Events.Count);
        if (pending.Count == 0 && _tentative is not null && Confirmed is not IFoldedView)
        {
            // It holds now exactly what is confirmed: keep it as the second instance.
            (_shadow, _tentative) = (_tentative, null);
        }
        else if (pending.Count == 0)
        {
            _tentative = null;
        }

        _snapshots.Consider(Confirmed, _last);
    }

    /// <summary>Starts from the newest snapshot of this fold, if there is one and the log holds the event it ends with, and reads in what is behind it.</summary>
    public async Task LoadAsync()
    {
        if (await _snapshots.ReadAsync() is not { } snapshot)
        {
            await ReadTailAsync();
            return;
        }

        // From the snapshot's own event on: whether the log holds it costs no round trip of its own.
        var started = _services.Time.GetTimestamp();
        var page = await ReadPageAsync(new StreamVersion(snapshot.Version.Value - 1));
        var own = page.FirstOrDefault();
        if (own is null || (own.Id, own.Position) != (snapshot.EventId, snapshot.Position))
        {
            await _snapshots.RejectAsync(snapshot);
            await ReadTailAsync();
        }
        else if (TryStartFrom(snapshot))
        {
            await ReadInAsync(page, skip: 1, started);
        }
        else
        {
            await ReadTailAsync();
        }
    }

    /// <summary>Reads in everything behind the confirmed version. True when there was something.</summary>
    public async Task<bool> ReadTailAsync()
    {
        var started = _services.Time.GetTimestamp();
        return await ReadInAsync(await ReadPageAsync(Version), skip: 0, started);
    }

    public TEntry Decode(RecordedEvent recorded) => _services.Codec.Decode(recorded) as TEntry
        ?? throw new LogCorruptException($"its class is no '{typeof(TEntry)}', which the grain of this stream expects.", recorded.Stream, recorded.Version, recorded.Position, recorded.Type);

    /// <summary>Writes what moves with the grain to another silo; nothing, where the state has no serializer: that silo reads the log.</summary>
    public void Dehydrate(IDehydrationContext target)
    {
        var state = Confirmed is IFoldedView folded ? folded.State : Confirmed;
        if (_services.Codecs.TryGetCodec(state.GetType()) is not null)
        {
            Rehydration.Write(target, Fold, state, _last);
        }
    }

    /// <summary>Takes over what another silo's activation left for this one. False: there is nothing, read the log.</summary>
    public bool Rehydrate(IGrainContext context)
    {
        if (context.GetComponent<Rehydration>() is not { } left)
        {
            return false;
        }

        context.SetComponent<Rehydration>(null);
        if (left.Fold != Fold)
        {
            // While a new version of the program is rolled out, a state may come from the old one.
            return false;
        }

        if (Confirmed is IFoldedView folded && folded.StateType.IsInstanceOfType(left.State))
        {
            folded.State = left.State;
        }
        else if (left is { State: TView state, Second: TView second })
        {
            (Confirmed, _shadow) = (state, second);
        }
        else
        {
            return false;
        }

        _last = left.Last;
        Count("rehydrated", 1);
        return true;
    }

    private bool TryStartFrom(Snapshot snapshot)
    {
        if (_snapshots.Restore(snapshot, Confirmed) is not { } confirmed)
        {
            return false;
        }

        Confirmed = confirmed;
        _shadow = _shadow is null ? null : _snapshots.Restore(snapshot, _shadow);
        _last = new LastEvent(snapshot.Version, snapshot.Position, snapshot.EventId.Value);
        Count("snapshot", 1);
        return true;
    }

    /// <summary>Reads in a page, but for the events at its beginning that the view holds, and every page behind it.</summary>
    private async Task<bool> ReadInAsync(IReadOnlyList<RecordedEvent> page, int skip, long started)
    {
        var from = Version;
        foreach (var recorded in page.Skip(skip))
        {
            Apply(recorded, Decode(recorded), shadow: true);
        }

        while (StreamLoader.IsFull(page))
        {
            page = await ReadPageAsync(Version);
            foreach (var recorded in page)
            {
                Apply(recorded, Decode(recorded), shadow: true);
            }
        }

        _snapshots.Loaded(Confirmed, _last, Version.Value - from.Value, _services.Time.GetElapsedTime(started));
        return Version > from;
    }

    private async Task<IReadOnlyList<RecordedEvent>> ReadPageAsync(StreamVersion after)
    {
        Count("read", 1);
        return await _services.Loader.ReadAsync(_stream, after);
    }

    private TView MakeTentative(List<Submission<TEntry>> pending)
    {
        var view = _tentative = Fresh();
        foreach (var submission in pending)
        {
            Apply(submission, view);
        }

        return view;
    }

    private void Apply(Submission<TEntry> submission, TView view)
    {
        for (var i = 0; i < submission.Entries.Count; i++)
        {
            _host.UpdateView(view, submission.Entries[i]);
        }
    }

    /// <summary>An instance that equals the confirmed view and may be changed.</summary>
    private TView Fresh()
    {
        if (Confirmed is IFoldedView folded)
        {
            var copy = new TView();
            ((IFoldedView)copy).State = folded.State;
            return copy;
        }

        var shadow = _shadow ?? throw new LogUnavailableException($"The tentative state of stream '{_stream}' is being rebuilt from the log; ask again.");
        _shadow = null;
        return shadow;
    }

    private async Task RebuildShadowAsync()
    {
        var shadow = new TView();
        for (var at = StreamVersion.None; at < Version;)
        {
            var page = await _services.Loader.ReadAsync(_stream, at, Math.Min(StreamLoader.PageSize, Version.Value - at.Value));
            if (page.Count == 0)
            {
                throw new LogCorruptException($"the stream ends here; version {Version} was confirmed before: the log went back.", _stream, at, LogPosition.Start, "");
            }

            foreach (var recorded in page)
            {
                _host.UpdateView(shadow, Decode(recorded));
                at = recorded.Version;
            }
        }

        _shadow = shadow;
    }

    private void Apply(RecordedEvent recorded, TEntry entry, bool shadow)
    {
        if (recorded.Version != Version + 1)
        {
            throw new LogCorruptException($"version {Version + 1} was expected here.", recorded.Stream, recorded.Version, recorded.Position, recorded.Type);
        }

        try
        {
            _host.UpdateView(Confirmed, entry);
            if (shadow && _shadow is not null)
            {
                _host.UpdateView(_shadow, entry);
            }
        }
        catch (Exception e)
        {
            throw new LogCorruptException($"the state refuses it: {e.Message}", recorded.Stream, recorded.Version, recorded.Position, recorded.Type, e);
        }

        _last = new LastEvent(recorded);
        _recent.Enqueue(recorded);
        _recentBytes += recorded.Bytes;
        while (_recent.Count > _services.Options.RecentEvents || _recentBytes > MaxRecentBytes)
        {
            _recentBytes -= _recent.Dequeue().Bytes;
        }
    }

    private void Count(string name, int count)
    {
        if (Statistics is { } statistics)
        {
            statistics.EventCounters[name] = statistics.EventCounters.GetValueOrDefault(name) + count;
        }
    }
}
