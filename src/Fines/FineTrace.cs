namespace Fines;

/// <summary>The life of one fine, as a file or the generator tells it.</summary>
/// <param name="FineId">The fine's id.</param>
/// <param name="Steps">What happened, in order.</param>
public sealed record FineTrace(string FineId, IReadOnlyList<FineStep> Steps);

/// <summary>One step of it.</summary>
/// <param name="Command">What the fine's grain is asked.</param>
/// <param name="Line">The line of the file where it stands; 0: no file.</param>
public readonly record struct FineStep(FineCommand Command, int Line);
