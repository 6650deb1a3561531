using System.Security.Cryptography;
using System.Text;

namespace Orleans.EventSourced.Core.Events;

/// <summary>
/// The identity of one command: the same for every try of it, never reused for another. All event ids of the command come from it,
/// which is what lets the log recognise a retry.
/// </summary>
public readonly record struct CommandId
{
    private readonly Guid _value;

    /// <param name="value">Any id but the empty one.</param>
    /// <exception cref="ArgumentException"><paramref name="value"/> is empty.</exception>
    public CommandId(Guid value)
    {
        if (value == Guid.Empty)
        {
            throw new ArgumentException("A command id is not the empty id.", nameof(value));
        }

        _value = value;
    }

    /// <summary>The id.</summary>
    /// <exception cref="InvalidOperationException">This is <c>default(CommandId)</c>.</exception>
    public Guid Value => _value == Guid.Empty ? throw new InvalidOperationException("default(CommandId) is no command.") : _value;

    /// <summary>A new id (UUIDv7, RFC 9562), so that the log's index of ids grows at its end.</summary>
    public static CommandId New(TimeProvider time)
    {
        ArgumentNullException.ThrowIfNull(time);
        return new CommandId(Guid.CreateVersion7(time.GetUtcNow()));
    }

    /// <summary>
    /// The id of a command that a caller named by text (an <c>Idempotency-Key</c>, a line of a file): a UUIDv7 (RFC 9562) is taken as it is, any other
    /// text is hashed (SHA-256, shaped as a UUIDv8; a UUID of another kind in its plain lower-case form), so that the same text is always the same command.
    /// </summary>
    /// <remarks>The first 48 bits are the place of the command's events in the log's index of ids: the clock's in a UUIDv7, nobody's choice in a hash.</remarks>
    /// <exception cref="ArgumentException"><paramref name="text"/> is empty.</exception>
    public static CommandId FromText(string text)
    {
        ArgumentException.ThrowIfNullOrEmpty(text);
        return !Guid.TryParse(text, out var id) ? new CommandId(Hashed(text))
            : id is { Version: 7, Variant: >= 8 and <= 11 } ? new CommandId(id)
            : new CommandId(Hashed(id.ToString("D")));
    }

    /// <summary>
    /// The id of the <paramref name="call"/>-th grain call made while this command ran, to <paramref name="target"/>. A retry of
    /// this command makes the same calls in the same order and so the same ids; two calls to one target get two ids.
    /// </summary>
    public CommandId Nested(string target, int call) => new(Shaped(Value, SHA256.HashData(Encoding.UTF8.GetBytes($"{target}\n{call}\n{Value:N}"))));

    /// <inheritdoc/>
    public override string ToString() => _value.ToString("D");

    /// <summary>The first 48 bits of <paramref name="time"/> (the clock of a UUIDv7), then 74 bits of <paramref name="hash"/>.</summary>
    internal static Guid Shaped(Guid time, ReadOnlySpan<byte> hash)
    {
        Span<byte> bytes = stackalloc byte[16];
        time.TryWriteBytes(bytes, bigEndian: true, out _);
        hash[..10].CopyTo(bytes[6..]);
        bytes[6] = (byte)((bytes[6] & 0x0F) | 0x80);
        bytes[8] = (byte)((bytes[8] & 0x3F) | 0x80);
        return new Guid(bytes, bigEndian: true);
    }

    private static Guid Hashed(string text)
    {
        var hash = SHA256.HashData(Encoding.UTF8.GetBytes(text));
        return Shaped(new Guid(hash.AsSpan(0, 16), bigEndian: true), hash.AsSpan(6));
    }
}
