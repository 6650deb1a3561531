using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using Orleans.EventSourced.Core.Log;

namespace Orleans.EventSourced.Core.Events;

/// <summary>
/// The identity of one event, a function of command id, stream name and ordinal: a retried command has the same event ids, and the
/// log's unique index on them lets it take effect once.
/// </summary>
public readonly record struct EventId
{
    private readonly Guid _value;

    /// <param name="value">Any id but the empty one.</param>
    /// <exception cref="ArgumentException"><paramref name="value"/> is empty.</exception>
    public EventId(Guid value)
    {
        if (value == Guid.Empty)
        {
            throw new ArgumentException("An event id is not the empty id.", nameof(value));
        }

        _value = value;
    }

    /// <summary>The id.</summary>
    /// <exception cref="InvalidOperationException">This is <c>default(EventId)</c>.</exception>
    public Guid Value => _value == Guid.Empty ? throw new InvalidOperationException("default(EventId) is no event.") : _value;

    /// <summary>
    /// The id of the event with number <paramref name="ordinal"/> (0, 1, ...) that <paramref name="command"/> writes to <paramref name="stream"/>.
    /// It keeps the command id's 48 time bits and hashes the rest. The stream is part of it because one command id may travel through
    /// several grains; the ordinal is hashed, not added, because UUIDv7 generators may count up (RFC 9562, 6.2 method 2).
    /// </summary>
    public static EventId Derive(CommandId command, StreamId stream, int ordinal)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(ordinal);
        var name = stream.Value;
        Span<byte> input = stackalloc byte[20 + Encoding.UTF8.GetMaxByteCount(name.Length) is var size and <= 1024 ? size : 20 + Encoding.UTF8.GetByteCount(name)];
        command.Value.TryWriteBytes(input, bigEndian: true, out _);
        BinaryPrimitives.WriteInt32BigEndian(input[16..], ordinal);
        var length = 20 + Encoding.UTF8.GetBytes(name, input[20..]);
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(input[..length], hash);
        return new EventId(CommandId.Shaped(command.Value, hash));
    }

    /// <summary>The lowest and the highest id that events of a command can have: they share its first 48 bits. Others may lie between them too.</summary>
    public static (Guid Lowest, Guid Highest) RangeOf(CommandId command)
    {
        Span<byte> bytes = stackalloc byte[16];
        command.Value.TryWriteBytes(bytes, bigEndian: true, out _);
        bytes[6..].Clear();
        var lowest = new Guid(bytes, bigEndian: true);
        bytes[6..].Fill(0xFF);
        return (lowest, new Guid(bytes, bigEndian: true));
    }

    /// <inheritdoc/>
    public override string ToString() => _value.ToString("D");
}
