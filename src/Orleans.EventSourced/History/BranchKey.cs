using Orleans.EventSourced.Core.History;

namespace Orleans.EventSourced.History;

/// <summary>The keys of grains on branches: the same grain class, under a key that names the branch too.</summary>
public static class BranchKey
{
    internal const string Prefix = "~b/";

    /// <summary>Whether a grain lives on a branch, without making a text of its key.</summary>
    internal static bool IsOnBranch(GrainId grain) => grain.Key.AsSpan().StartsWith("~b/"u8);

    /// <summary>The key under which an entity lives on a branch: <c>~b/BRANCH/KEY</c>.</summary>
    /// <param name="branch">The branch's name.</param>
    /// <param name="key">The entity's own key.</param>
    /// <exception cref="HistoryException">The text can be no branch's name.</exception>
    public static string Of(string branch, string key) => BranchDefinition.IsId(branch) ? $"{Prefix}{branch}/{key}"
        : throw new HistoryException(HistoryFault.NoSuchBranch, $"'{branch}' is no name of a branch: 1 to {BranchDefinition.MaxIdLength} of a-z, 0-9 and '-'.");

    /// <summary>Branch and entity of a grain's key; null: it is on the trunk.</summary>
    /// <exception cref="ArgumentException">The key begins as those of branches do, and is none.</exception>
    public static (string Branch, string Key)? Parse(string key)
    {
        ArgumentNullException.ThrowIfNull(key);
        return !key.StartsWith(Prefix, StringComparison.Ordinal) ? null
            : key[Prefix.Length..].Split('/', 2) is [var branch, { Length: > 0 } own] && BranchDefinition.IsId(branch) ? (branch, own)
            : throw new ArgumentException($"Grain keys that begin with '{Prefix}' are those of branches, {Prefix}BRANCH/KEY; got '{key}'.", nameof(key));
    }
}
