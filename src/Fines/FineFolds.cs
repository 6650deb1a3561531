using System.Text.Json;
using Orleans.EventSourced.Core.History;

namespace Fines;

/// <summary>The folds of the example's entities, by the types of their streams.</summary>
public static class FineFolds
{
    /// <summary>All of them.</summary>
    public static IReadOnlyList<EntityFold> All { get; } = [EntityFold.Of<Fine, FineEvent>("fine", new JsonSerializerOptions(JsonSerializerDefaults.Web))];
}
