using System.Collections.Immutable;
using Orleans.EventSourced.Core.Deciding;

namespace Orleans.EventSourced.Mutations;

/// <summary>What a session is told.</summary>
[GenerateSerializer, Immutable, Alias("Orleans.EventSourced.SessionCommand")]
internal abstract record SessionCommand;

/// <summary>Note a request, to be executed.</summary>
[GenerateSerializer, Immutable, Alias("Orleans.EventSourced.RequestMutation")]
internal sealed record RequestMutation(
    [property: Id(0)] Guid Mutation,
    [property: Id(1)] string Command,
    [property: Id(2)] string Target,
    [property: Id(3)] string Payload,
    [property: Id(4)] string? RequestHash,
    [property: Id(5)] int? ExpectedVersion) : SessionCommand;

/// <summary>Note what became of a request.</summary>
[GenerateSerializer, Immutable, Alias("Orleans.EventSourced.RecordFate")]
internal sealed record RecordFate([property: Id(0)] MutationFate Fate) : SessionCommand;

/// <summary>A session as far as it is remembered: its last requests, all that are open among them.</summary>
/// <param name="Order">What it remembers, oldest first.</param>
/// <param name="Waiting">Those of them that wait to be executed: the last ones.</param>
/// <param name="Known">What became of each.</param>
/// <param name="Open">How many wait.</param>
internal sealed record Session(ImmutableQueue<Guid> Order, ImmutableQueue<Guid> Waiting, ImmutableDictionary<Guid, MutationStatus> Known, int Open) : IDecider<Session, SessionCommand, SessionEvent>
{
    /// <summary>The most requests that may wait to be executed.</summary>
    public const int MaxOpen = 1_000;

    /// <summary>The most requests that are remembered. Requests are executed in order, so the open ones are the last.</summary>
    public const int MaxKnown = 2 * MaxOpen;

    public static Session Initial { get; } = new([], [], ImmutableDictionary<Guid, MutationStatus>.Empty, 0);

    public static Decision<SessionEvent> Decide(Session state, SessionCommand command) => command switch
    {
        RequestMutation { Mutation: var id } when state.Known.ContainsKey(id) => Core.Deciding.Decide.Refuse<SessionEvent>(MutationRefusals.Known, "The session has a mutation with this id already."),
        RequestMutation when state.Open >= MaxOpen => Core.Deciding.Decide.Refuse<SessionEvent>(MutationRefusals.Full, $"{state.Open} mutations of this session wait to be executed, the most allowed."),
        RequestMutation r => Core.Deciding.Decide.Accept<SessionEvent>(
            new MutationRequested(r.Mutation, r.Command, r.Target, System.Text.Json.JsonSerializer.Deserialize<System.Text.Json.JsonElement>(r.Payload), r.RequestHash, r.ExpectedVersion)),
        RecordFate { Fate: var f } when state.Known.TryGetValue(f.Mutation, out var known) && Follows(known.State, f) => Core.Deciding.Decide.Accept<SessionEvent>(f),
        _ => Core.Deciding.Decide.Accept<SessionEvent>(),
    };

    public static Session Evolve(Session state, SessionEvent @event) => @event switch
    {
        MutationRequested r => state.With(new MutationStatus(r.Mutation, r.Command, r.Target, MutationState.Requested)),
        MutationFate f when state.Known.TryGetValue(f.Mutation, out var known) => state.Settled(known, f),
        _ => state,
    };

    /// <summary>The first fate stays, but that an effect is a fact: a refusal, or no answer, may be what a run before a crash came to.</summary>
    private static bool Follows(MutationState state, MutationFate fate) => state == MutationState.Requested || (state != MutationState.Accepted && fate is MutationAccepted);

    private Session With(MutationStatus requested)
    {
        var (order, known) = (Order.Enqueue(requested.Mutation), Known.SetItem(requested.Mutation, requested));
        if (known.Count > MaxKnown)
        {
            order = order.Dequeue(out var oldest);
            known = known.Remove(oldest);
        }

        return new Session(order, Waiting.Enqueue(requested.Mutation), known, Open + 1);
    }

    private Session Settled(MutationStatus before, MutationFate fate)
    {
        var (waiting, known, open) = (Waiting, Known, Open);
        if (before.State == MutationState.Requested)
        {
            // They are executed in order: what was asked for before it and has no fate was passed over.
            for (waiting = waiting.Dequeue(out var next); next != fate.Mutation; waiting = waiting.Dequeue(out next))
            {
                (known, open) = (known.SetItem(next, After(known[next], new MutationUnknown(next, "It was passed over."))), open - 1);
            }

            open--;
        }

        return new Session(Order, waiting, known.SetItem(fate.Mutation, After(before, fate)), open);
    }

    private static MutationStatus After(MutationStatus before, MutationFate fate) => fate switch
    {
        MutationAccepted a => new MutationStatus(before.Mutation, before.Command, before.Target, MutationState.Accepted) { Stream = a.Stream, Version = a.Version, Position = a.Position, Events = a.Events },
        MutationRejected r => before with { State = MutationState.Rejected, Code = r.Code, Reason = r.Reason },
        MutationUnknown u => before with { State = MutationState.Unknown, Reason = u.Reason },
        _ => throw new InvalidOperationException($"'{fate}' is no fate."),
    };
}
