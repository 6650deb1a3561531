using Microsoft.Extensions.Options;
using Orleans.EventSourced.Core.Projections;

namespace Orleans.EventSourced.Core.Reactions;

/// <summary>How deadlines are kept.</summary>
public sealed class DeadlineOptions
{
    /// <summary>The most rows that rest at a time, by each deadline. While there are so many, they are tried again after their rest, others that are due wait, and the deadline says so as its fault.</summary>
    public const int MaxResting = 10_000;

    /// <summary>What time it is in the business: a row whose time is not after it is due. Default the system's clock. How often is looked goes by the system's clock in any case.</summary>
    public TimeProvider Clock { get; set; } = TimeProvider.System;

    /// <summary>How often due rows are looked for. 10 ms to 1 h; default 1 s.</summary>
    public TimeSpan TickInterval { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>How many due rows are read at a time. 1 to 1,000; default 500.</summary>
    public int PageRows { get; set; } = 500;

    /// <summary>How many of them are handled at once, by each deadline. 1 to 64; default 4.</summary>
    public int Concurrency { get; set; } = 4;

    /// <summary>
    /// How long a row rests that was handled and is still there unchanged, because its command was refused, its handler threw, or its view has not heard of what followed. It doubles each
    /// time, up to <see cref="LongestRest"/>. 100 ms to 1 h; default 1 min.
    /// </summary>
    public TimeSpan FirstRest { get; set; } = TimeSpan.FromMinutes(1);

    /// <summary>The longest rest of such a row. <see cref="FirstRest"/> to 24 h; default 1 h.</summary>
    public TimeSpan LongestRest { get; set; } = TimeSpan.FromHours(1);

    /// <summary>How long a handler may take for one row; longer is an outage, and it is tried again. 1 s to 10 min; default 1 min.</summary>
    public TimeSpan HandlerTimeout { get; set; } = TimeSpan.FromMinutes(1);

    internal sealed class Validator : IValidateOptions<DeadlineOptions>
    {
        public ValidateOptionsResult Validate(string? name, DeadlineOptions options)
        {
            var faults = new List<string>();
            void Require(bool holds, string property, object? value, string allowed)
            {
                if (!holds)
                {
                    faults.Add($"{nameof(DeadlineOptions)}.{property} is {value ?? "missing"}; allowed are {allowed}.");
                }
            }

            Require(options.Clock is not null, nameof(Clock), null, "clocks");
            Require(options.TickInterval >= TimeSpan.FromMilliseconds(10) && options.TickInterval <= TimeSpan.FromHours(1), nameof(TickInterval), options.TickInterval, "10 ms to 1 h");
            Require(options.PageRows is >= 1 and <= RowQuery.MaxLimit, nameof(PageRows), options.PageRows, "1 to 1,000");
            Require(options.Concurrency is >= 1 and <= 64, nameof(Concurrency), options.Concurrency, "1 to 64");
            Require(options.FirstRest >= TimeSpan.FromMilliseconds(100) && options.FirstRest <= TimeSpan.FromHours(1), nameof(FirstRest), options.FirstRest, "100 ms to 1 h");
            Require(options.LongestRest >= options.FirstRest && options.LongestRest <= TimeSpan.FromHours(24), nameof(LongestRest), options.LongestRest, $"{nameof(FirstRest)} to 24 h");
            Require(options.HandlerTimeout >= TimeSpan.FromSeconds(1) && options.HandlerTimeout <= TimeSpan.FromMinutes(10), nameof(HandlerTimeout), options.HandlerTimeout, "1 s to 10 min");
            return faults.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(faults);
        }
    }
}
