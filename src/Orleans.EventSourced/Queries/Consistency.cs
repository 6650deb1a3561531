namespace Orleans.EventSourced.Queries;

/// <summary>How new an answer must be. A view's rows follow the log a little behind it.</summary>
[GenerateSerializer, Immutable, Alias("Orleans.EventSourced.Consistency")]
public abstract record Consistency
{
    /// <summary>The longest that a read waits for a position.</summary>
    public static readonly TimeSpan MaxWait = TimeSpan.FromSeconds(30);

    private Consistency()
    {
    }

    /// <summary>Whatever the rows reflect now.</summary>
    [GenerateSerializer, Immutable, Alias("Orleans.EventSourced.Consistency.Eventual")]
    public sealed record Eventual : Consistency;

    /// <summary>At least everything up to a position, as the answer to a command gave it. The read waits for it, bounded, and holds no connection meanwhile.</summary>
    [GenerateSerializer, Immutable, Alias("Orleans.EventSourced.Consistency.AtLeast")]
    public sealed record AtLeast : Consistency
    {
        /// <param name="position">The position, 0 or more.</param>
        /// <param name="atMost">How long to wait, up to <see cref="MaxWait"/>.</param>
        /// <exception cref="ArgumentOutOfRangeException">One of them is out of range.</exception>
        public AtLeast(long position, TimeSpan atMost)
        {
            ArgumentOutOfRangeException.ThrowIfNegative(position);
            ArgumentOutOfRangeException.ThrowIfLessThan(atMost, TimeSpan.Zero);
            ArgumentOutOfRangeException.ThrowIfGreaterThan(atMost, MaxWait);
            (Position, AtMost) = (position, atMost);
        }

        /// <summary>The position.</summary>
        [Id(0)]
        public long Position { get; }

        /// <summary>How long to wait.</summary>
        [Id(1)]
        public TimeSpan AtMost { get; }

        /// <summary>Its parts.</summary>
        public void Deconstruct(out long position, out TimeSpan atMost) => (position, atMost) = (Position, AtMost);
    }
    /// <summary>
    /// Whatever the rows reflect now, with the accepted mutations of a session (<see cref="Mutations.MutationQueue"/>) folded on top of rows that do not show them yet. It never waits. Such rows are
    /// marked as pending; the position of the answer stays that of the rows without them.
    /// </summary>
    [GenerateSerializer, Immutable, Alias("Orleans.EventSourced.Consistency.WithMine")]
    public sealed record WithMine : Consistency
    {
        /// <param name="session">The session.</param>
        /// <exception cref="ArgumentException">It can be no key.</exception>
        public WithMine(string session) => Session = new StreamId(Mutations.SessionGrain.Type, session).Key;

        /// <summary>The session.</summary>
        [Id(0)]
        public string Session { get; }
    }
}
