using System.Runtime.CompilerServices;
using Orleans.EventSourced.Commands;
using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.Log;

namespace Orleans.EventSourced.Mutations;

/// <summary>
/// The queues of requests for mutations, one a session. A request is durable when it is answered, executed in the order of its session, once, and its fate is recorded; whether its
/// client waits or not. Safe for concurrent use.
/// </summary>
public sealed class MutationQueue
{
    private const int PageEvents = 100;
    private static readonly TimeSpan BetweenReads = TimeSpan.FromMilliseconds(100);
    private readonly RegisteredMutations _mutations;
    private readonly IGrainFactory _grains;
    private readonly StreamLoader _loader;
    private readonly JsonEventCodec _codec;
    private readonly LogTail _tail;
    private readonly TimeProvider _time;

    internal MutationQueue(RegisteredMutations mutations, IGrainFactory grains, StreamLoader loader, JsonEventCodec codec, LogTail tail, TimeProvider time) =>
        (_mutations, _grains, _loader, _codec, _tail, _time) = (mutations, grains, loader, codec, tail, time);

    /// <summary>Asks for a mutation.</summary>
    /// <param name="session">The session: any name that can be a stream's key.</param>
    /// <param name="target">The key of the entity.</param>
    /// <param name="command">A command of a registered class.</param>
    /// <param name="context">Who asks and why; its command id becomes the mutation's. A named one that is sent again is the same mutation.</param>
    /// <returns>The mutation as it is now, or why the session does not take it.</returns>
    /// <exception cref="ArgumentException">The session or target, which it names, can be no key.</exception>
    /// <exception cref="InvalidOperationException">The command's class is not registered by <c>AddMutation</c>.</exception>
    /// <exception cref="LogException">The log is unavailable or overloaded, or it is unknown whether the request is in the queue: send it again under the same id.</exception>
    public async Task<MutationAnswer> RequestAsync(string session, string target, object command, CommandContext context)
    {
        ArgumentNullException.ThrowIfNull(command);
        ArgumentNullException.ThrowIfNull(context);
        Check(SessionGrain.Type, session, nameof(session));
        var registered = _mutations.Find(command.GetType()) ?? throw new InvalidOperationException($"No mutation is registered for {command.GetType()}; AddMutation does it.");
        Check(registered.StreamType, target, nameof(target));
        var request = new RequestMutation(context.Command, registered.Name, target, registered.ToJson(command), context.RequestHash, context.ExpectedVersion);

        // The request is a command of its own beside the mutation: the entity's events have the mutation's id.
        using (CommandContext.Begin(context with { Command = RequestOf(new CommandId(context.Command)).Value, ExpectedVersion = null, Correlation = context.Correlation ?? context.Command.ToString("D") }))
        {
            var answer = await _grains.GetGrain<ISessionGrain>(session).ExecuteAsync(request);
            return answer.Status is { } status ? new MutationAnswer.Taken(status) : new MutationAnswer.Refused(answer.Code!, answer.Reason!);
        }
    }

    /// <summary>A mutation; null: the session does not remember it. It remembers at least its last 1,000.</summary>
    /// <exception cref="ArgumentException">The session can be no key.</exception>
    public Task<MutationStatus?> FindAsync(string session, Guid mutation)
    {
        Check(SessionGrain.Type, session, nameof(session));
        return _grains.GetGrain<ISessionGrain>(session).FindAsync(mutation);
    }

    /// <summary>The mutations that the session remembers, oldest first; 2,000 at most.</summary>
    /// <exception cref="ArgumentException">The session can be no key.</exception>
    public Task<IReadOnlyList<MutationStatus>> ListAsync(string session)
    {
        Check(SessionGrain.Type, session, nameof(session));
        return _grains.GetGrain<ISessionGrain>(session).ListAsync();
    }

    /// <summary>
    /// What happens in a session, in order and without a gap; what is to come is waited for. It is read from the session's stream, so it goes on wherever a watcher stopped, at whatever node.
    /// </summary>
    /// <param name="session">The session; one that nobody used yet is waited for too.</param>
    /// <param name="after">The version of the last change that the watcher has seen; 0: from the session's beginning.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="ArgumentException">The session can be no key, or the version is below 0.</exception>
    /// <exception cref="LogException">While it is enumerated: the log could not answer, or holds what cannot be read. Begin again behind the last change.</exception>
    public IAsyncEnumerable<SessionChange> WatchAsync(string session, int after, CancellationToken cancellationToken)
    {
        Check(SessionGrain.Type, session, nameof(session));
        ArgumentOutOfRangeException.ThrowIfNegative(after);
        return ChangesAsync(new StreamId(SessionGrain.Type, session), new StreamVersion(after), cancellationToken);
    }

    /// <summary>The command that puts a mutation into its session.</summary>
    internal static CommandId RequestOf(CommandId mutation) => mutation.Nested(SessionGrain.Type, 0);

    private async IAsyncEnumerable<SessionChange> ChangesAsync(StreamId session, StreamVersion at, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        while (true)
        {
            // Asked before the read: what is written during it ends the wait.
            var head = _tail.Head;
            var page = await _loader.ReadAsync(session, at, PageEvents).WaitAsync(cancellationToken).ConfigureAwait(false);
            foreach (var e in page)
            {
                yield return new SessionChange(e.Version.Value, e.RecordedAt, (SessionEvent)_codec.Decode(e));
                at = e.Version;
            }

            if (page.Count == 0)
            {
                await _tail.WaitAsync(head, cancellationToken).ConfigureAwait(false);
                await Task.Delay(BetweenReads, _time, cancellationToken).ConfigureAwait(false);
            }
        }
    }

    private static void Check(string type, string key, string name)
    {
        try
        {
            _ = new StreamId(type, key);
        }
        catch (ArgumentException e)
        {
            throw new ArgumentException(e.Message, name, e);
        }
    }
}

/// <summary>Something that happened in a session.</summary>
/// <param name="Version">Its number in the session, from 1.</param>
/// <param name="At">When, by the clock of the log.</param>
/// <param name="Event">What.</param>
public sealed record SessionChange(int Version, DateTimeOffset At, SessionEvent Event);

/// <summary>What a session says to a request.</summary>
public abstract record MutationAnswer
{
    private MutationAnswer()
    {
    }

    /// <summary>It is in the queue.</summary>
    /// <param name="Mutation">As it is now; one that was asked for before may have been executed.</param>
    public sealed record Taken(MutationStatus Mutation) : MutationAnswer;

    /// <summary>It is not.</summary>
    /// <param name="Code">One of <see cref="MutationRefusals"/>.</param>
    /// <param name="Reason">A sentence for people.</param>
    public sealed record Refused(string Code, string Reason) : MutationAnswer;
}
