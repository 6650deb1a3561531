using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.History;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Snapshots;
using Orleans.EventSourced.Hosting;
using Orleans.EventSourced.LogConsistency;
using Orleans.Serialization.Serializers;

namespace Orleans.EventSourced.History;

/// <summary>What the grains of one branch have in the place of what those of the trunk have: its log, and its rules. Safe for concurrent use.</summary>
/// <param name="id">The branch's name.</param>
/// <param name="log">Its log.</param>
/// <param name="gone">Told when there is no such branch.</param>
internal sealed class BranchScope(string id, BranchLog log, Action gone)
{
    /// <summary>The branch's name.</summary>
    public string Id { get; } = id;

    /// <summary>Which past the branch has now.</summary>
    /// <exception cref="HistoryException">There is no such branch.</exception>
    public async Task<Guid> ReadEditionAsync()
    {
        try
        {
            return await log.ReadEditionAsync();
        }
        catch (HistoryException e) when (e.Fault == HistoryFault.NoSuchBranch)
        {
            gone();
            throw;
        }
    }

    /// <summary>The fold of a type of streams by another rule; null: by its own.</summary>
    public EntityFold? FoldOf(string type) => log.Rules.OfType<BranchRule.Fold>().LastOrDefault(r => r.States.Type == type)?.States;

    /// <summary>The decision on commands to a type of streams by another rule; null: by its own.</summary>
    public TDecision? DeciderOf<TDecision>(string type)
        where TDecision : Delegate => log.Rules.OfType<BranchRule.Decider>().Where(r => r.Type == type).Select(r => r.Decision).OfType<TDecision>().LastOrDefault();
}

/// <summary>The services of the branches whose grains live on this silo. Safe for concurrent use.</summary>
internal sealed class BranchScopes(IServiceProvider provider) : IAsyncDisposable
{
    private readonly Lock _gate = new();
    private readonly Dictionary<string, (EventSourcingServices Services, GroupCommit Appends, DateTimeOffset UsedAt)> _scopes = new(StringComparer.Ordinal);

    public EventSourcingServices Of(string branch)
    {
        var time = provider.GetRequiredService<TimeProvider>();
        lock (_gate)
        {
            if (_scopes.TryGetValue(branch, out var known))
            {
                _scopes[branch] = known with { UsedAt = time.GetUtcNow() };
                return known.Services;
            }

            Forget(time.GetUtcNow() - (2 * provider.GetRequiredService<HistoryOptions>().MaxBranchLife));
            var made = Make(branch, time);
            _scopes.Add(branch, (made.Services, made.Appends, time.GetUtcNow()));
            return made.Services;
        }
    }

    public async ValueTask DisposeAsync()
    {
        List<GroupCommit> appends;
        lock (_gate)
        {
            appends = [.. _scopes.Values.Select(s => s.Appends)];
            _scopes.Clear();
        }

        foreach (var append in appends)
        {
            await append.DisposeAsync();
        }
    }

    /// <summary>Names that are no branch's are not kept, whoever makes them up. A grain that has it already goes on with it: the branch may just have been made.</summary>
    private void Forget(string branch, GroupCommit appends)
    {
        lock (_gate)
        {
            if (_scopes.TryGetValue(branch, out var scope) && scope.Appends == appends)
            {
                _scopes.Remove(branch);
            }
        }
    }

    /// <summary>No branch lives so long after the last of its grains began.</summary>
    private void Forget(DateTimeOffset usedBefore)
    {
        foreach (var (branch, scope) in _scopes.Where(s => s.Value.UsedAt < usedBefore).ToList())
        {
            _scopes.Remove(branch);
            _ = scope.Appends.DisposeAsync().AsTask();
        }
    }

    private (EventSourcingServices Services, GroupCommit Appends) Make(string branch, TimeProvider time)
    {
        var log = new BranchLog(branch, provider.GetRequiredService<IGrainFactory>(), provider.GetRequiredService<BranchCatalog>());
        var appends = new GroupCommit(log, provider.GetRequiredService<IOptions<GroupCommitOptions>>().Value, time, provider.GetRequiredService<ILogger<GroupCommit>>());
        var services = new EventSourcingServices(
            log,
            appends,
            new StreamLoader(log),
            NoSnapshots.Instance,
            provider.GetRequiredService<JsonEventCodec>(),
            provider.GetRequiredService<IFieldCodecProvider>(),
            provider.GetRequiredService<IOptions<EventSourcingOptions>>(),
            time,
            provider.GetRequiredService<ILoggerFactory>())
        { Branch = new BranchScope(branch, log, () => Forget(branch, appends)) };
        return (services, appends);
    }

    /// <summary>Streams of a branch are folded from their beginning: what was kept of the trunk's may be of events that the branch has not.</summary>
    private sealed class NoSnapshots : ISnapshotStore
    {
        public static readonly NoSnapshots Instance = new();

        public Task<Snapshot?> ReadLatestAsync(Guid logId, StreamId stream, int foldVersion, StreamVersion? upTo, CancellationToken cancellationToken) => Task.FromResult<Snapshot?>(null);

        public Task<IReadOnlyList<SnapshotRow>> ListAsync(SnapshotRow? after, int limit, CancellationToken cancellationToken) => Task.FromResult<IReadOnlyList<SnapshotRow>>([]);

        public Task WriteAsync(Snapshot snapshot, CancellationToken cancellationToken) => Task.CompletedTask;

        public Task DeleteAsync(Guid logId, StreamId stream, int foldVersion, CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
