using System.Runtime.CompilerServices;
using Microsoft.Extensions.DependencyInjection;
using Orleans.EventSourced.Core.Deciding;
using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Grains;
using Orleans.EventSourced.Testing.Clusters;
using StreamId = Orleans.EventSourced.Core.Log.StreamId;

namespace Orleans.EventSourced.Testing.Scenarios;

/// <summary>
/// Scenarios of a real grain: given events are appended to its stream as its history, the call goes through the grain, and what happened is read from the log. Immutable; nothing is done before an
/// expectation is awaited.
/// </summary>
/// <typeparam name="TGrain">The grain's interface.</typeparam>
/// <typeparam name="TEvent">The base type of its events.</typeparam>
public sealed class GrainScenario<TGrain, TEvent>
    where TGrain : IAddressable
    where TEvent : class
{
    private readonly EventSourcedTestCluster _cluster;
    private readonly TGrain _grain;
    private readonly IReadOnlyList<TEvent> _given;

    internal GrainScenario(EventSourcedTestCluster cluster, TGrain grain, IReadOnlyList<TEvent> given) => (_cluster, _grain, _given) = (cluster, grain, given);

    /// <summary>These events have happened, behind whatever is in the stream. They have the origin <c>given</c> in their metadata; views and reactions see them as any others.</summary>
    public GrainScenario<TGrain, TEvent> Given(params IReadOnlyList<TEvent> events)
    {
        ArgumentNullException.ThrowIfNull(events);
        return new GrainScenario<TGrain, TEvent>(_cluster, _grain, [.. _given, .. events]);
    }

    /// <summary>The grain is sent a command.</summary>
    /// <param name="command">Sends it.</param>
    /// <param name="text">How it is written, for messages.</param>
    public GrainCommand<TEvent> When(Func<TGrain, Task<CommandResult<TEvent>>> command, [CallerArgumentExpression(nameof(command))] string text = "")
    {
        ArgumentNullException.ThrowIfNull(command);
        return new GrainCommand<TEvent>(_cluster, StreamOf(_grain), _grain, _given, text, async () => await command(_grain));
    }

    /// <summary>The grain is called, and what it answers says nothing of events: a <c>JournaledGrain</c>.</summary>
    /// <param name="call">Calls it.</param>
    /// <param name="text">How it is written, for messages.</param>
    public GrainCommand<TEvent> WhenCalled(Func<TGrain, Task> call, [CallerArgumentExpression(nameof(call))] string text = "")
    {
        ArgumentNullException.ThrowIfNull(call);
        return new GrainCommand<TEvent>(_cluster, StreamOf(_grain), _grain, _given, text, async () =>
        {
            await call(_grain);
            return null;
        });
    }

    private static StreamId StreamOf(TGrain grain) => grain.GetGrainId() is var id ? new StreamId(id.Type.ToString() ?? "", id.Key.ToString() ?? "") : default;
}

