using Microsoft.Extensions.Options;

namespace Orleans.EventSourced.Core.Projections;

/// <summary>How projections read and write.</summary>
public sealed class ProjectionOptions
{
    /// <summary>
    /// The most events of one step, which is one transaction; a commit of the log is not divided, so it may be some more. 1 to 50,000; default 5,000. More make catching up faster and take more memory.
    /// </summary>
    public int StepEvents { get; set; } = 5_000;

    internal sealed class Validator : IValidateOptions<ProjectionOptions>
    {
        public ValidateOptionsResult Validate(string? name, ProjectionOptions options) => options.StepEvents is >= 1 and <= 50_000
            ? ValidateOptionsResult.Success
            : ValidateOptionsResult.Fail($"{nameof(ProjectionOptions)}.{nameof(StepEvents)} is {options.StepEvents}; allowed are 1 to 50,000.");
    }
}
