using System.Text.Json;
using Orleans.EventSourced.Core.Log;

namespace Orleans.EventSourced.Core.History;

/// <summary>What a branch changes of what happened. Events are named by their versions on the trunk, which stay what they are whatever other edits do.</summary>
public abstract record BranchEdit
{
    private BranchEdit()
    {
    }

    /// <summary>This event did not happen.</summary>
    /// <param name="Stream">Whose.</param>
    /// <param name="Version">Its version on the trunk.</param>
    public sealed record Drop(StreamId Stream, StreamVersion Version) : BranchEdit;

    /// <summary>Another event happened in the place of this one.</summary>
    /// <param name="Stream">Whose.</param>
    /// <param name="Version">Its version on the trunk.</param>
    /// <param name="Type">The registered name of the other one's type.</param>
    /// <param name="Data">Its payload, in the type's current version.</param>
    public sealed record Replace(StreamId Stream, StreamVersion Version, string Type, JsonElement Data) : BranchEdit;

    /// <summary>A further event happened.</summary>
    /// <param name="Stream">Whose; it need not be there yet.</param>
    /// <param name="After">The version on the trunk behind which it is; 0: before the first. Several behind one are in the order of the edits.</param>
    /// <param name="Type">The registered name of its type.</param>
    /// <param name="Data">Its payload, in the type's current version.</param>
    public sealed record Insert(StreamId Stream, StreamVersion After, string Type, JsonElement Data) : BranchEdit;

    /// <summary>A registered function is laid over every stream with events of its family.</summary>
    /// <param name="Function">Its name: <see cref="WhatIf.Name"/>.</param>
    /// <param name="Parameters">Its parameters, an object; null: their defaults.</param>
    public sealed record Apply(string Function, JsonElement? Parameters) : BranchEdit;
}
