using System.Linq.Expressions;
using System.Reflection;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Projections;

namespace Orleans.EventSourced.Core.Reactions;

/// <summary>A row that has fallen due.</summary>
/// <typeparam name="TRow">The class of the row.</typeparam>
/// <param name="Key">The row's key.</param>
/// <param name="Row">The row.</param>
/// <param name="DueAt">When it fell due.</param>
/// <param name="Position">The last event folded into it.</param>
public sealed record DueRow<TRow>(string Key, TRow Row, DateTimeOffset DueAt, LogPosition Position)
    where TRow : class;

/// <summary>
/// What is done when the rows of a view fall due. The row is the deadline: events make it, move it and, when what was to be done is done or no longer called for, delete it. Immutable.
/// </summary>
/// <typeparam name="TRow">The class of the rows.</typeparam>
public sealed class Deadline<TRow>
    where TRow : class
{
    private readonly Func<TRow, DateTimeOffset> _dueAt;

    /// <param name="name">Its name.</param>
    /// <param name="due">The property that says when a row falls due: <c>row =&gt; row.DueAt</c>, a <see cref="DateTimeOffset"/> with <see cref="IndexedAttribute"/>.</param>
    /// <param name="handle">Sends what is due. It may be called with a row again, until an event deletes the row or moves its time, and for several rows at once.</param>
    /// <param name="isOutage">Whether an exception of the handler says that something did not answer; null: <see cref="Reaction.IsOutage"/>.</param>
    /// <exception cref="ArgumentException"><paramref name="due"/> names no such property.</exception>
    public Deadline(DeadlineName name, Expression<Func<TRow, DateTimeOffset>> due, Func<DueRow<TRow>, CancellationToken, Task> handle, Func<Exception, bool>? isOutage = null)
    {
        ArgumentNullException.ThrowIfNull(due);
        ArgumentNullException.ThrowIfNull(handle);
        _ = name.Value;
        var property = (due.Body as MemberExpression)?.Member as PropertyInfo;
        DueColumn = ViewColumn.Of(typeof(TRow)).FirstOrDefault(c => c.IsIndexed && c.Property.Name == property?.Name)?.Name
            ?? throw new ArgumentException($"'{due}' names no property of {typeof(TRow)} with [Indexed]: due rows are looked up by it.", nameof(due));
        (Name, _dueAt, HandleAsync, Outage) = (name, due.Compile(), handle, isOutage ?? Reaction.IsOutage);
    }

    /// <summary>Its name.</summary>
    public DeadlineName Name { get; }

    /// <summary>The column that says when a row falls due.</summary>
    public string DueColumn { get; }

    internal Func<DueRow<TRow>, CancellationToken, Task> HandleAsync { get; }

    internal Func<Exception, bool> Outage { get; }

    internal DueRow<TRow> Due(KeyedRow<TRow> row) => new(row.Key, row.Row, _dueAt(row.Row), new LogPosition(row.Position));
}
