using System.Text.Json;
using Orleans.Concurrency;
using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.History;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Projections;
using Orleans.EventSourced.Projections;
using Orleans.EventSourced.Queries;
using Orleans.EventSourced.Streams;
using Orleans.Placement;

namespace Orleans.EventSourced.History;

/// <summary>
/// A branch: what might have been. Its key is its name. It lives in the memory of one silo until it is dropped or expires, and goes with that silo; it writes nothing to log, views, streams or reactions.
/// Live commands are sent to the entities' own grains, under <see cref="BranchKey.Of"/>.
/// </summary>
[Alias("Orleans.EventSourced.IBranchGrain")]
public interface IBranchGrain : IGrainWithStringKey
{
    /// <summary>Makes it. <see cref="Branches.CreateAsync"/> does, which keeps count of them too.</summary>
    /// <exception cref="HistoryException">It is there already, or cannot be.</exception>
    /// <exception cref="LogException">The log could not answer.</exception>
    [Alias("Create")]
    Task<BranchInfo> CreateAsync(BranchRequest request);

    /// <summary>What it is.</summary>
    /// <exception cref="HistoryException">There is no such branch.</exception>
    [Alias("Describe")]
    Task<BranchInfo> DescribeAsync();

    /// <summary>Adds edits, while there are no live events.</summary>
    /// <exception cref="HistoryException">There is no such branch, it has live events, or the edits cannot be.</exception>
    [Alias("Edit")]
    Task<BranchInfo> EditAsync(IReadOnlyList<BranchEditRequest> edits);

    /// <summary>The state of an entity on the branch against the trunk's as of the base.</summary>
    /// <param name="stream">The entity's stream, <c>type/key</c>.</param>
    /// <exception cref="HistoryException">There is no such branch or entity, or a fold fails.</exception>
    /// <exception cref="LogException">The log could not answer.</exception>
    [Alias("GetState")]
    Task<BranchState> GetStateAsync(string stream);

    /// <summary>A page of a view's rows on the branch; null: it takes longer than <paramref name="atMost"/>, and goes on.</summary>
    /// <exception cref="HistoryException">There is no such branch or view, or a fold fails.</exception>
    /// <exception cref="RowQueryException">The query names what the view does not allow.</exception>
    /// <exception cref="LogException">The log could not answer.</exception>
    [Alias("List")]
    Task<PastAnswer<ViewRows>?> ListAsync(string view, RowQuery query, TimeSpan atMost);

    /// <summary>A row on the branch, null in the answer where there is none; null: it takes longer than <paramref name="atMost"/>, and goes on.</summary>
    /// <exception cref="HistoryException">There is no such branch or view, or a fold fails.</exception>
    /// <exception cref="LogException">The log could not answer.</exception>
    [Alias("Get")]
    Task<PastAnswer<ViewRow?>?> GetAsync(string view, string key, TimeSpan atMost);

    /// <summary>A view on the branch against the trunk's as of the base; null: it takes longer than <paramref name="atMost"/>, and goes on.</summary>
    /// <exception cref="HistoryException">There is no such branch or view, or a fold fails.</exception>
    /// <exception cref="LogException">The log could not answer.</exception>
    [Alias("Compare")]
    Task<PastAnswer<BranchComparison>?> CompareAsync(string view, TimeSpan atMost);

    /// <summary>How far a view of it is. It begins nothing.</summary>
    [Alias("GetStatus")]
    Task<OperationStatus> GetStatusAsync(string view);

    /// <summary>Ends it; false: there was none. <see cref="Branches.DropAsync"/> does, and records why.</summary>
    [Alias("Drop")]
    Task<bool> DropAsync();
}

/// <summary>The same branch as a log, for the grains that live on it.</summary>
[Alias("Orleans.EventSourced.IBranchLogGrain")]
internal interface IBranchLogGrain : IGrainWithStringKey
{
    /// <summary>What changes when it is made anew under its name, or edited; and the names of its other rules.</summary>
    [Alias("GetEdition")]
    Task<BranchEdition> GetEditionAsync();

    [Alias("ReadStream")]
    Task<List<StreamedEvent>> ReadStreamAsync(string stream, int after, int maxEvents, int maxBytes);

    [Alias("Append")]
    Task<BranchOutcome> AppendAsync(BranchAppend request);

    [Alias("Find")]
    Task<StreamedEvent?> FindAsync(Guid id);
}

/// <summary>Which past a branch has.</summary>
[GenerateSerializer, Immutable, Alias("Orleans.EventSourced.BranchEdition")]
internal sealed record BranchEdition([property: Id(0)] Guid Id, [property: Id(1)] IReadOnlyList<string> Rules);

