using Orleans.EventSourced.Core.Events;

namespace Orleans.EventSourced.Core.History;

/// <summary>When an event happened in the world.</summary>
internal static class BusinessTime
{
    public static DateTimeOffset Of(RecordedEvent recorded, JsonEventCodec codec) => Of(recorded, codec.Decode(recorded));

    public static DateTimeOffset Of(RecordedEvent recorded, object @event) => @event is IBusinessEvent said ? said.OccurredAt : recorded.RecordedAt;
}
