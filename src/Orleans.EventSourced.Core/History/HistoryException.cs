namespace Orleans.EventSourced.Core.History;

/// <summary>Why a question about the past, or about what might have been, has no answer.</summary>
public enum HistoryFault
{
    /// <summary>The text is no point in time, or the question does not go with it.</summary>
    BadPoint,

    /// <summary>The log does not reach so far.</summary>
    BeyondTheLog,

    /// <summary>There is no stream of this name, or this program knows no state of its type.</summary>
    NoSuchStream,

    /// <summary>The stream does not reach so far, or began later.</summary>
    NoSuchVersion,

    /// <summary>More events would be folded, or more rows kept, than the limit allows.</summary>
    TooMuch,

    /// <summary>A fold refuses an event.</summary>
    FoldRefuses,

    /// <summary>There is no branch of this name; it may have expired.</summary>
    NoSuchBranch,

    /// <summary>The branch has all that it may have.</summary>
    QuotaReached,

    /// <summary>The edit does not go with the log: there is no such event, type or function, or its content is none.</summary>
    BadEdit,

    /// <summary>The branch is no longer, or not yet, in a state to do this.</summary>
    NotNow,
}

/// <summary>A question about the past, or about what might have been, that has no answer; the message names what is wrong with it. The fault is kept in <see cref="Exception.Data"/>, so that it survives a call between silos.</summary>
public sealed class HistoryException : Exception
{
    /// <param name="fault">The kind of fault.</param>
    /// <param name="message">What is wrong, and where.</param>
    /// <param name="inner">The cause.</param>
    public HistoryException(HistoryFault fault, string message, Exception? inner = null)
        : base(message, inner) => Data["fault"] = fault.ToString();

    /// <summary>The kind of fault.</summary>
    public HistoryFault Fault => Enum.TryParse<HistoryFault>(Data["fault"] as string, out var fault) ? fault : default;
}
