using System.Text.Json;
using Orleans.EventSourced.Core.Events;

namespace Orleans.EventSourced.Operations;

/// <summary>A page of what operators did, newest first.</summary>
/// <param name="Operations">What they did.</param>
/// <param name="Next">The position before which the next page begins; null: there is no more.</param>
[GenerateSerializer, Immutable, Alias("Orleans.EventSourced.OperationPage")]
public sealed record OperationPage([property: Id(0)] IReadOnlyList<OperationRecord> Operations, [property: Id(1)] long? Next);

/// <summary>Something that an operator did: it took effect, or may have.</summary>
/// <param name="Position">Its place in the log.</param>
/// <param name="At">When it was recorded, in UTC: just after it took effect, or, where <paramref name="Outcome"/> says that it may have, just before.</param>
/// <param name="Actor">Who; null: not known.</param>
/// <param name="Action">What: one of <see cref="OperationActions"/>.</param>
/// <param name="Target">To what.</param>
/// <param name="Reason">Why.</param>
/// <param name="Before">How it stood just before, as JSON; null: there was none.</param>
/// <param name="After">How it stood by this action, as JSON; null: it was gone, or is not known.</param>
/// <param name="Correlation">The workflow that it belongs to; null: not known.</param>
/// <param name="Outcome">Whether it took effect.</param>
[GenerateSerializer, Immutable, Alias("Orleans.EventSourced.OperationRecord")]
public sealed record OperationRecord(
    [property: Id(0)] long Position,
    [property: Id(1)] DateTimeOffset At,
    [property: Id(2)] string? Actor,
    [property: Id(3)] string Action,
    [property: Id(4)] string Target,
    [property: Id(5)] string Reason,
    [property: Id(6)] string? Before,
    [property: Id(7)] string? After,
    [property: Id(8)] string? Correlation,
    [property: Id(9)] OperationOutcome Outcome)
{
    internal static OperationRecord Of(RecordedEvent recorded, OperationPerformed e) => Of(recorded, e.Action, e.Target, e.Reason, e.Before, e.After, OperationOutcome.Performed);

    internal static OperationRecord Of(RecordedEvent recorded, OperationRequested e) => Of(recorded, e.Action, e.Target, e.Reason, e.Before, null, OperationOutcome.Unknown);

    private static OperationRecord Of(RecordedEvent recorded, string action, string target, string reason, JsonElement? before, JsonElement? after, OperationOutcome outcome)
    {
        var metadata = EventMetadata.TryParse(recorded.Metadata);
        return new(recorded.Position.Value, recorded.RecordedAt, metadata?.Actor, action, target, reason, before?.GetRawText(), after?.GetRawText(), metadata?.Correlation, outcome);
    }
}

/// <summary>What became of what an operator asked for.</summary>
[GenerateSerializer, Alias("Orleans.EventSourced.OperationOutcome")]
public enum OperationOutcome
{
    /// <summary>It took effect.</summary>
    Performed,

    /// <summary>It is under way, or whoever did it could not say any more what became of it: look at how its target stands.</summary>
    Unknown,
}
