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
internal sealed record RecordFate(
    [property: Id(0)] Guid Mutation,
    [property: Id(1)] string? Stream,
    [property: Id(2)] int Version,
    [property: Id(3)] long Position,
    [property: Id(4)] int Events,
    [property: Id(5)] string? Code,
    [property: Id(6)] string? Reason) : SessionCommand
{
    public SessionEvent ToEvent() => Code is null ? new MutationAccepted(Mutation, Stream!, Version, Position, Events) : new MutationRejected(Mutation, Code, Reason!);
}

/// <summary>A session as far as it is remembered: its last requests, all that are open among them.</summary>
internal sealed record Session(ImmutableQueue<Guid> Order, ImmutableDictionary<Guid, MutationStatus> Known, int Open) : IDecider<Session, SessionCommand, SessionEvent>
{
    /// <summary>The most requests that may wait to be executed.</summary>
    public const int MaxOpen = 1_000;

    /// <summary>The most requests that are remembered. Requests are executed in order, so the open ones are the last.</summary>
    public const int MaxKnown = 2 * MaxOpen;

    public static Session Initial { get; } = new([], ImmutableDictionary<Guid, MutationStatus>.Empty, 0);

    public static Decision<SessionEvent> Decide(Session state, SessionCommand command) => command switch
    {
        RequestMutation { Mutation: var id } when state.Known.ContainsKey(id) => Core.Deciding.Decide.Refuse<SessionEvent>(MutationRefusals.Known, "The session has a mutation with this id already."),
        RequestMutation when state.Open >= MaxOpen => Core.Deciding.Decide.Refuse<SessionEvent>(MutationRefusals.Full, $"{state.Open} mutations of this session wait to be executed, the most allowed."),
        RequestMutation r => Core.Deciding.Decide.Accept<SessionEvent>(
            new MutationRequested(r.Mutation, r.Command, r.Target, System.Text.Json.JsonSerializer.Deserialize<System.Text.Json.JsonElement>(r.Payload), r.RequestHash, r.ExpectedVersion)),
        RecordFate f when state.Known.TryGetValue(f.Mutation, out var known) && known.State == MutationState.Requested => Core.Deciding.Decide.Accept(f.ToEvent()),
        _ => Core.Deciding.Decide.Accept<SessionEvent>(),
    };

    public static Session Evolve(Session state, SessionEvent @event) => @event switch
    {
        MutationRequested r => state.With(new MutationStatus(r.Mutation, r.Command, r.Target, MutationState.Requested)),
        MutationAccepted a when state.Known.TryGetValue(a.Mutation, out var known) =>
            state.Settled(known with { State = MutationState.Accepted, Stream = a.Stream, Version = a.Version, Position = a.Position, Events = a.Events }),
        MutationRejected r when state.Known.TryGetValue(r.Mutation, out var known) => state.Settled(known with { State = MutationState.Rejected, Code = r.Code, Reason = r.Reason }),
        _ => state,
    };

    private Session With(MutationStatus requested)
    {
        var (order, known) = (Order.Enqueue(requested.Mutation), Known.SetItem(requested.Mutation, requested));
        if (known.Count > MaxKnown)
        {
            order = order.Dequeue(out var oldest);
            known = known.Remove(oldest);
        }

        return new Session(order, known, Open + 1);
    }

    private Session Settled(MutationStatus settled) => this with { Known = Known.SetItem(settled.Mutation, settled), Open = Open - 1 };
}
