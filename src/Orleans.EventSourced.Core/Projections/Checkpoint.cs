using Orleans.EventSourced.Core.Log;

namespace Orleans.EventSourced.Core.Projections;

/// <summary>How far a slice of a table of one version of a view is.</summary>
/// <param name="View">The view and the version.</param>
/// <param name="Slice">The share of its rows.</param>
/// <param name="Position">Everything up to it is in the rows.</param>
/// <param name="MovedAt">When it last moved, by the store's clock.</param>
/// <param name="Role">What the table that holds these rows is there for.</param>
/// <param name="Edition">The number of that table.</param>
/// <param name="IsShown">Whether it is this version that the view's plain name shows.</param>
public sealed record Checkpoint(ViewId View, Slice Slice, LogPosition Position, DateTimeOffset MovedAt, ViewRole Role, int Edition, bool IsShown);
