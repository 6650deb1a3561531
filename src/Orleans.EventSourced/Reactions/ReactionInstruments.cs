using System.Diagnostics.Metrics;

namespace Orleans.EventSourced.Reactions;

/// <summary>The metrics of reactions and deadlines, under the meter <see cref="MeterName"/>.</summary>
public static class ReactionInstruments
{
    /// <summary>The name of the meter to subscribe to.</summary>
    public const string MeterName = "Orleans.EventSourced.Reactions";

    private static readonly Meter Meter = new(MeterName);
    private static readonly Counter<long> Commands = Meter.CreateCounter<long>("orleans.eventsourced.reaction.commands", "{command}", "Commands sent by reactions and deadlines, by who sent them and how they were answered.");

    /// <summary>An answered command. There are as many senders as the program registers, and five outcomes.</summary>
    internal static void Answered(string sender, string outcome) => Commands.Add(1, new KeyValuePair<string, object?>("sender", sender), new KeyValuePair<string, object?>("outcome", outcome));
}
