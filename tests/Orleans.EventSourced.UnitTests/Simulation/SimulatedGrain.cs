using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Testing.Faults;
using Orleans.EventSourced.UnitTests.Projections;
using Xunit;

namespace Orleans.EventSourced.UnitTests.Simulation;

/// <summary>A command for an account: pays amounts in, and opens the account with the first, or closes it.</summary>
internal sealed record AccountCommand(CommandId Id, StreamId Stream, IReadOnlyList<int> Amounts)
{
    public bool Closes => Amounts.Count == 0;

    /// <summary>What its events say.</summary>
    public string Content => Closes ? "closed" : string.Join("; ", Amounts);
}

/// <summary>One activation: the order of calls and log is that of the library's grain, without Orleans. One command at a time.</summary>
internal sealed class SimulatedGrain(StreamId stream, IEventLog log, GroupCommit group, SimulatedWorld world)
{
    private const int MaxConflicts = 4;
    private Task _busy = Task.CompletedTask;
    private bool _isLoaded;
    private bool _isClosed;
    private StreamVersion _version;

    public async Task<Answer> ExecuteAsync(AccountCommand command)
    {
        var (before, turn) = (_busy, new TaskCompletionSource());
        _busy = turn.Task;
        await before;
        try
        {
            return await DecideAsync(command);
        }
        catch (LogOutcomeUnknownException e)
        {
            _isLoaded = false;
            return new Answer(HistoryKind.Unknown, Note: e.GetType().Name);
        }
        catch (Exception e) when (e is LogUnavailableException or LogOverloadedException)
        {
            _isLoaded = false;
            return new Answer(HistoryKind.Fail, Note: e.GetType().Name);
        }
        catch (Exception e)
        {
            world.Met(e);
            return new Answer(HistoryKind.Unknown, Note: e.Message);
        }
        finally
        {
            world.Thread.Post(turn.SetResult);
        }
    }

    private async Task<Answer> DecideAsync(AccountCommand command)
    {
        for (var conflicts = 0; conflicts <= MaxConflicts; conflicts++)
        {
            await LoadAsync();
            if (_isClosed || (command.Closes && _version == StreamVersion.None))
            {
                var version = _version;
                _isLoaded = false;
                await LoadAsync();
                if (_version != version)
                {
                    continue;
                }

                return await FirstAnswerAsync(command) ?? new Answer(HistoryKind.Refused);
            }

            IReadOnlyList<AccountEvent> events = command.Closes ? [new Closed()]
                : [.. _version == StreamVersion.None ? [new Opened(SimulatedWorld.BranchOf(stream))] : Array.Empty<AccountEvent>(), .. command.Amounts.Select(a => new Deposited(a))];
            var metadata = new EventMetadata(command.Id).ToJson();
            var outcome = await group.AppendAsync(new AppendRequest(stream, ExpectedVersion.Exactly(_version), [.. events.Select((e, i) => SimulatedWorld.Codec.Encode(EventId.Derive(command.Id, stream, i), e, metadata))]));
            await world.Thread.YieldAsync();
            switch (outcome)
            {
                case AppendOutcome.Appended appended:
                    (_version, _isClosed) = (appended.Version, command.Closes);
                    return new Answer(HistoryKind.Ok, appended.Version, appended.Position, events.Count);
                case AppendOutcome.Duplicate or AppendOutcome.IdReused:
                    _isLoaded = false;
                    return await FirstAnswerOfWrittenAsync(command);
                case AppendOutcome.Conflict:
                    _isLoaded = false;
                    break;
                default:
                    throw new InvalidOperationException($"Group commit answered {outcome}.");
            }
        }

        return new Answer(HistoryKind.Fail, Note: "contended");
    }

    private async Task LoadAsync()
    {
        if (_isLoaded)
        {
            return;
        }

        var events = Assert.Single(await log.ReadStreamsAsync([new StreamRead(stream, StreamVersion.None, int.MaxValue)], CancellationToken.None));
        (_version, _isClosed, _isLoaded) = (events.Count == 0 ? StreamVersion.None : events[^1].Version, events.Any(e => e.Type == "account-closed"), true);
    }

    private async Task<Answer?> FirstAnswerAsync(AccountCommand command)
    {
        if (await log.FindEventAsync(EventId.Derive(command.Id, stream, 0), CancellationToken.None) is not { } first)
        {
            return null;
        }

        var from = Assert.Single(await log.ReadStreamsAsync([new StreamRead(stream, new StreamVersion(first.Version.Value - 1), AppendRequest.MaxEvents)], CancellationToken.None));
        var events = from.TakeWhile((e, i) => e.Id == EventId.Derive(command.Id, stream, i)).ToList();
        return new Answer(HistoryKind.Ok, events[^1].Version, events[^1].Position, events.Count);
    }

    /// <summary>The log says that the command is there: where it cannot be read now, that is no sure no.</summary>
    private async Task<Answer> FirstAnswerOfWrittenAsync(AccountCommand command)
    {
        try
        {
            return await FirstAnswerAsync(command) ?? throw new InvalidOperationException($"The log knows the ids of command {command.Id} and does not find it.");
        }
        catch (LogUnavailableException e)
        {
            throw new LogOutcomeUnknownException("The command is written; its answer could not be read.", e);
        }
    }
}
