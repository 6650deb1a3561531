namespace Orleans.EventSourced.Core.Deciding;

/// <summary>
/// Declares on a state class that it may be kept as snapshots, and which version of its fold made them. Raise the version whenever the state's shape or
/// the fold's meaning changes: snapshots of other versions are then ignored and the stream is folded anew. A state without it is never kept.
/// </summary>
/// <remarks>
/// A snapshot is JSON and must hold the state whole: every field of the class, and of the classes in it, belongs to a public property with a setter (<c>init</c> too), to a
/// property that a constructor's parameter of the same name sets, or to a member with <c>[JsonInclude]</c>; classes that others derive from name these with <c>[JsonDerivedType]</c>. A field that
/// holds nothing of its own, such as a cache, carries <c>[JsonIgnore]</c>. A converter of the state's own is trusted, and collections come back with their default comparers. A state that is
/// not so is never kept, with one warning that names the member.
/// </remarks>
/// <param name="version">1 or more.</param>
[AttributeUsage(AttributeTargets.Class, Inherited = false)]
public sealed class FoldVersionAttribute(int version) : Attribute
{
    /// <summary>The version, 1 or more.</summary>
    public int Version { get; } = version >= 1 ? version : throw new ArgumentOutOfRangeException(nameof(version), version, "A fold version is 1 or more.");

    /// <summary>A snapshot is taken whenever this many events were folded since the last one; 1 or more.</summary>
    public int SnapshotEvery { get; init; } = 500;
}
