namespace Orleans.EventSourced.Grains;

/// <summary>What became of a command, and where that stands in the log.</summary>
/// <typeparam name="TEvent">The base type of the entity's events.</typeparam>
[GenerateSerializer, Immutable, Alias("Orleans.EventSourced.CommandResult`1")]
public abstract record CommandResult<TEvent>
{
    private protected CommandResult()
    {
    }
}

/// <summary>The command is accepted, and durable.</summary>
/// <typeparam name="TEvent">The base type of the entity's events.</typeparam>
/// <param name="Version">The version of the command's last event; without events, that of the stream's last.</param>
/// <param name="Position">The position of that event in the log: read a view at or after it to see the change.</param>
/// <param name="Events">What happened, in order; empty when the command changed nothing.</param>
/// <param name="IsRepeated">Whether this is the first answer of a command that was sent again: nothing was written now.</param>
[GenerateSerializer, Immutable, Alias("Orleans.EventSourced.Accepted`1")]
public sealed record Accepted<TEvent>(
    [property: Id(0)] int Version,
    [property: Id(1)] long Position,
    [property: Id(2)] IReadOnlyList<TEvent> Events,
    [property: Id(3)] bool IsRepeated) : CommandResult<TEvent>;

/// <summary>The entity refuses the command in its present state. Nothing was written.</summary>
/// <typeparam name="TEvent">The base type of the entity's events.</typeparam>
/// <param name="Code">A stable name for programs.</param>
/// <param name="Reason">A sentence for people.</param>
[GenerateSerializer, Immutable, Alias("Orleans.EventSourced.Rejected`1")]
public sealed record Rejected<TEvent>([property: Id(0)] string Code, [property: Id(1)] string Reason) : CommandResult<TEvent>;

/// <summary>The caller expected another version (<c>If-Match</c>). Nothing was written.</summary>
/// <typeparam name="TEvent">The base type of the entity's events.</typeparam>
/// <param name="Actual">The version that the stream has.</param>
[GenerateSerializer, Immutable, Alias("Orleans.EventSourced.VersionMismatch`1")]
public sealed record VersionMismatch<TEvent>([property: Id(0)] int Actual) : CommandResult<TEvent>;

/// <summary>The command id was used before with another content. Nothing was written.</summary>
/// <typeparam name="TEvent">The base type of the entity's events.</typeparam>
[GenerateSerializer, Immutable, Alias("Orleans.EventSourced.IdReused`1")]
public sealed record IdReused<TEvent> : CommandResult<TEvent>;

/// <summary>Other writers changed the stream each time this command was decided, as often as the options allow. Nothing was written; it may be sent again.</summary>
/// <typeparam name="TEvent">The base type of the entity's events.</typeparam>
[GenerateSerializer, Immutable, Alias("Orleans.EventSourced.Contended`1")]
public sealed record Contended<TEvent> : CommandResult<TEvent>;
