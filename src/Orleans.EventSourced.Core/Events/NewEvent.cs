namespace Orleans.EventSourced.Core.Events;

/// <summary>An event on its way into the log: already JSON, without version or position.</summary>
/// <param name="Id">Derived from command, stream and ordinal; see <see cref="EventId.Derive"/>.</param>
/// <param name="Type">The registered name, never a CLR name; 1 to 128 characters.</param>
/// <param name="Schema">The version of the payload's shape, 1 to 32,767.</param>
/// <param name="Data">The payload: one JSON value in UTF-8, stored as these exact bytes. Owned by the event: do not change it afterwards.</param>
/// <param name="Metadata">The envelope (<see cref="EventMetadata"/>): one JSON object in UTF-8, stored as these exact bytes.</param>
public sealed record NewEvent(EventId Id, string Type, short Schema, ReadOnlyMemory<byte> Data, ReadOnlyMemory<byte> Metadata);
