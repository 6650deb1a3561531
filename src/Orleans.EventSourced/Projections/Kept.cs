using Orleans.EventSourced.Reactions;

namespace Orleans.EventSourced.Projections;

/// <summary>Something that runs once in the cluster, on a silo whose program knows it: a view in its slices, a reaction, a deadline.</summary>
internal interface IKept
{
    /// <summary>How programs call it when they say what they know. It also says where it runs, among the silos that know it.</summary>
    string Name { get; }

    /// <summary>In how many parts it runs.</summary>
    int Parts { get; }

    /// <summary>Lets a part run at a silo.</summary>
    Task WakeAsync(IGrainFactory grains, int part, SiloAddress owner);
}

/// <summary>What this silo helps to keep.</summary>
internal sealed class Kept(RegisteredViews views, RegisteredReactions reactions, Deferral deferral)
{
    /// <summary>A silo that comes to load events neither reacts to them nor watches the clock: that is for those that stay.</summary>
    public IReadOnlyList<IKept> All { get; } = deferral.WasDeferred ? [.. views.All] : [.. views.All, .. reactions.Reactions, .. reactions.Deadlines];

    /// <summary>What the silo tells others that it knows.</summary>
    public string[] Names => deferral.WasDeferred ? [] : [.. All.Select(k => k.Name)];
}
