using Microsoft.Extensions.Options;

namespace Orleans.EventSourced.Core.Reactions;

/// <summary>What becomes of an event at which a reaction's handler throws each time.</summary>
public enum ReactionPoison
{
    /// <summary>The reaction stands still at it until an operator resumes it or skips the event.</summary>
    Stop,

    /// <summary>The reaction skips it by itself, with the error as the reason, up to <see cref="ReactionOptions.MaxSkipped"/> events; then it stands still.</summary>
    Skip,
}

/// <summary>How reactions run.</summary>
public sealed class ReactionOptions
{
    /// <summary>The most events that one reaction passes over: one that fails at more of them is to be mended.</summary>
    public const int MaxSkipped = 1_000;

    /// <summary>How many streams' events are handled at once, by each reaction. 1 to 64; default 4. The events of one stream are handled in order whatever it is.</summary>
    public int Concurrency { get; set; } = 4;

    /// <summary>After how many handled events the checkpoint moves at the latest, and so how many may be handled again after a crash. 1 to 5,000; default 100.</summary>
    public int CheckpointEvents { get; set; } = 100;

    /// <summary>How often a handler that throws at an event is tried before <see cref="Poison"/> says what follows. 1 to 100; default 3.</summary>
    public int Attempts { get; set; } = 3;

    /// <summary>What becomes of an event at which the handler throws each time. Default <see cref="ReactionPoison.Stop"/>.</summary>
    public ReactionPoison Poison { get; set; }

    /// <summary>How long a handler may take for one event; longer is an outage, and it is tried again. 1 s to 10 min; default 1 min.</summary>
    public TimeSpan HandlerTimeout { get; set; } = TimeSpan.FromMinutes(1);

    /// <summary>The least time from one look at the log's head to the next while it goes on; the first event after a rest waits for nothing. 0 to 1 s; default 40 ms.</summary>
    public TimeSpan StepInterval { get; set; } = TimeSpan.FromMilliseconds(40);

    internal sealed class Validator : IValidateOptions<ReactionOptions>
    {
        public ValidateOptionsResult Validate(string? name, ReactionOptions options)
        {
            var faults = new List<string>();
            void Require(bool holds, string property, object value, string allowed)
            {
                if (!holds)
                {
                    faults.Add($"{nameof(ReactionOptions)}.{property} is {value}; allowed are {allowed}.");
                }
            }

            Require(options.Concurrency is >= 1 and <= 64, nameof(Concurrency), options.Concurrency, "1 to 64");
            Require(options.CheckpointEvents is >= 1 and <= 5_000, nameof(CheckpointEvents), options.CheckpointEvents, "1 to 5,000");
            Require(options.Attempts is >= 1 and <= 100, nameof(Attempts), options.Attempts, "1 to 100");
            Require(Enum.IsDefined(options.Poison), nameof(Poison), options.Poison, "Stop and Skip");
            Require(options.HandlerTimeout >= TimeSpan.FromSeconds(1) && options.HandlerTimeout <= TimeSpan.FromMinutes(10), nameof(HandlerTimeout), options.HandlerTimeout, "1 s to 10 min");
            Require(options.StepInterval >= TimeSpan.Zero && options.StepInterval <= TimeSpan.FromSeconds(1), nameof(StepInterval), options.StepInterval, "0 to 1 s");
            return faults.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(faults);
        }
    }
}
