using Microsoft.Extensions.Options;

namespace Orleans.EventSourced.Core.History;

/// <summary>Limits of questions about the past and of branches. Validated when the program starts.</summary>
public sealed class HistoryOptions
{
    /// <summary>The most events that are folded while a caller waits; more become an operation. 1 to 10,000,000; default 100,000.</summary>
    public int MaxEventsAtOnce { get; set; } = 100_000;

    /// <summary>The most events that an operation folds. <see cref="MaxEventsAtOnce"/> to 1,000,000,000; default 10,000,000.</summary>
    public int MaxEvents { get; set; } = 10_000_000;

    /// <summary>The most rows of one view as of a point, which is kept in memory. 1 to 100,000,000; default 2,000,000.</summary>
    public int MaxRows { get; set; } = 2_000_000;

    /// <summary>How many views as of a point a silo keeps; the one that was asked for longest ago goes first. 1 to 1,000; default 4.</summary>
    public int MaxKeptViews { get; set; } = 4;

    /// <summary>How long a view as of a point is kept after it was asked for last. 1 second to 1 day; default 10 minutes.</summary>
    public TimeSpan KeptFor { get; set; } = TimeSpan.FromMinutes(10);

    /// <summary>The events of a page that is read and folded at a time. 1 to 100,000; default 2,000: so long others wait for a core at most.</summary>
    public int PageEvents { get; set; } = 2_000;

    /// <summary>The most branches of a cluster. 1 to 10,000; default 20.</summary>
    public int MaxBranches { get; set; } = 20;

    /// <summary>The most edits of a branch. 1 to 100,000; default 1,000.</summary>
    public int MaxEdits { get; set; } = 1_000;

    /// <summary>The most events that live commands may append to a branch. 1 to 10,000,000; default 10,000.</summary>
    public int MaxLiveEvents { get; set; } = 10_000;

    /// <summary>The longest life of a branch. 1 second to 30 days; default 1 day.</summary>
    public TimeSpan MaxBranchLife { get; set; } = TimeSpan.FromDays(1);

    /// <summary>Checks the ranges.</summary>
    public sealed class Validator : IValidateOptions<HistoryOptions>
    {
        /// <inheritdoc/>
        public ValidateOptionsResult Validate(string? name, HistoryOptions options)
        {
            ArgumentNullException.ThrowIfNull(options);
            var faults = new List<string>();
            Check(nameof(MaxEventsAtOnce), options.MaxEventsAtOnce, 1, 10_000_000);
            Check(nameof(MaxEvents), options.MaxEvents, options.MaxEventsAtOnce, 1_000_000_000);
            Check(nameof(MaxRows), options.MaxRows, 1, 100_000_000);
            Check(nameof(MaxKeptViews), options.MaxKeptViews, 1, 1_000);
            Check(nameof(KeptFor), options.KeptFor, TimeSpan.FromSeconds(1), TimeSpan.FromDays(1));
            Check(nameof(PageEvents), options.PageEvents, 1, 100_000);
            Check(nameof(MaxBranches), options.MaxBranches, 1, 10_000);
            Check(nameof(MaxEdits), options.MaxEdits, 1, 100_000);
            Check(nameof(MaxLiveEvents), options.MaxLiveEvents, 1, 10_000_000);
            Check(nameof(MaxBranchLife), options.MaxBranchLife, TimeSpan.FromSeconds(1), TimeSpan.FromDays(30));
            return faults.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(faults);

            void Check<T>(string option, T value, T least, T most)
                where T : IComparable<T>
            {
                if (value.CompareTo(least) < 0 || value.CompareTo(most) > 0)
                {
                    faults.Add($"{nameof(HistoryOptions)}.{option} is {value}; allowed are {least} to {most}.");
                }
            }
        }
    }
}
