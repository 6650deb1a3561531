using Microsoft.Extensions.Options;

namespace Orleans.EventSourced.Core.Projections;

/// <summary>How projections run.</summary>
public sealed class ProjectionOptions
{
    /// <summary>How often a fold that fails at an event is tried before the projection stops there, to be resumed by an operator. 1 to 100; default 3.</summary>
    public int Attempts { get; set; } = 3;

    /// <summary>
    /// The least time from one step to the next while following the log's head: under load a step then takes the events of that time together, instead of a durable commit for each few. The
    /// first event after a rest waits for nothing, and a reader on the same silo who waits for a position cuts it short. 0 to 1 s; default 40 ms. It is most of the lag under load.
    /// </summary>
    public TimeSpan StepInterval { get; set; } = TimeSpan.FromMilliseconds(40);

    internal sealed class Validator : IValidateOptions<ProjectionOptions>
    {
        public ValidateOptionsResult Validate(string? name, ProjectionOptions options) =>
            options.Attempts is < 1 or > 100 ? ValidateOptionsResult.Fail($"{nameof(ProjectionOptions)}.{nameof(Attempts)} is {options.Attempts}; allowed are 1 to 100.")
            : options.StepInterval < TimeSpan.Zero || options.StepInterval > TimeSpan.FromSeconds(1)
                ? ValidateOptionsResult.Fail($"{nameof(ProjectionOptions)}.{nameof(StepInterval)} is {options.StepInterval}; allowed are 0 to 1 s.")
                : ValidateOptionsResult.Success;
    }
}
