using Orleans.EventSourced.Core.Projections;

namespace Orleans.EventSourced.Queries;

/// <summary>The answer to a query.</summary>
/// <typeparam name="T">What was asked for.</typeparam>
[GenerateSerializer, Immutable, Alias("Orleans.EventSourced.ViewResult`1")]
public abstract record ViewResult<T>
{
    private protected ViewResult()
    {
    }
}

/// <summary>What was asked for.</summary>
/// <param name="Value">It.</param>
/// <param name="Reflects">The position up to which everything is in it.</param>
[GenerateSerializer, Immutable, Alias("Orleans.EventSourced.ViewAnswer`1")]
public sealed record ViewAnswer<T>([property: Id(0)] T Value, [property: Id(1)] long Reflects) : ViewResult<T>;

/// <summary>The rows did not reach the position within the time, or so much is to be folded on top of them that it would take too long; ask again later.</summary>
/// <param name="Reflects">The position that they reach.</param>
/// <param name="Head">The log's head.</param>
[GenerateSerializer, Immutable, Alias("Orleans.EventSourced.ViewBehind`1")]
public sealed record ViewBehind<T>([property: Id(0)] long Reflects, [property: Id(1)] long Head) : ViewResult<T>;

/// <summary>The log does not reach the position: it was never answered to a command on this log.</summary>
/// <param name="Head">The log's head.</param>
[GenerateSerializer, Immutable, Alias("Orleans.EventSourced.BeyondTheLog`1")]
public sealed record BeyondTheLog<T>([property: Id(0)] long Head) : ViewResult<T>;

/// <summary>This program has no such view.</summary>
[GenerateSerializer, Immutable, Alias("Orleans.EventSourced.NoSuchView`1")]
public sealed record NoSuchView<T> : ViewResult<T>;

/// <summary>A row of a view.</summary>
/// <param name="Key">Its key.</param>
/// <param name="Position">The last event folded into it.</param>
/// <param name="Row">An instance of the view's row class.</param>
[GenerateSerializer, Immutable, Alias("Orleans.EventSourced.ViewRow")]
public sealed record ViewRow([property: Id(0)] string Key, [property: Id(1)] long Position, [property: Id(2)] object Row)
{
    /// <summary>A row of a table, or of a fold.</summary>
    internal static ViewRow Of<TRow>(KeyedRow<TRow> row)
        where TRow : class => new(row.Key, row.Position, row.Row);

    /// <summary>Whether mutations of the reader's session are folded into it that the view does not show yet: <see cref="Consistency.WithMine"/>.</summary>
    [Id(3)]
    public bool IsPending { get; init; }
}

/// <summary>Some rows of a view.</summary>
/// <param name="Rows">The rows, in the order asked for.</param>
/// <param name="Next">The cursor of the page behind this one; null: this is the last.</param>
[GenerateSerializer, Immutable, Alias("Orleans.EventSourced.ViewRows")]
public sealed record ViewRows([property: Id(0)] IReadOnlyList<ViewRow> Rows, [property: Id(1)] string? Next);

/// <summary>What changed in a view behind a cursor.</summary>
/// <param name="Next">The cursor to read on from.</param>
/// <param name="Changes">The rows, by position.</param>
/// <param name="IsReset">The view was made anew meanwhile, or the log does not reach the cursor, and any row may differ: read it anew, and the changes from <paramref name="Next"/> on.</param>
[GenerateSerializer, Immutable, Alias("Orleans.EventSourced.ViewChanges")]
public sealed record ViewChanges([property: Id(0)] string Next, [property: Id(1)] IReadOnlyList<ViewChange> Changes, [property: Id(2)] bool IsReset);

/// <summary>A row that changed.</summary>
/// <param name="Key">Its key.</param>
/// <param name="Position">The last event folded into it.</param>
/// <param name="Cursor">What to read on from behind it.</param>
/// <param name="Row">An instance of the view's row class; null: it was deleted.</param>
[GenerateSerializer, Immutable, Alias("Orleans.EventSourced.ViewChange")]
public sealed record ViewChange([property: Id(0)] string Key, [property: Id(1)] long Position, [property: Id(2)] string Cursor, [property: Id(3)] object? Row);
