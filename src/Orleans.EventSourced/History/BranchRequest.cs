using System.Text.Json;
using Orleans.EventSourced.Core.History;
using Orleans.EventSourced.Core.Log;

namespace Orleans.EventSourced.History;

/// <summary>What a branch is to be.</summary>
/// <param name="Base">The point of the log that it leaves, as <see cref="PointInTime.Parse"/> reads it, but no version and no business time; null: the head.</param>
/// <param name="Edits">What did not happen, or happened otherwise.</param>
/// <param name="Rules">The names of other folds and deciders.</param>
/// <param name="Reason">Why it is made.</param>
/// <param name="Actor">Who makes it; null: not known.</param>
/// <param name="Life">How long it lives from now; null: as long as the options allow.</param>
[GenerateSerializer, Immutable, Alias("Orleans.EventSourced.BranchRequest")]
public sealed record BranchRequest(
    [property: Id(0)] string? Base,
    [property: Id(1)] IReadOnlyList<BranchEditRequest> Edits,
    [property: Id(2)] IReadOnlyList<string> Rules,
    [property: Id(3)] string Reason,
    [property: Id(4)] string? Actor = null,
    [property: Id(5)] TimeSpan? Life = null);

/// <summary>An edit as it travels: <see cref="BranchEdit"/>.</summary>
/// <param name="Op"><c>drop</c>, <c>replace</c>, <c>insert</c> or <c>apply</c>.</param>
[GenerateSerializer, Immutable, Alias("Orleans.EventSourced.BranchEditRequest")]
public sealed record BranchEditRequest([property: Id(0)] string Op)
{
    /// <summary>The stream, <c>type/key</c>; of all but <c>apply</c>.</summary>
    [Id(1)]
    public string? Stream { get; init; }

    /// <summary>The version on the trunk: of <c>drop</c> and <c>replace</c> the event's own, of <c>insert</c> the one before it.</summary>
    [Id(2)]
    public int? Version { get; init; }

    /// <summary>The registered name of the event's type; of <c>replace</c> and <c>insert</c>.</summary>
    [Id(3)]
    public string? Type { get; init; }

    /// <summary>The event's payload as JSON; of <c>replace</c> and <c>insert</c>.</summary>
    [Id(4)]
    public string? Data { get; init; }

    /// <summary>The function's name; of <c>apply</c>.</summary>
    [Id(5)]
    public string? Function { get; init; }

    /// <summary>The function's parameters as JSON; null: their defaults.</summary>
    [Id(6)]
    public string? Parameters { get; init; }

    /// <exception cref="HistoryException">Something is missing, or is not what it should be.</exception>
    internal BranchEdit ToEdit() => Op switch
    {
        "drop" => new BranchEdit.Drop(StreamOf(), VersionOf(1)),
        "replace" => new BranchEdit.Replace(StreamOf(), VersionOf(1), Text(Type, "type"), Json(Text(Data, "data"), "data")),
        "insert" => new BranchEdit.Insert(StreamOf(), VersionOf(0), Text(Type, "type"), Json(Text(Data, "data"), "data")),
        "apply" => new BranchEdit.Apply(Text(Function, "function"), Parameters is null ? null : Json(Parameters, "parameters")),
        _ => throw Fault($"op is '{Op}'; it is drop, replace, insert or apply"),
    };

    private StreamId StreamOf()
    {
        try
        {
            return new StreamId(Text(Stream, "stream"));
        }
        catch (ArgumentException e)
        {
            throw Fault(e.Message);
        }
    }

    private StreamVersion VersionOf(int least) => Version is { } version && version >= least ? new StreamVersion(version) : throw Fault($"version is {Version?.ToString(System.Globalization.CultureInfo.InvariantCulture) ?? "missing"}; it is {least} or more");

    private string Text(string? value, string name) => string.IsNullOrEmpty(value) ? throw Fault($"{name} is missing") : value;

    private JsonElement Json(string text, string name)
    {
        try
        {
            return JsonElement.Parse(text);
        }
        catch (JsonException e)
        {
            throw Fault($"{name} is no JSON: {e.Message}");
        }
    }

    private HistoryException Fault(string what) => new(HistoryFault.BadEdit, $"An edit '{Op}' cannot be: {what}.");
}

/// <summary>A branch as it stands.</summary>
/// <param name="Id">Its name.</param>
/// <param name="Base">The position that it leaves the trunk at.</param>
/// <param name="Head">Its last position: the base, and one more for each live event.</param>
/// <param name="Edits">Its edits.</param>
/// <param name="Rules">Its other rules.</param>
/// <param name="Reason">Why it was made.</param>
/// <param name="Actor">Who made it; null: not known.</param>
/// <param name="CreatedAt">When, in UTC.</param>
/// <param name="ExpiresAt">When it goes, in UTC.</param>
[GenerateSerializer, Immutable, Alias("Orleans.EventSourced.BranchInfo")]
public sealed record BranchInfo(
    [property: Id(0)] string Id,
    [property: Id(1)] long Base,
    [property: Id(2)] long Head,
    [property: Id(3)] IReadOnlyList<BranchEditRequest> Edits,
    [property: Id(4)] IReadOnlyList<string> Rules,
    [property: Id(5)] string Reason,
    [property: Id(6)] string? Actor,
    [property: Id(7)] DateTimeOffset CreatedAt,
    [property: Id(8)] DateTimeOffset ExpiresAt);

/// <summary>The state of an entity on a branch, and beside it the trunk's as of the base.</summary>
/// <param name="Version">The version of its last event on the branch; 0: it has none.</param>
/// <param name="Position">Where that event stands on the branch.</param>
/// <param name="State">The state as JSON.</param>
/// <param name="TrunkVersion">The version of its last event on the trunk up to the base; 0: it has none.</param>
/// <param name="TrunkState">The state there as JSON.</param>
/// <param name="Patch">What makes the trunk's state into the branch's, a JSON Patch (RFC 6902).</param>
[GenerateSerializer, Immutable, Alias("Orleans.EventSourced.BranchState")]
public sealed record BranchState(
    [property: Id(0)] int Version, [property: Id(1)] long Position, [property: Id(2)] string State, [property: Id(3)] int TrunkVersion, [property: Id(4)] string TrunkState, [property: Id(5)] string Patch);

/// <summary>A view on a branch against the trunk's as of the base.</summary>
/// <param name="Trunk">The totals of the trunk.</param>
/// <param name="Branch">The totals of the branch.</param>
/// <param name="Difference">What the branch has more.</param>
/// <param name="Added">How many rows the branch alone has.</param>
/// <param name="Removed">How many the trunk alone has.</param>
/// <param name="Changed">How many have other values.</param>
/// <param name="Rows">The first of them by key.</param>
[GenerateSerializer, Immutable, Alias("Orleans.EventSourced.BranchComparison")]
public sealed record BranchComparison(
    [property: Id(0)] Totals Trunk,
    [property: Id(1)] Totals Branch,
    [property: Id(2)] Totals Difference,
    [property: Id(3)] int Added,
    [property: Id(4)] int Removed,
    [property: Id(5)] int Changed,
    [property: Id(6)] IReadOnlyList<DifferentRow> Rows);

/// <summary>A row that differs, as JSON.</summary>
/// <param name="Key">Its key.</param>
/// <param name="Trunk">The trunk's; null: it has none.</param>
/// <param name="Branch">The branch's; null: it has none.</param>
[GenerateSerializer, Immutable, Alias("Orleans.EventSourced.DifferentRow")]
public sealed record DifferentRow([property: Id(0)] string Key, [property: Id(1)] string? Trunk, [property: Id(2)] string? Branch);
