using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Projections;
using Orleans.EventSourced.Core.Reactions;
using Orleans.EventSourced.Operations;

namespace Orleans.EventSourced.Reactions;

/// <summary>The reactions and deadlines of this program, wherever in the cluster they run. Safe for concurrent use.</summary>
public sealed class ReactionControl
{
    private readonly RegisteredReactions _reactions;
    private readonly IGrainFactory _grains;
    private readonly OperationsLog _operations;
    private readonly TimeProvider _time;

    internal ReactionControl(RegisteredReactions reactions, IGrainFactory grains, OperationsLog operations, TimeProvider time) => (_reactions, _grains, _operations, _time) = (reactions, grains, operations, time);

    /// <summary>Where each reaction stands, by name.</summary>
    public async Task<IReadOnlyList<ReactionReport>> ListAsync() =>
        await Task.WhenAll(from reaction in _reactions.Reactions orderby reaction.Reaction.Value select ReportAsync(reaction.Reaction));

    /// <summary>How each deadline stands, by name.</summary>
    public async Task<IReadOnlyList<DeadlineReport>> ListDeadlinesAsync() =>
        await Task.WhenAll(from deadline in _reactions.Deadlines orderby deadline.Deadline.Value select ReportAsync(deadline.Deadline));

    /// <summary>Lets a reaction that stands still at an event, or waits before its next try, try again at once.</summary>
    /// <param name="reaction">The reaction.</param>
    /// <param name="reason">Why: 1 to <see cref="SkippedEvent.MaxText"/> characters.</param>
    /// <param name="actor">Who says so; null: not known.</param>
    /// <exception cref="ArgumentException">This program has no such reaction, or the reason is empty or too long.</exception>
    /// <exception cref="LogException">Resumed or not: resume it again.</exception>
    public async Task ResumeAsync(ReactionName reaction, string reason, string? actor)
    {
        OperationsLog.Check(reason, actor);
        var grain = Grain(Registered(reaction).Reaction);
        var before = await grain.GetStatusAsync();
        await PerformAsync(OperationActions.ReactionResume, reaction, reason, actor, before, new { Resumed = true }, grain.ResumeAsync);
    }

    /// <summary>Lets a deadline look for due rows at once, those that rest among them. It would by itself a little later, so no reason is asked for and nothing recorded.</summary>
    /// <exception cref="ArgumentException">This program has no such deadline.</exception>
    public Task ResumeAsync(DeadlineName deadline) => _reactions.FindDeadline(deadline.Value) is null
        ? throw new ArgumentException($"This program has no deadline '{deadline}'.", nameof(deadline))
        : _grains.GetGrain<IDeadlineGrain>(deadline.Value).ResumeAsync();

    /// <summary>
    /// Passes over the event that a reaction stands at, and lets it go on. What should follow from the event is not done, and what was decided is kept: <see cref="ListSkippedAsync"/>.
    /// </summary>
    /// <param name="reaction">The reaction.</param>
    /// <param name="position">The event's place in the log.</param>
    /// <param name="reason">Why: 1 to <see cref="SkippedEvent.MaxText"/> characters.</param>
    /// <param name="actor">Who says so; null: not known.</param>
    /// <param name="cancellationToken">Ends the wait; the event may be skipped then.</param>
    /// <exception cref="ArgumentException">This program has no such reaction, or the reason is empty or too long.</exception>
    /// <exception cref="LogRequestRefusedException">The reaction does not stand at the event, or passes over too many already.</exception>
    /// <exception cref="LogException">Kept or not: skip it again.</exception>
    public async Task SkipAsync(ReactionName reaction, LogPosition position, string reason, string? actor, CancellationToken cancellationToken)
    {
        var registered = Registered(reaction);
        var skipped = new SkippedEvent(position, reason, actor, _time.GetUtcNow());
        var known = await registered.Store.ReadSkippedAsync(reaction, cancellationToken);
        var before = await Grain(reaction).GetStatusAsync();
        var stands = before.FaultAt == position.Value;
        var isNew = known.All(k => k.Position != position);
        if (!stands && isNew)
        {
            throw new LogRequestRefusedException($"The reaction {reaction} does not stand at position {position}; only an event that it cannot deal with can be skipped.");
        }

        if (known.Count >= ReactionOptions.MaxSkipped && isNew)
        {
            throw new LogRequestRefusedException($"The reaction {reaction} passes over {known.Count} events already, which is the most: mend its handler.");
        }

        await PerformAsync(OperationActions.ReactionSkip, reaction, reason, actor, before, new { Skipped = position.Value }, async () =>
        {
            await registered.Store.SkipAsync(reaction, skipped, cancellationToken);
            if (stands)
            {
                await Grain(reaction).ResumeAsync();
            }
        });
    }

    /// <summary>The events that a reaction passes over, by position.</summary>
    /// <exception cref="ArgumentException">This program has no such reaction.</exception>
    /// <exception cref="LogUnavailableException">The store could not answer.</exception>
    public Task<IReadOnlyList<SkippedEvent>> ListSkippedAsync(ReactionName reaction, CancellationToken cancellationToken) => Registered(reaction).Store.ReadSkippedAsync(reaction, cancellationToken);

    private RegisteredReaction Registered(ReactionName reaction) =>
        _reactions.FindReaction(reaction.Value) ?? throw new ArgumentException($"This program has no reaction '{reaction}'.", nameof(reaction));

    /// <summary>What is done may be done again: a command that was sent before is.</summary>
    private Task PerformAsync(string action, ReactionName reaction, string reason, string? actor, ReactionProgress before, object asked, Func<Task> effect) => _operations.PerformAsync(
        new Operation(action, $"reaction:{reaction}", reason, actor, new { before.State, before.Position, before.FaultAt, Fault = OperationsLog.Fault(before.Fault), before.Attempts }, asked), effect);

    private IReactionGrain Grain(ReactionName reaction) => _grains.GetGrain<IReactionGrain>(reaction.Value);

    private async Task<ReactionReport> ReportAsync(ReactionName reaction)
    {
        var p = await Grain(reaction).GetStatusAsync();
        return new ReactionReport(new ReactionStatus(reaction, p.State, new LogPosition(p.Position), new LogPosition(p.Head), p.Fault, new LogPosition(p.FaultAt), p.Attempts, p.Since), p.Silo);
    }

    private async Task<DeadlineReport> ReportAsync(DeadlineName deadline)
    {
        var p = await _grains.GetGrain<IDeadlineGrain>(deadline.Value).GetStatusAsync();
        return new DeadlineReport(new DeadlineStatus(deadline, p.State, p.Handled, p.Resting, p.Fault, p.FaultKey, p.Attempts, p.Since) { Looks = p.Looks }, p.Silo);
    }
}

/// <summary>Where a reaction stands, and on which silo it runs.</summary>
/// <param name="Status">Where it stands.</param>
/// <param name="Silo">The silo.</param>
public sealed record ReactionReport(ReactionStatus Status, SiloAddress Silo);

/// <summary>How a deadline stands, and on which silo it runs.</summary>
/// <param name="Status">How it stands.</param>
/// <param name="Silo">The silo.</param>
public sealed record DeadlineReport(DeadlineStatus Status, SiloAddress Silo);
