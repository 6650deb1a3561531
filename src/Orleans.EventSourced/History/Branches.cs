using System.Security.Cryptography;
using Orleans.EventSourced.Core.History;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Operations;

namespace Orleans.EventSourced.History;

/// <summary>The branches of the cluster. Safe for concurrent use, from any silo.</summary>
public sealed class Branches
{
    internal const string Registry = "branches";
    private readonly IGrainFactory _grains;
    private readonly OperationsLog _operations;

    internal Branches(IGrainFactory grains, BranchCatalog catalog, OperationsLog operations) => (_grains, Catalog, _operations) = (grains, catalog, operations);

    /// <summary>What branches may name.</summary>
    public BranchCatalog Catalog { get; }

    /// <summary>Makes a branch.</summary>
    /// <param name="id">Its name; null: one is made up.</param>
    /// <param name="request">What it is to be.</param>
    /// <exception cref="HistoryException">It cannot be, there is one of this name, or there are as many as may be.</exception>
    /// <exception cref="LogException">The log could not answer; where the branch is listed, it was made, and only whether that is recorded is not known.</exception>
    public async Task<BranchInfo> CreateAsync(string? id, BranchRequest request)
    {
        var name = id ?? $"b-{RandomNumberGenerator.GetHexString(8, lowercase: true)}";
        _ = BranchKey.Of(name, "x");
        var registry = _grains.GetGrain<IBranchesGrain>(Registry);
        await registry.ReserveAsync(name);
        BranchInfo info;
        try
        {
            info = await _grains.GetGrain<IBranchGrain>(name).CreateAsync(request);
            await registry.AnnounceAsync(info);
        }
        catch (Exception e) when (e is LogException or HistoryException { Fault: not HistoryFault.NotNow })
        {
            await registry.ReleaseAsync(name);
            throw;
        }

        await _operations.RecordAsync(OperationActions.BranchCreate, TargetOf(name), info.Reason, info.Actor, null, Shown(info));
        return info;
    }

    /// <summary>Ends a branch. False: there was none.</summary>
    /// <param name="id">Its name.</param>
    /// <param name="reason">Why: 1 to <see cref="Core.Projections.SkippedEvent.MaxText"/> characters.</param>
    /// <param name="actor">Who says so; null: not known.</param>
    /// <exception cref="ArgumentException">The reason is empty or too long.</exception>
    /// <exception cref="HistoryException">The text can be no branch's name.</exception>
    /// <exception cref="LogException">It was dropped; whether that is recorded is not known.</exception>
    public async Task<bool> DropAsync(string id, string reason, string? actor)
    {
        OperationsLog.Check(reason, actor);
        var branch = Get(id);
        var before = await FindAsync(branch);

        // Also where there is none: its name may still be taken by one that went with its silo.
        var dropped = await branch.DropAsync();
        if (dropped)
        {
            await _operations.RecordAsync(OperationActions.BranchDrop, TargetOf(id), reason, actor, before is null ? null : Shown(before), null);
        }

        return dropped;
    }

    /// <summary>All of them, by name.</summary>
    public Task<IReadOnlyList<BranchInfo>> ListAsync() => _grains.GetGrain<IBranchesGrain>(Registry).ListAsync();

    /// <summary>One of them; what is asked of one that is not there is refused.</summary>
    /// <exception cref="HistoryException">The text can be no branch's name.</exception>
    public IBranchGrain Get(string id)
    {
        _ = BranchKey.Of(id, "x");
        return _grains.GetGrain<IBranchGrain>(id);
    }

    private static async Task<BranchInfo?> FindAsync(IBranchGrain branch)
    {
        try
        {
            return await branch.DescribeAsync();
        }
        catch (HistoryException e) when (e.Fault == HistoryFault.NoSuchBranch)
        {
            return null;
        }
    }

    private static string TargetOf(string id) => $"branch:{id}";

    private static object Shown(BranchInfo info) => new { info.Base, Edits = info.Edits.Count, info.Rules, LiveEvents = info.Head - info.Base, info.ExpiresAt };
}

/// <summary>Keeps count of the branches of the cluster, in memory: each tells of itself every few seconds.</summary>
[Alias("Orleans.EventSourced.IBranchesGrain")]
internal interface IBranchesGrain : IGrainWithStringKey
{
    /// <exception cref="HistoryException">There is one of this name, or there are as many as may be.</exception>
    [Alias("Reserve")]
    Task ReserveAsync(string id);

    [Alias("Announce")]
    Task AnnounceAsync(BranchInfo info);

    [Alias("Release")]
    Task ReleaseAsync(string id);

    [Alias("List")]
    Task<IReadOnlyList<BranchInfo>> ListAsync();
}

[GrainType("es-branches")]
internal sealed class BranchesGrain(HistoryOptions options, TimeProvider time) : Grain, IBranchesGrain
{
    private static readonly TimeSpan Silence = TimeSpan.FromMinutes(1);
    private readonly SortedDictionary<string, (BranchInfo? Info, DateTimeOffset SeenAt)> _branches = new(StringComparer.Ordinal);

    public Task ReserveAsync(string id)
    {
        Forget();
        if (_branches.ContainsKey(id))
        {
            throw new HistoryException(HistoryFault.NotNow, $"There is a branch '{id}' already.");
        }

        if (_branches.Count >= options.MaxBranches)
        {
            throw new HistoryException(HistoryFault.QuotaReached, $"There are {_branches.Count} branches; {options.MaxBranches} are allowed. Drop one.");
        }

        _branches[id] = (null, time.GetUtcNow());
        return Task.CompletedTask;
    }

    public Task AnnounceAsync(BranchInfo info)
    {
        _branches[info.Id] = (info, time.GetUtcNow());
        return Task.CompletedTask;
    }

    public Task ReleaseAsync(string id)
    {
        _branches.Remove(id);
        return Task.CompletedTask;
    }

    public Task<IReadOnlyList<BranchInfo>> ListAsync()
    {
        Forget();
        return Task.FromResult<IReadOnlyList<BranchInfo>>([.. _branches.Values.Select(b => b.Info).OfType<BranchInfo>()]);
    }

    /// <summary>Those that expired, or of which nothing was heard: the silo that had one is gone.</summary>
    private void Forget()
    {
        var now = time.GetUtcNow();
        foreach (var (id, (info, seenAt)) in _branches.ToList())
        {
            if (now - seenAt > Silence || info?.ExpiresAt <= now)
            {
                _branches.Remove(id);
            }
        }
    }
}
