using System.Text.Json;
using System.Text.Json.Serialization;
using Orleans.EventSourced.Core.Events;

namespace Orleans.EventSourced.Operations;

/// <summary>What operators did to the cluster. Who did it is the actor of the event's metadata, and when is the time of its commit, as of every event; the whole history is the stream <c>es-operations/all</c>.</summary>
[GenerateSerializer, Immutable, Alias("Orleans.EventSourced.OperationEvent")]
public abstract record OperationEvent
{
    private protected OperationEvent()
    {
    }
}

/// <summary>Something is about to be done: written before anything is. Where no event with the same <paramref name="Operation"/> follows, it is under way, or what became of it is not known.</summary>
/// <param name="Operation">Names it in the events that follow; a caller's command that is sent again asks for the same.</param>
/// <param name="Action">What, by a stable name: one of <see cref="OperationActions"/>.</param>
/// <param name="Target">To what: <c>view:NAME</c>, <c>reaction:NAME</c> or <c>branch:NAME</c>.</param>
/// <param name="Reason">Why, in the operator's words.</param>
/// <param name="Before">How it stood just before, as JSON; null: there was none.</param>
/// <param name="Asked">What exactly is asked for.</param>
[EventType(OperationEventTypes.Requested)]
public sealed record OperationRequested(Guid Operation, string Action, string Target, string Reason, JsonElement? Before, JsonElement Asked) : OperationEvent;

/// <summary>Something was done, and took effect.</summary>
/// <param name="Action">What, by a stable name: one of <see cref="OperationActions"/>.</param>
/// <param name="Target">To what: <c>view:NAME</c>, <c>reaction:NAME</c> or <c>branch:NAME</c>.</param>
/// <param name="Reason">Why, in the operator's words.</param>
/// <param name="Before">How it stood just before, as JSON; null: there was none.</param>
/// <param name="After">How it stands by this action; null: it is gone.</param>
[EventType(OperationEventTypes.Performed)]
public sealed record OperationPerformed(string Action, string Target, string Reason, JsonElement? Before, JsonElement? After) : OperationEvent
{
    /// <summary>What was asked for by <see cref="OperationRequested"/>; null: written by a program that did not announce what it does.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public Guid? Operation { get; init; }
}

/// <summary>What was asked for took no effect: it was refused, or there was nothing to change.</summary>
/// <param name="Operation">What was asked for by <see cref="OperationRequested"/>.</param>
/// <param name="Why">Why nothing came of it.</param>
[EventType(OperationEventTypes.Declined)]
public sealed record OperationDeclined(Guid Operation, string Why) : OperationEvent;

/// <summary>The names of what operators do.</summary>
public static class OperationActions
{
    /// <summary>A slice of a view was told to try again.</summary>
    public const string ProjectionResume = "projection-resume";

    /// <summary>A view passes over an event.</summary>
    public const string ProjectionSkip = "projection-skip";

    /// <summary>A new table of a view is being filled.</summary>
    public const string RebuildBegin = "rebuild-begin";

    /// <summary>The table that was built is the live one.</summary>
    public const string RebuildSwitch = "rebuild-switch";

    /// <summary>The table that was built was given up.</summary>
    public const string RebuildCancel = "rebuild-cancel";

    /// <summary>The retired table is being filled further.</summary>
    public const string RebuildRevert = "rebuild-revert";

    /// <summary>The retired table was dropped.</summary>
    public const string RebuildDropRetired = "rebuild-drop-retired";

    /// <summary>The view's plain name shows another version.</summary>
    public const string ViewShow = "view-show";

    /// <summary>A reaction was told to try again.</summary>
    public const string ReactionResume = "reaction-resume";

    /// <summary>A reaction passes over an event.</summary>
    public const string ReactionSkip = "reaction-skip";

    /// <summary>A branch was made.</summary>
    public const string BranchCreate = "branch-create";

    /// <summary>A branch was dropped.</summary>
    public const string BranchDrop = "branch-drop";
}

/// <summary>The events of operators in a map of event types.</summary>
public static class OperationEventTypes
{
    internal const string Requested = "operation-requested";
    internal const string Performed = "operation-performed";
    internal const string Declined = "operation-declined";

    /// <summary>Adds them; a program that knows them records what operators do, before it does it and after.</summary>
    public static EventTypeMap.Builder AddOperationEvents(this EventTypeMap.Builder types)
    {
        ArgumentNullException.ThrowIfNull(types);
        return types.AddFamily<OperationEvent>(JsonSerializerOptions.Web);
    }
}
