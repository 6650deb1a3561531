using System.Runtime.ExceptionServices;
using System.Security.Cryptography;
using System.Text.Json;
using Orleans.EventSourced.Commands;
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
    /// <exception cref="LogException">The log could not answer, and there is no branch; with <see cref="LogOutcomeUnknownException"/> there is one, where it is listed, and only whether that is recorded is not known.</exception>
    public async Task<BranchInfo> CreateAsync(string? id, BranchRequest request)
    {
        ArgumentNullException.ThrowIfNull(request);

        // A command that is sent again means the same branch.
        var name = id ?? $"b-{(CommandContext.Current is { IsNamed: true } command ? command.Command.ToString("N")[^8..] : RandomNumberGenerator.GetHexString(8, lowercase: true))}";
        _ = BranchKey.Of(name, "x");
        var (made, fault) = await _operations.PerformAsync<(BranchInfo? Info, Exception? Fault)>(
            new Operation(OperationActions.BranchCreate, TargetOf(name), request.Reason, request.Actor, null, new { request.Base, Edits = request.Edits.Count, Digest = DigestOf(request), request.Rules, request.Life }),
            async earlier => earlier is not null && await FindAsync(Get(name)) is { } found && IsOf(found, request) ? new((found, null), Shown(found)) : await MakeAsync(name, request),
            async _ => await Get(name).DescribeAsync() is var known && IsOf(known, request) ? (known, null) : throw Replaced(name));
        if (fault is not null)
        {
            ExceptionDispatchInfo.Throw(fault);
        }

        return made!;
    }

    /// <summary>Ends a branch. False: there was none.</summary>
    /// <param name="id">Its name.</param>
    /// <param name="reason">Why: 1 to <see cref="Core.Projections.SkippedEvent.MaxText"/> characters.</param>
    /// <param name="actor">Who says so; null: not known.</param>
    /// <exception cref="ArgumentException">The reason is empty or too long.</exception>
    /// <exception cref="HistoryException">The text can be no branch's name.</exception>
    /// <exception cref="LogException">The log could not answer, and nothing was dropped; with <see cref="LogOutcomeUnknownException"/> it was or may have been: look.</exception>
    public async Task<bool> DropAsync(string id, string reason, string? actor)
    {
        OperationsLog.Check(reason, actor);
        var branch = Get(id);
        var before = await FindAsync(branch);

        // Also where there is none: its name may still be taken by one that went with its silo. Nobody can tell one that an earlier try dropped from one that was never there, and it is gone.
        return await _operations.PerformAsync(
            new Operation(OperationActions.BranchDrop, TargetOf(id), reason, actor, before is null ? null : Shown(before), new { Dropped = true }),
            async earlier => await branch.DropAsync() || earlier is not null ? new Effect<bool>(true, null) : new(false, null, "There is no such branch."),
            _ => Task.FromResult(true));
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

    /// <summary>What keeps it from being made is answered, not thrown: nothing was made then, also where the log did not answer.</summary>
    private async Task<Effect<(BranchInfo? Info, Exception? Fault)>> MakeAsync(string name, BranchRequest request)
    {
        var registry = _grains.GetGrain<IBranchesGrain>(Registry);
        await registry.ReserveAsync(name);
        try
        {
            var info = await _grains.GetGrain<IBranchGrain>(name).CreateAsync(request);
            await registry.AnnounceAsync(info);
            return new((info, null), Shown(info));
        }
        catch (Exception e) when (e is LogException or HistoryException { Fault: not HistoryFault.NotNow })
        {
            await registry.ReleaseAsync(name);
            return new((null, e), null, e.Message);
        }
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

    /// <summary>Whether a branch is what was asked for. Its base may be the head of that moment, and edits may have been added.</summary>
    private static bool IsOf(BranchInfo found, BranchRequest request) =>
        found.Reason == request.Reason && found.Actor == request.Actor && found.Edits.Take(request.Edits.Count).SequenceEqual(request.Edits) && found.Rules.SequenceEqual(request.Rules, StringComparer.Ordinal);

    private static HistoryException Replaced(string name) => new(HistoryFault.NoSuchBranch, $"The branch '{name}' that this command made is gone, and another one has its name.");

    /// <summary>Tells requests apart by what their edits are, which would be too long for the record.</summary>
    private static string DigestOf(BranchRequest request) => Convert.ToHexStringLower(SHA256.HashData(JsonSerializer.SerializeToUtf8Bytes(request.Edits)).AsSpan(0, 16));

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
