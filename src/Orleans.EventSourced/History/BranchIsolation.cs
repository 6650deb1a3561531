using Orleans.EventSourced.Commands;

namespace Orleans.EventSourced.History;

/// <summary>A grain on a branch called what is not on it: what might have been may change nothing that is.</summary>
/// <param name="message">Who called whom.</param>
public sealed class BranchIsolationException(string message) : InvalidOperationException(message);

/// <summary>Refuses every call of a grain on a branch to a grain that is not: other entities, the producers and consumers of streams, reminders.</summary>
internal sealed class BranchIsolation : IOutgoingGrainCallFilter
{
    private static readonly GrainType BranchType = GrainType.Create("es-branch");

    public Task Invoke(IOutgoingGrainCallContext context)
    {
        if (KeyOnBranch(context) is { } key && BranchKey.Parse(key) is var (branch, own) && !IsAllowed(context, branch))
        {
            throw new BranchIsolationException(
                $"'{own}' on branch '{branch}' called {context.InterfaceName}.{context.MethodName} of '{context.TargetId}', which is not on the branch. A grain on a branch reaches entities of its branch alone ('KeyBeside' gives their keys), no streams and no reminders.");
        }

        return context.Invoke();
    }

    /// <summary>The caller's key; null: it is on the trunk. Asked of every call, so that the key becomes a text only on a branch. Work that a grain hands to the thread pool has no source, but flows from the call that the grain runs.</summary>
    private static string? KeyOnBranch(IOutgoingGrainCallContext context) =>
        context.SourceContext is not { } source ? CommandInvocation.Current?.OnBranch
        : BranchKey.IsOnBranch(source.GrainId) ? source.GrainId.Key.ToString()
        : null;

    private static bool IsAllowed(IOutgoingGrainCallContext context, string branch)
    {
        var (target, key) = (context.TargetId, context.TargetId.Key.ToString() ?? "");

        // What the silo does for its activations goes through its own targets; of these a grain asks the one of reminders for something itself.
        return target.IsSystemTarget() ? !context.InterfaceName.Contains("Reminder", StringComparison.Ordinal)
            : target.IsClient() || (target.Type == BranchType && key == branch) || key.StartsWith($"{BranchKey.Prefix}{branch}/", StringComparison.Ordinal);
    }
}
