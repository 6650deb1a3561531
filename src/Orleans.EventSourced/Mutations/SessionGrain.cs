using Orleans.Concurrency;
using Orleans.EventSourced.Grains;

namespace Orleans.EventSourced.Mutations;

/// <summary>The queue of one client's requests for mutations; its key is chosen by the client.</summary>
[Alias("Orleans.EventSourced.ISessionGrain")]
internal interface ISessionGrain : IGrainWithStringKey
{
    /// <summary>Notes a request, or what became of one.</summary>
    [Alias("Execute")]
    Task<SessionAnswer> ExecuteAsync(SessionCommand command);

    /// <summary>A mutation; null: the session does not remember it.</summary>
    [Alias("Find"), ReadOnly]
    Task<MutationStatus?> FindAsync(Guid mutation);

    /// <summary>The mutations that it remembers, in the order in which they were asked for.</summary>
    [Alias("List"), ReadOnly]
    Task<IReadOnlyList<MutationStatus>> ListAsync();

    /// <summary>Those of them that wrote something behind a position.</summary>
    [Alias("ListAccepted"), ReadOnly]
    Task<IReadOnlyList<MutationStatus>> ListAcceptedAsync(long after);
}

/// <summary>What a session answered, as it travels between silos: its events stay where they are.</summary>
[GenerateSerializer, Immutable, Alias("Orleans.EventSourced.SessionAnswer")]
internal sealed record SessionAnswer([property: Id(0)] MutationStatus? Status, [property: Id(1)] string? Code, [property: Id(2)] string? Reason);

/// <summary>Keeps the queue; who executes it is <see cref="MutationRunner"/>.</summary>
[GrainType(Type)]
internal sealed class SessionGrain : EventSourcedGrain<Session, SessionEvent>, ISessionGrain
{
    public const string Type = "es-session";

    public async Task<SessionAnswer> ExecuteAsync(SessionCommand command)
    {
        var id = command is RequestMutation request ? request.Mutation : ((RecordFate)command).Fate.Mutation;
        return await ExecuteAsync(command, Session.Decide) switch
        {
            Accepted<SessionEvent> when State.Known.TryGetValue(id, out var known) => new SessionAnswer(known, null, null),
            Accepted<SessionEvent> => new SessionAnswer(null, MutationRefusals.Known, "The session had a mutation with this id, so long ago that it does not remember what became of it."),
            Rejected<SessionEvent>(var code, var reason) => new SessionAnswer(null, code, reason),
            IdReused<SessionEvent> => new SessionAnswer(null, MutationRefusals.Known, "The session has a mutation with this id already, with another content."),
            _ => throw new Core.Log.LogUnavailableException("The session was changed by others each time; send it again."),
        };
    }

    public async Task<MutationStatus?> FindAsync(Guid mutation)
    {
        if (State.Known.GetValueOrDefault(mutation) is { State: MutationState.Accepted } known)
        {
            return known;
        }

        // What another activation took or settled is in the log; that something took effect is never taken back.
        await RefreshNow();
        return State.Known.GetValueOrDefault(mutation);
    }

    public async Task<IReadOnlyList<MutationStatus>> ListAsync()
    {
        await RefreshNow();
        return [.. State.Order.Select(id => State.Known[id])];
    }

    public async Task<IReadOnlyList<MutationStatus>> ListAcceptedAsync(long after)
    {
        await RefreshNow();
        return [.. State.Known.Values.Where(m => m.Position > after && m.Events > 0)];
    }
}
