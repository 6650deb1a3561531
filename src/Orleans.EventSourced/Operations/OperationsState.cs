using System.Collections.Immutable;
using System.Text.Json;
using Orleans.EventSourced.Core.Deciding;

namespace Orleans.EventSourced.Operations;

/// <summary>What the record of operators is told.</summary>
[GenerateSerializer, Immutable, Alias("Orleans.EventSourced.OperationCommand")]
internal abstract record OperationCommand
{
    private OperationCommand()
    {
    }

    /// <summary>It is about to be done; <see cref="OperationRequested"/> as it travels.</summary>
    [GenerateSerializer, Immutable, Alias("Orleans.EventSourced.OperationCommand.Request")]
    internal sealed record Request(
        [property: Id(0)] Guid Operation,
        [property: Id(1)] string Action,
        [property: Id(2)] string Target,
        [property: Id(3)] string Reason,
        [property: Id(4)] string? Before,
        [property: Id(5)] string Asked) : OperationCommand;

    /// <summary>It took effect.</summary>
    [GenerateSerializer, Immutable, Alias("Orleans.EventSourced.OperationCommand.Complete")]
    internal sealed record Complete(
        [property: Id(0)] Guid Operation,
        [property: Id(1)] string Action,
        [property: Id(2)] string Target,
        [property: Id(3)] string Reason,
        [property: Id(4)] string? Before,
        [property: Id(5)] string? After) : OperationCommand;

    /// <summary>It took no effect.</summary>
    [GenerateSerializer, Immutable, Alias("Orleans.EventSourced.OperationCommand.Decline")]
    internal sealed record Decline([property: Id(0)] Guid Operation, [property: Id(1)] string Why) : OperationCommand;
}

/// <summary>What of the record is known without reading it.</summary>
/// <param name="Count">How many events it has.</param>
/// <param name="Open">What was asked for and has no outcome, each with the version of its event: few, for only a crash or a log that is away leaves one.</param>
[FoldVersion(2)]
internal sealed record OperationsState(int Count, ImmutableDictionary<Guid, int> Open) : IDecider<OperationsState, OperationCommand, OperationEvent>
{
    public static OperationsState Initial { get; } = new(0, ImmutableDictionary<Guid, int>.Empty);

    /// <summary>What took effect is a fact by the time it comes here, whatever the state is. That it did not is said only of what has no outcome yet.</summary>
    public static Decision<OperationEvent> Decide(OperationsState state, OperationCommand command) => command switch
    {
        OperationCommand.Request r when state.Open.ContainsKey(r.Operation) => Core.Deciding.Decide.Accept<OperationEvent>(),
        OperationCommand.Request r => Core.Deciding.Decide.Accept<OperationEvent>(new OperationRequested(r.Operation, r.Action, r.Target, r.Reason, Parsed(r.Before), JsonElement.Parse(r.Asked))),
        OperationCommand.Complete c => Core.Deciding.Decide.Accept<OperationEvent>(new OperationPerformed(c.Action, c.Target, c.Reason, Parsed(c.Before), Parsed(c.After)) { Operation = c.Operation }),
        OperationCommand.Decline d when state.Open.ContainsKey(d.Operation) => Core.Deciding.Decide.Accept<OperationEvent>(new OperationDeclined(d.Operation, d.Why)),
        OperationCommand.Decline => Core.Deciding.Decide.Accept<OperationEvent>(),
        _ => throw new InvalidOperationException($"'{command}' is none of the commands of this record."),
    };

    public static OperationsState Evolve(OperationsState state, OperationEvent @event) => new(state.Count + 1, @event switch
    {
        OperationRequested requested => state.Open.SetItem(requested.Operation, state.Count + 1),
        OperationPerformed { Operation: { } operation } => state.Open.Remove(operation),
        OperationDeclined declined => state.Open.Remove(declined.Operation),
        _ => state.Open,
    });

    private static JsonElement? Parsed(string? json) => json is null ? null : JsonElement.Parse(json);
}
