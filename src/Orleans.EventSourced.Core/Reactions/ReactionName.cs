using System.Security.Cryptography;
using System.Text;
using Orleans.EventSourced.Core.Events;

namespace Orleans.EventSourced.Core.Reactions;

/// <summary>The name of a reaction. It outlives the code that reacts: checkpoint and command ids hang on it.</summary>
public readonly record struct ReactionName
{
    private readonly string? _value;

    /// <param name="value">1 to 40 characters of <c>a-z 0-9 - _</c>, the first a letter.</param>
    /// <exception cref="ArgumentException">It is not so.</exception>
    public ReactionName(string value) => _value = HandlerName.Checked(value, "reaction");

    /// <summary>The name.</summary>
    /// <exception cref="InvalidOperationException">This is <c>default(ReactionName)</c>.</exception>
    public string Value => _value ?? throw new InvalidOperationException("default(ReactionName) names no reaction.");

    /// <summary>On whose behalf its commands happen: <c>reaction:name</c>.</summary>
    public string Actor => "reaction:" + Value;

    /// <summary>
    /// The id of the command with number <paramref name="ordinal"/> (0, 1, ...) that this reaction sends because of <paramref name="cause"/>. The event that is handled again gives the
    /// same ids again, so that the log recognises the commands. It keeps the 48 time bits of the event's id.
    /// </summary>
    public CommandId CommandOf(EventId cause, int ordinal) => new CommandId(cause.Value).Nested($"reaction/{Value}", ordinal);

    /// <inheritdoc/>
    public override string ToString() => _value ?? "(no reaction)";
}

/// <summary>The name of a deadline. It outlives the code that acts: command ids hang on it.</summary>
public readonly record struct DeadlineName
{
    private readonly string? _value;

    /// <param name="value">1 to 40 characters of <c>a-z 0-9 - _</c>, the first a letter.</param>
    /// <exception cref="ArgumentException">It is not so.</exception>
    public DeadlineName(string value) => _value = HandlerName.Checked(value, "deadline");

    /// <summary>The name.</summary>
    /// <exception cref="InvalidOperationException">This is <c>default(DeadlineName)</c>.</exception>
    public string Value => _value ?? throw new InvalidOperationException("default(DeadlineName) names no deadline.");

    /// <summary>On whose behalf its commands happen: <c>deadline:name</c>.</summary>
    public string Actor => "deadline:" + Value;

    /// <summary>
    /// The id of the command with number <paramref name="ordinal"/> (0, 1, ...) that is sent when the row with this key falls due. A key and an instant are one deadline, however often the row
    /// is seen and whatever else changes in it meanwhile; another instant is another one. The id's 48 time bits are those of the instant, from 1970 on.
    /// </summary>
    /// <param name="key">The row's key.</param>
    /// <param name="dueAt">When it falls due, to the microsecond.</param>
    /// <param name="ordinal">0 or more.</param>
    public CommandId CommandOf(string key, DateTimeOffset dueAt, int ordinal)
    {
        ArgumentException.ThrowIfNullOrEmpty(key);
        ArgumentOutOfRangeException.ThrowIfNegative(ordinal);
        var hash = SHA256.HashData(Encoding.UTF8.GetBytes(string.Create(System.Globalization.CultureInfo.InvariantCulture, $"deadline/{Value}\n{ordinal}\n{dueAt.UtcTicks / TimeSpan.TicksPerMicrosecond}\n{key}")));
        return new CommandId(CommandId.Shaped(Guid.CreateVersion7(dueAt > DateTimeOffset.UnixEpoch ? dueAt : DateTimeOffset.UnixEpoch), hash));
    }

    /// <inheritdoc/>
    public override string ToString() => _value ?? "(no deadline)";
}

internal static class HandlerName
{
    private const int MaxLength = 40;

    public static string Checked(string value, string kind)
    {
        ArgumentNullException.ThrowIfNull(value);
        return value.Length is >= 1 and <= MaxLength && char.IsAsciiLetterLower(value[0]) && value.All(c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) || c is '-' or '_')
            ? value
            : throw new ArgumentException($"A {kind}'s name is 1 to {MaxLength} characters of a-z, 0-9, - and _, the first a letter; got '{value}'.", nameof(value));
    }
}
