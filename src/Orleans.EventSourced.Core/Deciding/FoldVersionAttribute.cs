namespace Orleans.EventSourced.Core.Deciding;

/// <summary>
/// Declares on a state class that it may be kept as snapshots, and which version of its fold made them. Raise the version whenever the state's shape or
/// the fold's meaning changes: snapshots of other versions are then ignored and the stream is folded anew. A state without it is never kept.
/// </summary>
/// <param name="version">1 or more.</param>
[AttributeUsage(AttributeTargets.Class, Inherited = false)]
public sealed class FoldVersionAttribute(int version) : Attribute
{
    /// <summary>The version, 1 or more.</summary>
    public int Version { get; } = version >= 1 ? version : throw new ArgumentOutOfRangeException(nameof(version), version, "A fold version is 1 or more.");

    /// <summary>A snapshot is taken whenever this many events were folded since the last one; 1 or more.</summary>
    public int SnapshotEvery { get; init; } = 500;
}
