using Orleans.EventSourced.Core.Events;

namespace Orleans.EventSourced.Core.Projections;

/// <summary>An event on its way into a view.</summary>
/// <param name="Recorded">As the log holds it: stream, position, time, metadata.</param>
/// <param name="Event">Its payload, brought up to the current version.</param>
public readonly record struct ViewEvent<TEvent>(RecordedEvent Recorded, TEvent Event);

/// <summary>
/// The rows of a view as pure folds of events, where each event says by itself which row it belongs to: mostly one row a stream. Implemented by the row's class,
/// an immutable record whose properties are the table's columns; one whose properties can be changed is refused.
/// </summary>
/// <remarks>Pure: no clock, no random, no I/O. The same events give the same rows, whenever and wherever they are folded.</remarks>
/// <typeparam name="TRow">The class itself.</typeparam>
/// <typeparam name="TEvent">
/// The base type of the events it reads; others pass by. <see cref="RecordedEvent"/>: all events as the log holds them, of whatever type. Their payloads are not read, so that one of a type that this program
/// does not know does not stop the view.
/// </typeparam>
public interface IView<TRow, TEvent>
    where TRow : class, IView<TRow, TEvent>
    where TEvent : class
{
    /// <summary>The key of the row that the event changes, as <see cref="RowKey"/> says; null: none.</summary>
    static abstract string? KeyOf(ViewEvent<TEvent> e);

    /// <summary>The row after the event; null: it is deleted.</summary>
    /// <param name="row">The row before; null: there is none.</param>
    /// <param name="key">Its key.</param>
    /// <param name="e">The event.</param>
    static abstract TRow? Apply(TRow? row, string key, ViewEvent<TEvent> e);
}

/// <summary>
/// The rows of a view where later events of a stream do not say which row they belong to (a payment knows its fine, not the fine's article): a route, kept for each stream, follows
/// its events, names the row, and holds what the fold needs to know of the stream.
/// </summary>
/// <remarks>
/// A route begins with the first event of its stream or never. The first event after which it names a key fixes the key for the stream; events before that change no row.
/// </remarks>
/// <typeparam name="TRow">The class itself.</typeparam>
/// <typeparam name="TEvent">The base type of the events it reads; others pass by. <see cref="RecordedEvent"/>: all, as the log holds them.</typeparam>
/// <typeparam name="TRoute">What is kept of each stream; written and read as JSON.</typeparam>
public interface IRoutedView<TRow, TEvent, TRoute>
    where TRow : class, IRoutedView<TRow, TEvent, TRoute>
    where TEvent : class
    where TRoute : class
{
    /// <summary>The stream's route after the event; null: the stream concerns no row of this view.</summary>
    /// <param name="route">The route before; null: this is the first event of the stream.</param>
    /// <param name="e">The event.</param>
    static abstract TRoute? Follow(TRoute? route, ViewEvent<TEvent> e);

    /// <summary>The key of the row that the stream belongs to, as <see cref="RowKey"/> says; null: not known yet.</summary>
    static abstract string? KeyOf(TRoute route);

    /// <summary>The row after the event; null: it is deleted.</summary>
    /// <param name="row">The row before; null: there is none.</param>
    /// <param name="key">Its key.</param>
    /// <param name="before">The stream's route before the event; null: there was none.</param>
    /// <param name="after">The stream's route after the event.</param>
    /// <param name="e">The event.</param>
    static abstract TRow? Apply(TRow? row, string key, TRoute? before, TRoute after, ViewEvent<TEvent> e);
}
