using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.History;
using Orleans.EventSourced.Core.Log;

namespace Orleans.EventSourced.History;

/// <summary>A branch as a log, for the grains that live on it: its calls go to the branch's grain, wherever that is. Safe for concurrent use.</summary>
internal sealed class BranchLog(string id, IGrainFactory grains, BranchCatalog catalog) : IEventLog
{
    private volatile IReadOnlyList<BranchRule> _rules = [];

    /// <summary>The other rules of the branch, as of when its edition was asked for last; that is before a grain folds anything.</summary>
    public IReadOnlyList<BranchRule> Rules => _rules;

    private IBranchLogGrain Grain => grains.GetGrain<IBranchLogGrain>(id);

    /// <summary>What changes when the branch is made anew under its name, or edited.</summary>
    /// <exception cref="HistoryException">There is no such branch.</exception>
    public async Task<Guid> ReadEditionAsync()
    {
        var edition = await OutsideAsync(Grain.GetEditionAsync);
        _rules = [.. edition.Rules.Select(catalog.Rule)];
        return edition.Id;
    }

    public async Task<IReadOnlyList<AppendOutcome>> AppendAsync(IReadOnlyList<AppendRequest> batch, CancellationToken cancellationToken)
    {
        var (outcomes, seen) = (new AppendOutcome[batch.Count], new HashSet<StreamId>());
        for (var i = 0; i < batch.Count; i++)
        {
            outcomes[i] = seen.Add(batch[i].Stream) ? await AppendAsync(batch[i]) : new AppendOutcome.Deferred();
        }

        return outcomes;
    }

    public async Task<IReadOnlyList<IReadOnlyList<RecordedEvent>>> ReadStreamsAsync(IReadOnlyList<StreamRead> reads, CancellationToken cancellationToken)
    {
        var pages = new List<IReadOnlyList<RecordedEvent>>(reads.Count);
        foreach (var read in reads)
        {
            pages.Add([.. (await OutsideAsync(() => Grain.ReadStreamAsync(read.Stream.Value, read.After.Value, read.MaxEvents, read.MaxBytes))).Select(e => e.Recorded)]);
        }

        return pages;
    }

    public Task<IReadOnlyList<RecordedEvent>> ReadLogAsync(LogPosition after, int maxEvents, CancellationToken cancellationToken) =>
        throw new NotSupportedException("The log of a branch is read by its own grain.");

    public Task<LogHead> ReadHeadAsync(CancellationToken cancellationToken) => throw new NotSupportedException("The log of a branch is read by its own grain.");

    public Task<RecordedEvent?> FindCommandAsync(CommandId command, CancellationToken cancellationToken) => Task.FromResult<RecordedEvent?>(null);

    public async Task<RecordedEvent?> FindEventAsync(EventId id, CancellationToken cancellationToken) => (await OutsideAsync(() => Grain.FindAsync(id.Value)))?.Recorded;

    /// <summary>Outside the turn, and without the context of the command, whose nested calls are counted.</summary>
    private static Task<T> OutsideAsync<T>(Func<Task<T>> call)
    {
        using (ExecutionContext.SuppressFlow())
        {
            return Task.Run(call);
        }
    }

    private async Task<AppendOutcome> AppendAsync(AppendRequest request)
    {
        BranchOutcome outcome;
        try
        {
            var events = request.Events.Select(e => new BranchNewEvent(e.Id.Value, e.Type, e.Schema, e.Data, e.Metadata));
            outcome = await OutsideAsync(() => Grain.AppendAsync(new BranchAppend(request.Stream.Value, request.Expected.IsAny ? null : request.Expected.Version.Value, request.RequestHash, [.. events])));
        }
        catch (HistoryException e)
        {
            throw new LogRequestRefusedException(e.Message, e);
        }

        return outcome.Kind switch
        {
            nameof(AppendOutcome.Appended) => new AppendOutcome.Appended(new StreamVersion(outcome.Version), new LogPosition(outcome.Position), outcome.At),
            nameof(AppendOutcome.Duplicate) => new AppendOutcome.Duplicate(new StreamVersion(outcome.Version), new LogPosition(outcome.Position), outcome.At),
            nameof(AppendOutcome.Conflict) => new AppendOutcome.Conflict(new StreamVersion(outcome.Version)),
            nameof(AppendOutcome.IdReused) => new AppendOutcome.IdReused(),
            var kind => throw new InvalidOperationException($"A branch answered {kind}."),
        };
    }
}
