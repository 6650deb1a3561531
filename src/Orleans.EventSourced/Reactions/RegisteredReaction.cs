using Microsoft.Extensions.Logging;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Projections;
using Orleans.EventSourced.Core.Reactions;
using Orleans.EventSourced.Projections;

namespace Orleans.EventSourced.Reactions;

/// <summary>A reaction that this program knows.</summary>
internal sealed class RegisteredReaction(Reaction reaction, IReactionStore store, LogTail tail, ReactionOptions options, TimeProvider time, ILoggerFactory loggers) : IKept
{
    public ReactionName Reaction => reaction.Name;

    public string Name => "reaction/" + reaction.Name.Value;

    public int Parts => 1;

    public IReactionStore Store => store;

    public Task WakeAsync(IGrainFactory grains, int part, SiloAddress owner) => grains.GetGrain<IReactionGrain>(reaction.Name.Value).WakeAsync(owner);

    public ReactionLoop Loop() => new(reaction, store, tail, options, time, loggers.CreateLogger(RegisteredReactions.Logs));
}

/// <summary>A deadline that this program knows.</summary>
internal sealed class RegisteredDeadline(DeadlineName deadline, ViewId view, Func<DeadlineLoop> loop) : IKept
{
    public DeadlineName Deadline { get; } = deadline;

    public ViewId View { get; } = view;

    public string Name => "deadline/" + Deadline.Value;

    public int Parts => 1;

    public Task WakeAsync(IGrainFactory grains, int part, SiloAddress owner) => grains.GetGrain<IDeadlineGrain>(Deadline.Value).WakeAsync(owner);

    public DeadlineLoop Loop() => loop();
}

/// <summary>The reactions and deadlines that this program knows.</summary>
internal sealed class RegisteredReactions
{
    public const string Logs = "Orleans.EventSourced.Reactions";
    private readonly Dictionary<string, RegisteredReaction> _reactions = new(StringComparer.Ordinal);
    private readonly Dictionary<string, RegisteredDeadline> _deadlines = new(StringComparer.Ordinal);

    /// <exception cref="OrleansConfigurationException">A name is registered twice, or a deadline's view is not registered.</exception>
    public RegisteredReactions(IEnumerable<RegisteredReaction> reactions, IEnumerable<RegisteredDeadline> deadlines, RegisteredViews views)
    {
        foreach (var reaction in reactions)
        {
            if (!_reactions.TryAdd(reaction.Reaction.Value, reaction))
            {
                throw new OrleansConfigurationException($"The reaction '{reaction.Reaction}' is registered twice: checkpoint and command ids hang on its name.");
            }
        }

        foreach (var deadline in deadlines)
        {
            if (!_deadlines.TryAdd(deadline.Deadline.Value, deadline))
            {
                throw new OrleansConfigurationException($"The deadline '{deadline.Deadline}' is registered twice: command ids hang on its name.");
            }

            if (views.Find(deadline.View.Table) is null)
            {
                throw new OrleansConfigurationException($"The deadline '{deadline.Deadline}' needs the view {deadline.View}: call AddView.");
            }
        }
    }

    public IReadOnlyCollection<RegisteredReaction> Reactions => _reactions.Values;

    public IReadOnlyCollection<RegisteredDeadline> Deadlines => _deadlines.Values;

    /// <summary>Null: this program does not know it.</summary>
    public RegisteredReaction? FindReaction(string name) => _reactions.GetValueOrDefault(name);

    /// <summary>Null: this program does not know it.</summary>
    public RegisteredDeadline? FindDeadline(string name) => _deadlines.GetValueOrDefault(name);
}
