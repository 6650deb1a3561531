using Orleans.EventSourced.Core.Log;

namespace Orleans.EventSourced.Core.History;

/// <summary>What a branch is: the point of the log that it leaves, what it changes of what happened before, and by which rules it goes on.</summary>
/// <param name="Id">Its name: 1 to <see cref="MaxIdLength"/> of a-z, 0-9 and '-'.</param>
/// <param name="Base">The position behind which the trunk is not seen.</param>
/// <param name="Edits">What did not happen, or happened otherwise.</param>
/// <param name="Rules">The names of other folds and deciders.</param>
/// <param name="Reason">Why it is made: 1 to <see cref="MaxText"/> characters.</param>
/// <param name="Actor">Who makes it; null: not known.</param>
public sealed record BranchDefinition(string Id, LogPosition Base, IReadOnlyList<BranchEdit> Edits, IReadOnlyList<string> Rules, string Reason, string? Actor)
{
    /// <summary>The longest name.</summary>
    public const int MaxIdLength = 40;

    /// <summary>The most characters of a reason or an actor.</summary>
    public const int MaxText = 1_000;

    /// <summary>Whether a text can be a branch's name: it becomes a part of grain keys.</summary>
    public static bool IsId(string? id) => id is { Length: >= 1 and <= MaxIdLength } && id.All(c => c is (>= 'a' and <= 'z') or (>= '0' and <= '9') or '-');
}
