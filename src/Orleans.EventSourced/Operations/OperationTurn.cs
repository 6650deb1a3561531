using Microsoft.Extensions.Logging;
using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.Log;

namespace Orleans.EventSourced.Operations;

/// <summary>Whose turn it is, of the tries of one operation; its key is the operation's id. In memory: a turn that is lost with its silo lets two tries run side by side, which the targets bear.</summary>
[Alias("Orleans.EventSourced.IOperationTurnGrain")]
internal interface IOperationTurnGrain : IGrainWithGuidKey
{
    /// <summary>Takes the turn, if nobody has it.</summary>
    [Alias("Take")]
    Task<bool> TakeAsync(Guid taker);

    /// <summary>Gives the turn back, if the taker has it still.</summary>
    [Alias("Release")]
    Task ReleaseAsync(Guid taker);
}

[GrainType("es-operation-turn")]
internal sealed class OperationTurnGrain(TimeProvider time) : Grain, IOperationTurnGrain
{
    private (Guid Taker, long Since)? _turn;

    public Task<bool> TakeAsync(Guid taker)
    {
        if (_turn is var (_, since) && time.GetElapsedTime(since) < OperationTurn.Longest)
        {
            return Task.FromResult(false);
        }

        _turn = (taker, time.GetTimestamp());
        DelayDeactivation(OperationTurn.Longest);
        return Task.FromResult(true);
    }

    public Task ReleaseAsync(Guid taker)
    {
        if (_turn?.Taker == taker)
        {
            _turn = null;
            DeactivateOnIdle();
        }

        return Task.CompletedTask;
    }
}

/// <summary>The turn of one try, given back when it is disposed.</summary>
internal sealed partial class OperationTurn : IAsyncDisposable
{
    private static readonly TimeSpan BetweenTries = TimeSpan.FromMilliseconds(50);
    private readonly IOperationTurnGrain _grain;
    private readonly ILogger _logger;
    private readonly Guid _taker;

    private OperationTurn(IOperationTurnGrain grain, Guid taker, ILogger logger) => (_grain, _taker, _logger) = (grain, taker, logger);

    /// <summary>How long a try may take: the longest wait of a switch, and as long again for the log. Whoever has not given its turn back by then has crashed.</summary>
    public static TimeSpan Longest { get; } = TimeSpan.FromMinutes(2);

    /// <summary>Waits for the tries before it.</summary>
    /// <exception cref="LogOutcomeUnknownException">They are not done after the longest time that one may take.</exception>
    public static async Task<OperationTurn> TakeAsync(IGrainFactory grains, CommandId operation, TimeProvider time, ILogger logger)
    {
        var turn = new OperationTurn(grains.GetGrain<IOperationTurnGrain>(operation.Value), CommandId.New(time).Value, logger);
        var began = time.GetTimestamp();
        while (!await turn._grain.TakeAsync(turn._taker))
        {
            if (time.GetElapsedTime(began) > Longest)
            {
                throw new LogOutcomeUnknownException("Another try of the same command is at it still. Send it again, or look.");
            }

            await Task.Delay(BetweenTries, time);
        }

        return turn;
    }

    public async ValueTask DisposeAsync()
    {
        try
        {
            await _grain.ReleaseAsync(_taker);
        }
        catch (Exception e)
        {
            // What the try came to is its answer all the same.
            NotGivenBack(_logger, Longest, e);
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The turn of an operator's command could not be given back; the same command waits for up to {Longest} when it is sent again")]
    private static partial void NotGivenBack(ILogger logger, TimeSpan longest, Exception cause);
}