/// <summary>A call that is made when an expectation of it is awaited; each of them makes it anew.</summary>
/// <typeparam name="TEvent">The base type of the grain's events.</typeparam>
public sealed class GrainCommand<TEvent>
    where TEvent : class
{
    private readonly EventSourcedTestCluster _cluster;
    private readonly StreamId _stream;
    private readonly IAddressable _grain;
    private readonly IReadOnlyList<TEvent> _given;
    private readonly string _text;
    private readonly Func<Task<CommandResult<TEvent>?>> _call;

    internal GrainCommand(EventSourcedTestCluster cluster, StreamId stream, IAddressable grain, IReadOnlyList<TEvent> given, string text, Func<Task<CommandResult<TEvent>?>> call) =>
        (_cluster, _stream, _grain, _given, _text, _call) = (cluster, stream, grain, given, text, call);

    /// <summary>Exactly these events are in the log behind what was there, in order, as they are written there.</summary>
    /// <exception cref="ExpectationException">Others are; the message has both, and the first difference.</exception>
    public async Task<GrainOutcome<TEvent>> ThenAsync(params IReadOnlyList<TEvent> events)
    {
        ArgumentNullException.ThrowIfNull(events);
        var (outcome, given, happened) = await RunAsync();
        RefuseRejection(outcome);
        var codec = Codec;
        Expected.Same(What, given, [.. events.Select(e => ShownEvent.Of(codec.Encode(AnyId, e, "{}"u8.ToArray())))], happened);
        return outcome;
    }

    /// <summary>The call was accepted, and nothing was written.</summary>
    /// <exception cref="ExpectationException">It was not so.</exception>
    public async Task<GrainOutcome<TEvent>> ThenNothingAsync()
    {
        var (outcome, given, happened) = await RunAsync();
        RefuseRejection(outcome);
        Expected.Nothing(What, given, happened);
        return outcome;
    }

    /// <summary>The grain refused the command with this code, and nothing was written.</summary>
    /// <exception cref="ExpectationException">It was not so.</exception>
    public async Task<GrainOutcome<TEvent>> ThenRejectedAsync(string code)
    {
        ArgumentException.ThrowIfNullOrEmpty(code);
        var (outcome, given, happened) = await RunAsync();
        var (actual, reason) = outcome.Result switch
        {
            Rejected<TEvent> rejected => (rejected.Code, rejected.Reason),
            null or Accepted<TEvent> => (null, null),
            var other => (other.GetType().Name.Split('`')[0], other.ToString()),
        };
        Expected.Rejected(What, given, code, actual, reason, happened);
        return outcome;
    }

    private static EventId AnyId => new(Guid.AllBitsSet);

    private string What => $"{_text} on {_stream}";

    private JsonEventCodec Codec => _cluster.Silos[0].Services.GetRequiredService<JsonEventCodec>();

    private async Task<(GrainOutcome<TEvent> Outcome, IReadOnlyList<ShownEvent> Given, IReadOnlyList<ShownEvent> Happened)> RunAsync()
    {
        if (_given.Count > 0)
        {
            await AppendGivenAsync();
        }

        var before = await ReadAsync();
        var result = await _call();
        var codec = Codec;
        var all = await ReadAsync();
        IReadOnlyList<RecordedEvent> happened = [.. all.Skip(before.Count)];
        return (new GrainOutcome<TEvent>(result, happened, [.. all.Select(e => (TEvent)codec.Decode(e))]), [.. before.Select(Shown)], [.. happened.Select(Shown)]);

        // As this program writes it, whatever version of the type it was written in.
        ShownEvent Shown(RecordedEvent recorded) => ShownEvent.Of(codec.Encode(recorded.Id, codec.Decode(recorded), recorded.Metadata));
    }

    /// <summary>Appends the history as any writer does, by whom the silo's views are told. An activation that does not know of it is let go.</summary>
    private async Task AppendGivenAsync()
    {
        var codec = Codec;
        var appends = _cluster.Silos[0].Services.GetRequiredService<GroupCommit>();
        var version = (await ReadAsync()).Count;
        foreach (var part in _given.Chunk(AppendRequest.MaxEvents))
        {
            var command = CommandId.New(_cluster.Time);
            var metadata = new EventMetadata(command, Correlation: command.ToString(), Origin: "given").ToJson();
            var outcome = await appends.AppendAsync(new AppendRequest(
                _stream, ExpectedVersion.Exactly(new StreamVersion(version)), [.. part.Select((e, i) => codec.Encode(EventId.Derive(command, _stream, i), e, metadata))]));
            version = outcome is AppendOutcome.Appended appended ? appended.Version.Value : throw new InvalidOperationException($"The given events were not appended to {_stream}, to which others write: {outcome}.");
        }

        await _cluster.DeactivateAsync(_grain);
    }

    private async Task<List<RecordedEvent>> ReadAsync()
    {
        var loader = new StreamLoader(_cluster.Log);
        var events = new List<RecordedEvent>();
        while (true)
        {
            var page = await loader.ReadAsync(_stream, new StreamVersion(events.Count));
            events.AddRange(page);
            if (!StreamLoader.IsFull(page))
            {
                return events;
            }
        }
    }

    private void RefuseRejection(GrainOutcome<TEvent> outcome)
    {
        if (outcome.Result is not (null or Accepted<TEvent>))
        {
            throw new ExpectationException($"{What} should be accepted, and was answered {outcome.Result}.");
        }
    }
}

/// <summary>What a call to a grain came to.</summary>
/// <typeparam name="TEvent">The base type of the grain's events.</typeparam>
public sealed class GrainOutcome<TEvent>
    where TEvent : class
{
    private readonly IReadOnlyList<TEvent> _all;

    internal GrainOutcome(CommandResult<TEvent>? result, IReadOnlyList<RecordedEvent> events, IReadOnlyList<TEvent> all) => (Result, Events, _all) = (result, events, all);

    /// <summary>What the grain answered; null: not a command's result.</summary>
    public CommandResult<TEvent>? Result { get; }

    /// <summary>What was written because of it, with metadata, positions and times.</summary>
    public IReadOnlyList<RecordedEvent> Events { get; }

    /// <summary>The fold of the stream as it is in the log now.</summary>
    /// <typeparam name="TState">The state.</typeparam>
    public TState StateOf<TState>()
        where TState : class, IFold<TState, TEvent> => _all.Aggregate(TState.Initial, TState.Evolve);
}
