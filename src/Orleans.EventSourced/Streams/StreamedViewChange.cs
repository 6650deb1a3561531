namespace Orleans.EventSourced.Streams;

/// <summary>An item of a view's stream: a row that changed or was deleted, or the word that all of them come anew.</summary>
/// <param name="Key">The row's key; empty: it is a reset.</param>
/// <param name="Position">The last event folded into the row, or the one that deleted it; of a reset, 0.</param>
/// <param name="Cursor">What to go on from behind it: <see cref="ViewStreams.TokenAfter"/>. The feed over HTTP takes it too.</param>
/// <param name="Row">An instance of the view's row class, shared with others: do not change it. Null: the row was deleted, or it is a reset.</param>
[GenerateSerializer, Immutable, Alias("Orleans.EventSourced.StreamedViewChange")]
public sealed record StreamedViewChange([property: Id(0)] string Key, [property: Id(1)] long Position, [property: Id(2)] string Cursor, [property: Id(3)] object? Row)
{
    /// <summary>Another table has taken the view's place, or the log went back: forget all rows. Those that are there now come behind it.</summary>
    [Id(4)]
    public bool IsReset { get; init; }
}
