using Microsoft.Extensions.Options;

namespace Orleans.EventSourced.Tracing;

/// <summary>Limits of traces. Validated when the silo starts.</summary>
public sealed class TraceOptions
{
    /// <summary>The most nodes of one trace, and the most events that are read for it. 1 to 100,000; default 10,000.</summary>
    public int MaxNodes { get; set; } = 10_000;

    internal sealed class Validator : IValidateOptions<TraceOptions>
    {
        public ValidateOptionsResult Validate(string? name, TraceOptions options) => options.MaxNodes is >= 1 and <= 100_000
            ? ValidateOptionsResult.Success
            : ValidateOptionsResult.Fail($"{nameof(TraceOptions)}.{nameof(MaxNodes)} is {options.MaxNodes}; allowed are 1 to 100,000.");
    }
}
