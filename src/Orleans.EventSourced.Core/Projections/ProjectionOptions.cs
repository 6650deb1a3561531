using Microsoft.Extensions.Options;

namespace Orleans.EventSourced.Core.Projections;

/// <summary>How projections run.</summary>
public sealed class ProjectionOptions
{
    /// <summary>How often a fold that fails at an event is tried before the projection stops there, to be resumed by an operator. 1 to 100; default 3.</summary>
    public int Attempts { get; set; } = 3;

    internal sealed class Validator : IValidateOptions<ProjectionOptions>
    {
        public ValidateOptionsResult Validate(string? name, ProjectionOptions options) => options.Attempts is >= 1 and <= 100
            ? ValidateOptionsResult.Success
            : ValidateOptionsResult.Fail($"{nameof(ProjectionOptions)}.{nameof(Attempts)} is {options.Attempts}; allowed are 1 to 100.");
    }
}
