using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Projections;

namespace Orleans.EventSourced.Testing.Faults;

/// <summary>The classic mistakes of event stores. A suite that does not fail with them in place shows nothing.</summary>
public enum SeededBug
{
    /// <summary>None.</summary>
    None,

    /// <summary>An append is answered before it is durable: a crash loses what was acknowledged (I1). Put in by <see cref="CrashableLog"/>.</summary>
    AckBeforeDurable,

    /// <summary>A batch that is sent again has new event ids: a lost reply makes two effects of one command (I2).</summary>
    NewIdsOnRetry,

    /// <summary>The checkpoint of a view moves in a transaction of its own, behind that of the rows: events are folded twice (I9, I10).</summary>
    CheckpointOutsideTransaction,

    /// <summary>Positions come from a sequence, before the commit: there are gaps, and lower positions appear behind higher ones that were read (I5, I6).</summary>
    PositionsFromSequence,

    /// <summary>A batch that is sent again is taken for another command: new ids of events and of the command, so that nothing in the log says that the two are one (I2).</summary>
    NewCommandOnRetry,
}

/// <summary>Puts a mistake into a log or into views, whatever store they are of.</summary>
public static class SeededBugs
{
    /// <summary>The log with the bug in it; the log itself where the bug is none of logs. The decorator stands for all who use the log: give them one.</summary>
    /// <exception cref="ArgumentException"><see cref="SeededBug.AckBeforeDurable"/> needs a log that can crash: <see cref="CrashableLog"/>.</exception>
    public static IEventLog In(IEventLog log, SeededBug bug)
    {
        ArgumentNullException.ThrowIfNull(log);
        return bug switch
        {
            SeededBug.NewIdsOnRetry or SeededBug.NewCommandOnRetry => new NewIdsOnRetry(log, bug == SeededBug.NewCommandOnRetry),
            SeededBug.PositionsFromSequence => new PositionsFromSequence(log),
            SeededBug.AckBeforeDurable when log is not CrashableLog => throw new ArgumentException($"A log loses what it acknowledged only when it crashes: use {nameof(CrashableLog)}, with a time that it flushes after.", nameof(log)),
            _ => log,
        };
    }

    /// <summary>The views with the bug in them; the views themselves where the bug is none of views.</summary>
    public static IViewStore In(IViewStore views, SeededBug bug)
    {
        ArgumentNullException.ThrowIfNull(views);
        return bug == SeededBug.CheckpointOutsideTransaction ? new CheckpointOutsideTransaction(views) : views;
    }
}
