using Microsoft.Extensions.Options;

namespace Orleans.EventSourced.Core.Log;

/// <summary>How the log is followed.</summary>
public sealed class LogTailOptions
{
    /// <summary>
    /// The events of one page; a commit is not divided, so it may be some more. A projection folds a page in one transaction. 1 to 50,000; default 5,000. More make catching up faster and take
    /// more memory: a silo keeps up to <see cref="LogTail.PagesKept"/> pages.
    /// </summary>
    public int PageEvents { get; set; } = 5_000;

    /// <summary>
    /// How long a follower of the log waits for a signal before it asks the log itself; the safety net for signals that were lost. 10 ms to 1 min; default 1 s.
    /// </summary>
    public TimeSpan PollInterval { get; set; } = TimeSpan.FromSeconds(1);

    internal sealed class Validator : IValidateOptions<LogTailOptions>
    {
        public ValidateOptionsResult Validate(string? name, LogTailOptions options) =>
            options.PageEvents is < 1 or > 50_000 ? ValidateOptionsResult.Fail($"{nameof(LogTailOptions)}.{nameof(PageEvents)} is {options.PageEvents}; allowed are 1 to 50,000.")
            : options.PollInterval < TimeSpan.FromMilliseconds(10) || options.PollInterval > TimeSpan.FromMinutes(1)
                ? ValidateOptionsResult.Fail($"{nameof(LogTailOptions)}.{nameof(PollInterval)} is {options.PollInterval}; allowed are 10 ms to 1 min.")
                : ValidateOptionsResult.Success;
    }
}