/// <summary>What a live command made happen, on its way to the branch.</summary>
[GenerateSerializer, Immutable, Alias("Orleans.EventSourced.BranchAppend")]
internal sealed record BranchAppend([property: Id(0)] string Stream, [property: Id(1)] int? Expected, [property: Id(2)] string? RequestHash, [property: Id(3)] IReadOnlyList<BranchNewEvent> Events);

/// <summary>One event of it.</summary>
[GenerateSerializer, Immutable, Alias("Orleans.EventSourced.BranchNewEvent")]
internal sealed record BranchNewEvent([property: Id(0)] Guid Id, [property: Id(1)] string Type, [property: Id(2)] short Schema, [property: Id(3)] ReadOnlyMemory<byte> Data, [property: Id(4)] ReadOnlyMemory<byte> Metadata);

/// <summary>What became of it.</summary>
[GenerateSerializer, Immutable, Alias("Orleans.EventSourced.BranchOutcome")]
internal sealed record BranchOutcome([property: Id(0)] string Kind, [property: Id(1)] int Version, [property: Id(2)] long Position, [property: Id(3)] DateTimeOffset At);

/// <summary>Reentrant: what is long runs beside it on the history thread.</summary>
[GrainType("es-branch"), PreferLocalPlacement, Reentrant]
internal sealed class BranchGrain(
    RegisteredViews views, Entities entities, BranchCatalog catalog, PastViews past, HistoryLog history, JsonEventCodec codec, HistoryThread thread, HistoryOptions options, TimeProvider time, IGrainFactory grains) : Grain, IBranchGrain, IBranchLogGrain
{
    private const int MaxViews = 4;
    private const int PageEvents = 1_000;
    private static readonly TimeSpan BetweenAnnouncements = TimeSpan.FromSeconds(10);
    private readonly List<(string View, Operation<BranchRows> Fold)> _folds = [];
    private BranchRequest? _request;
    private Branch? _branch;
    private IGrainTimer? _announcing;
    private bool _isBeingMade;
    private Guid _edition;
    private DateTimeOffset _createdAt;
    private DateTimeOffset _expiresAt;

    private string Id => this.GetPrimaryKeyString();

    public override Task OnDeactivateAsync(DeactivationReason reason, CancellationToken cancellationToken)
    {
        _folds.ForEach(f => f.Fold.Stop());
        return Task.CompletedTask;
    }

    public async Task<BranchInfo> CreateAsync(BranchRequest request)
    {
        if (_isBeingMade || (_branch is not null && !IsOver))
        {
            throw new HistoryException(HistoryFault.NotNow, $"There is a branch '{Id}' already.");
        }

        _isBeingMade = true;
        try
        {
            return await MakeAsync(request);
        }
        finally
        {
            _isBeingMade = false;
        }
    }

    private async Task<BranchInfo> MakeAsync(BranchRequest request)
    {
        if (request.Life is { } life && (life <= TimeSpan.Zero || life > options.MaxBranchLife))
        {
            throw new HistoryException(HistoryFault.QuotaReached, $"A branch lives {options.MaxBranchLife} at most; {life} was asked for.");
        }

        var point = await past.LocateAsync(request.Base is null ? null : PointInTime.Parse(request.Base), CancellationToken.None);
        if (point.Business is not null)
        {
            throw new HistoryException(HistoryFault.BadPoint, "A branch leaves the log at a position or a time of recording; business time is no place in it.");
        }

        var branch = Make(request, point.Position);
        await CheckAsync(branch, request.Edits);
        (_request, _branch, _createdAt, _edition) = (request with { Base = point.Position.ToString() }, branch, time.GetUtcNow(), CommandId.New(time).Value);
        _expiresAt = _createdAt + (request.Life ?? options.MaxBranchLife);
        _announcing ??= this.RegisterGrainTimer(AnnounceAsync, new GrainTimerCreationOptions(BetweenAnnouncements, BetweenAnnouncements) { Interleave = true, KeepAlive = true });
        return Info();
    }

    public Task<BranchInfo> DescribeAsync()
    {
        _ = There();
        return Task.FromResult(Info());
    }

    public async Task<BranchInfo> EditAsync(IReadOnlyList<BranchEditRequest> edits)
    {
        var before = There();
        RefuseLive(before);
        var request = _request! with { Edits = [.. _request.Edits, .. edits] };
        var edited = Make(request, before.Definition.Base);
        await CheckAsync(edited, request.Edits);
        if (!ReferenceEquals(_branch, before))
        {
            throw new HistoryException(HistoryFault.NotNow, $"Branch '{Id}' was edited by another call meanwhile; look at it and try again.");
        }

        RefuseLive(before);
        (_request, _branch, _edition) = (request, edited, CommandId.New(time).Value);
        _folds.ForEach(f => f.Fold.Stop());
        _folds.Clear();
        return Info();
    }

    public async Task<BranchState> GetStateAsync(string stream)
    {
        var (branch, id) = (There(), StreamOf(stream));
        var fold = entities.Find(id.Type);
        var (trunkVersion, _, trunk) = await FoldAsync(fold, new Branch(branch.Definition with { Edits = [], Rules = [] }, catalog, history.Log, codec, options, thread), id);
        var (version, position, state) = await FoldAsync(branch.FoldOf(fold), branch, id);
        if (version == 0 && trunkVersion == 0)
        {
            throw new HistoryException(HistoryFault.NoSuchStream, $"There is no stream '{id}', neither on branch '{Id}' nor on the trunk up to its base.");
        }

        var patch = JsonSerializer.Serialize(StateDiff.Between(trunk, state));
        return new BranchState(version, position, state.GetRawText(), trunkVersion, trunk.GetRawText(), patch);
    }

    public async Task<PastAnswer<ViewRows>?> ListAsync(string view, RowQuery query, TimeSpan atMost) =>
        await RowsAsync(view, atMost) is { } rows && rows.Query(query) is var (page, reflects) ? new PastAnswer<ViewRows>(page, reflects.Value, IsFinal: true) : null;

    public async Task<PastAnswer<ViewRow?>?> GetAsync(string view, string key, TimeSpan atMost) =>
        await RowsAsync(view, atMost) is { } rows && rows.Find(key) is var (row, reflects) ? new PastAnswer<ViewRow?>(row, reflects.Value, IsFinal: true) : null;

    public async Task<PastAnswer<BranchComparison>?> CompareAsync(string view, TimeSpan atMost) =>
        await RowsAsync(view, atMost) is { } rows && await Task.Run(rows.Compare) is var (comparison, reflects) ? new PastAnswer<BranchComparison>(comparison, reflects.Value, IsFinal: true) : null;

    public Task<OperationStatus> GetStatusAsync(string view) =>
        Task.FromResult(_folds.Find(f => f.View == view) is (_, { } fold) ? fold.Status : new OperationStatus(OperationState.None, 0, 0));

    public async Task<bool> DropAsync()
    {
        var was = _branch is not null && !IsOver;
        _branch = null;

        // Before its name is free: who makes it anew gets another activation.
        Leave();
        await grains.GetGrain<IBranchesGrain>(Branches.Registry).ReleaseAsync(Id);
        return was;
    }

    public Task<BranchEdition> GetEditionAsync() => Task.FromResult(new BranchEdition(_edition, There().Definition.Rules));

    public async Task<List<StreamedEvent>> ReadStreamAsync(string stream, int after, int maxEvents, int maxBytes)
    {
        // Whoever reads tells the last page by its being short of both limits.
        var (page, bytes) = (new List<StreamedEvent>(), 0L);
        foreach (var recorded in await There().ReadStreamAsync(StreamOf(stream), new StreamVersion(after), maxEvents, CancellationToken.None))
        {
            page.Add(Streamed(recorded));
            if ((bytes += recorded.Bytes) >= maxBytes)
            {
                break;
            }
        }

        return page;
    }

    public async Task<BranchOutcome> AppendAsync(BranchAppend request)
    {
        var stream = StreamOf(request.Stream);
        var events = request.Events.Select(e => new NewEvent(new EventId(e.Id), e.Type, e.Schema, e.Data, e.Metadata));
        var append = new AppendRequest(stream, request.Expected is { } expected ? ExpectedVersion.Exactly(new StreamVersion(expected)) : ExpectedVersion.Any, [.. events], request.RequestHash);
        var branch = There();
        var appended = await branch.AppendAsync(append, time.GetUtcNow(), CancellationToken.None);
        if (!ReferenceEquals(_branch, branch))
        {
            throw new HistoryException(HistoryFault.NotNow, $"Branch '{Id}' was edited, dropped or made anew meanwhile; nothing was appended to it.");
        }

        return appended switch
        {
            AppendOutcome.Appended(var version, var position, var at) => new BranchOutcome(nameof(AppendOutcome.Appended), version.Value, position.Value, at),
            AppendOutcome.Duplicate(var version, var position, var at) => new BranchOutcome(nameof(AppendOutcome.Duplicate), version.Value, position.Value, at),
            AppendOutcome.Conflict(var actual) => new BranchOutcome(nameof(AppendOutcome.Conflict), actual.Value, 0, default),
            AppendOutcome.IdReused => new BranchOutcome(nameof(AppendOutcome.IdReused), 0, 0, default),
            var outcome => throw new InvalidOperationException($"A branch answered {outcome}."),
        };
    }

    public Task<StreamedEvent?> FindAsync(Guid id) => Task.FromResult(There().Find(new EventId(id)) is { } found ? Streamed(found) : null);

    private bool IsOver => time.GetUtcNow() >= _expiresAt;

    /// <summary>Who asks for a branch that is just being made does not end it.</summary>
    private void Leave()
    {
        if (!_isBeingMade)
        {
            DeactivateOnIdle();
        }
    }

    private Branch There()
    {
        if (_branch is { } branch && !IsOver)
        {
            DelayDeactivation(_expiresAt - time.GetUtcNow());
            return branch;
        }

        Leave();
        throw new HistoryException(HistoryFault.NoSuchBranch, $"There is no branch '{Id}': it was not made, was dropped, expired, or went with the silo that had it.");
    }

    private Branch Make(BranchRequest request, LogPosition at) =>
        new(new BranchDefinition(Id, at, [.. request.Edits.Select(e => e.ToEdit())], request.Rules, request.Reason, request.Actor), catalog, history.Log, codec, options, thread);

    private void RefuseLive(Branch branch)
    {
        if (branch.LiveEvents > 0)
        {
            throw new HistoryException(HistoryFault.NotNow, $"Branch '{Id}' has {branch.LiveEvents} live events, which what was before them cannot be taken from; make another branch.");
        }
    }

    /// <summary>An edit that names what is not there is refused at once, not when a view is asked for.</summary>
    private static async Task CheckAsync(Branch branch, IReadOnlyList<BranchEditRequest> edits)
    {
        foreach (var stream in edits.Select(e => e.Stream).OfType<string>().Distinct(StringComparer.Ordinal))
        {
            await branch.ReadStreamAsync(StreamOf(stream), StreamVersion.None, 1, CancellationToken.None);
        }
    }

    private static StreamId StreamOf(string stream)
    {
        try
        {
            return new StreamId(stream);
        }
        catch (ArgumentException e)
        {
            throw new HistoryException(HistoryFault.NoSuchStream, e.Message, e);
        }
    }

    private async Task<(int Version, long Position, JsonElement State)> FoldAsync(EntityFold fold, Branch branch, StreamId stream)
    {
        // A stream that is edited is read whole, whatever page of it is wanted.
        var (state, version, position, most) = (fold.Initial, StreamVersion.None, 0L, branch.Rewrites(stream) ? int.MaxValue : PageEvents);
        while (await branch.ReadStreamAsync(stream, version, most, CancellationToken.None) is { Count: > 0 } page)
        {
            if (version.Value + page.Count > options.MaxEventsAtOnce)
            {
                throw new HistoryException(HistoryFault.TooMuch, $"More than {options.MaxEventsAtOnce} events of '{stream}' would be folded at once.");
            }

            if (page.Count < PageEvents)
            {
                Fold(page);
            }
            else
            {
                await thread.RunAsync(() => Fold(page), CancellationToken.None);
            }
        }

        return (version.Value, position, fold.Show(state));

        void Fold(IReadOnlyList<RecordedEvent> events)
        {
            foreach (var recorded in events)
            {
                (state, version, position) = (fold.Evolve(state, recorded, codec), recorded.Version, recorded.Position.Value);
            }
        }
    }

    private async Task<BranchRows?> RowsAsync(string view, TimeSpan atMost)
    {
        var branch = There();
        var registered = views.Named(view) ?? throw new HistoryException(HistoryFault.NoSuchStream, $"This program has no view '{view}'.");
        if (_folds.FindIndex(f => f.View == view) is >= 0 and var index)
        {
            if (_folds[index].Fold.Status.State != OperationState.Failed)
            {
                var known = _folds[index];
                _folds.RemoveAt(index);
                _folds.Add(known);
                return await known.Fold.ResultAsync(atMost, time);
            }

            _folds.RemoveAt(index);
        }

        if (_folds.Count >= MaxViews)
        {
            _folds[0].Fold.Stop();
            _folds.RemoveAt(0);
        }

        var fold = new Operation<BranchRows>((progress, stop) => registered.FoldBranchAsync(branch, progress, stop));
        _folds.Add((view, fold));
        return await fold.ResultAsync(atMost, time);
    }

    private StreamedEvent Streamed(RecordedEvent recorded) => new(recorded, codec.Decode);

    private BranchInfo Info() => new(Id, _branch!.Definition.Base.Value, _branch.Head.Value, _request!.Edits, _request.Rules, _request.Reason, _request.Actor, _createdAt, _expiresAt);

    /// <summary>The list of branches is in the memory of another grain, which may have to begin anew.</summary>
    private async Task AnnounceAsync(CancellationToken cancellationToken)
    {
        if (_branch is null || IsOver)
        {
            Leave();
            return;
        }

        await grains.GetGrain<IBranchesGrain>(Branches.Registry).AnnounceAsync(Info());
    }
}
