using System.Text.Json;
using Orleans.EventSourced.Core.History;
using Orleans.EventSourced.Core.Log;

namespace Orleans.EventSourced.History;

/// <summary>The past of this program's entities: their states at any point, what differs between two points, and which event set each field. It only reads. Safe for concurrent use.</summary>
public sealed class EventHistory
{
    private readonly TimeTravel _travel;
    private readonly Entities _entities;

    internal EventHistory(TimeTravel travel, Entities entities) => (_travel, _entities) = (travel, entities);

    /// <summary>The state of an entity as it was; null: as it is now.</summary>
    /// <exception cref="HistoryException">There is no such entity or point, or too much would be folded.</exception>
    /// <exception cref="LogException">The log could not answer.</exception>
    public Task<StateReading> ReadAsync(StreamId stream, PointInTime? at, CancellationToken cancellationToken) => _travel.ReadAsync(_entities.Find(stream.Type), stream, at, cancellationToken);

    /// <summary>The state of an entity as JSON.</summary>
    /// <exception cref="HistoryException">As for <see cref="ReadAsync"/>.</exception>
    public JsonElement Show(StateReading reading)
    {
        ArgumentNullException.ThrowIfNull(reading);
        return _entities.Find(reading.Stream.Type).Show(reading.State);
    }

    /// <summary>What changed from one point to another, as a JSON Patch.</summary>
    /// <exception cref="HistoryException">As for <see cref="ReadAsync"/>.</exception>
    /// <exception cref="LogException">The log could not answer.</exception>
    public Task<(StateReading From, StateReading To, IReadOnlyList<PatchOperation> Patch)> DiffAsync(StreamId stream, PointInTime from, PointInTime? to, CancellationToken cancellationToken) =>
        _travel.DiffAsync(_entities.Find(stream.Type), stream, from, to, cancellationToken);

    /// <summary>For every field of the state, the event that set its value.</summary>
    /// <exception cref="HistoryException">As for <see cref="ReadAsync"/>.</exception>
    /// <exception cref="LogException">The log could not answer.</exception>
    public Task<IReadOnlyList<BlamedField>> BlameAsync(StreamId stream, PointInTime? at, CancellationToken cancellationToken) => _travel.BlameAsync(_entities.Find(stream.Type), stream, at, cancellationToken);

    /// <summary>Walks an entity's states, event by event.</summary>
    /// <exception cref="HistoryException">This program knows no state of such streams.</exception>
    public StateCursor Walk(StreamId stream) => new(_travel, _entities.Find(stream.Type), stream);
}
