using System.Buffers;
using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using Orleans.EventSourced.Core.Events;

namespace Orleans.EventSourced.Core.Log;

/// <summary>
/// The chain of digests over the log: each commit's link covers the link before it, so that no stored byte can change without every later
/// link being wrong. All stores compute the same bytes, PostgreSQL in its append function, the others here.
/// </summary>
/// <remarks>
/// Every field is preceded by its length in bytes (4 bytes, big-endian); numbers are big-endian. An event's digest is SHA-256 over stream name,
/// version (4), id (16), type, schema (4), data, metadata. A commit's link is SHA-256 over the previous link (empty for the first), the position of its first event (8),
/// count (4), recorded time (8, microseconds since 1970-01-01 UTC), and the digests of its events in order.
/// </remarks>
public static class HashLink
{
    /// <summary>How many bytes of an event's digest are kept beside the link of its commit, by which a wrong link is traced to the event.</summary>
    public const int MarkBytes = 4;

    /// <summary>The digest of one event.</summary>
    /// <param name="stream">The stream's name.</param>
    /// <param name="version">The event's version.</param>
    /// <param name="id">The event's id.</param>
    /// <param name="type">The name of its type.</param>
    /// <param name="schema">The version of its payload's shape.</param>
    /// <param name="data">The exact payload.</param>
    /// <param name="metadata">The exact envelope.</param>
    public static byte[] Digest(string stream, int version, Guid id, string type, short schema, ReadOnlySpan<byte> data, ReadOnlySpan<byte> metadata)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        Span<byte> guid = stackalloc byte[16];
        id.TryWriteBytes(guid, bigEndian: true, out _);
        Add(hash, Encoding.UTF8.GetBytes(stream));
        Add(hash, version);
        Add(hash, guid);
        Add(hash, Encoding.UTF8.GetBytes(type));
        Add(hash, schema);
        Add(hash, data);
        Add(hash, metadata);
        return hash.GetHashAndReset();
    }

    /// <summary>The digest of an event in the log.</summary>
    public static byte[] Digest(RecordedEvent e)
    {
        ArgumentNullException.ThrowIfNull(e);
        return Digest(e.Stream.Value, e.Version.Value, e.Id.Value, e.Type, e.Schema, e.Data.Span, e.Metadata.Span);
    }

    /// <summary>The digest of a row as it is stored, whatever stands in it. Null: it holds numbers that no event has.</summary>
    internal static byte[]? Digest(EventRow row)
    {
        if (row.Version != (int)row.Version || row.Schema != (int)row.Schema || row.Stream is not { } stream)
        {
            return null;
        }

        var length = (7 * 4) + stream.Length + 4 + row.Id.Length + row.Type.Length + 4 + row.Data.Length + row.Metadata.Length;
        var bytes = ArrayPool<byte>.Shared.Rent(length);
        try
        {
            var at = 0;
            Write(bytes, ref at, stream.Span);
            Write(bytes, ref at, (int)row.Version);
            Write(bytes, ref at, row.Id.Span);
            Write(bytes, ref at, row.Type.Span);
            Write(bytes, ref at, (int)row.Schema);
            Write(bytes, ref at, row.Data.Span);
            Write(bytes, ref at, row.Metadata.Span);
            return SHA256.HashData(bytes.AsSpan(0, at));
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(bytes);
        }
    }

    /// <summary>The marks of a commit's events.</summary>
    /// <param name="digests">Their digests, in order.</param>
    public static byte[] Marks(IReadOnlyList<byte[]> digests)
    {
        ArgumentNullException.ThrowIfNull(digests);
        var marks = new byte[digests.Count * MarkBytes];
        for (var i = 0; i < digests.Count; i++)
        {
            digests[i].AsSpan(0, MarkBytes).CopyTo(marks.AsSpan(i * MarkBytes));
        }

        return marks;
    }

    /// <summary>The link of a commit.</summary>
    /// <param name="previous">The link of the commit before; empty for the first.</param>
    /// <param name="position">The position of the commit's first event.</param>
    /// <param name="recordedAt">The commit's time; what is below a microsecond does not count.</param>
    /// <param name="digests">The digests of its events, in order.</param>
    public static byte[] Next(ReadOnlySpan<byte> previous, LogPosition position, DateTimeOffset recordedAt, IReadOnlyList<byte[]> digests) => Next(previous, position.Value, Microseconds(recordedAt), digests);

    /// <summary>The link of a commit as it is stored, whatever stands in it.</summary>
    internal static byte[] Next(ReadOnlySpan<byte> previous, long position, long recordedAt, IReadOnlyList<byte[]> digests)
    {
        ArgumentNullException.ThrowIfNull(digests);
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        Add(hash, previous);
        Add(hash, position);
        Add(hash, digests.Count);
        Add(hash, recordedAt);
        AddLength(hash, digests.Count * SHA256.HashSizeInBytes);
        foreach (var digest in digests)
        {
            hash.AppendData(digest);
        }

        return hash.GetHashAndReset();
    }

    /// <summary>Microseconds since 1970-01-01 UTC: the form in which times enter the link, and SQLite's tables.</summary>
    public static long Microseconds(DateTimeOffset time) => (time.UtcTicks - DateTimeOffset.UnixEpoch.UtcTicks) / TimeSpan.TicksPerMicrosecond;

    /// <summary>The time that is so many microseconds after 1970-01-01 UTC.</summary>
    public static DateTimeOffset FromMicroseconds(long microseconds) => DateTimeOffset.UnixEpoch.AddTicks(microseconds * TimeSpan.TicksPerMicrosecond);

    private static void Write(byte[] to, ref int at, ReadOnlySpan<byte> field)
    {
        BinaryPrimitives.WriteInt32BigEndian(to.AsSpan(at), field.Length);
        field.CopyTo(to.AsSpan(at + 4));
        at += 4 + field.Length;
    }

    private static void Write(byte[] to, ref int at, int number)
    {
        BinaryPrimitives.WriteInt32BigEndian(to.AsSpan(at), 4);
        BinaryPrimitives.WriteInt32BigEndian(to.AsSpan(at + 4), number);
        at += 8;
    }

    private static void Add(IncrementalHash hash, ReadOnlySpan<byte> field)
    {
        AddLength(hash, field.Length);
        hash.AppendData(field);
    }

    private static void Add(IncrementalHash hash, int number)
    {
        Span<byte> bytes = stackalloc byte[4];
        BinaryPrimitives.WriteInt32BigEndian(bytes, number);
        Add(hash, bytes);
    }

    private static void Add(IncrementalHash hash, long number)
    {
        Span<byte> bytes = stackalloc byte[8];
        BinaryPrimitives.WriteInt64BigEndian(bytes, number);
        Add(hash, bytes);
    }

    private static void AddLength(IncrementalHash hash, int length)
    {
        Span<byte> bytes = stackalloc byte[4];
        BinaryPrimitives.WriteInt32BigEndian(bytes, length);
        hash.AppendData(bytes);
    }
}
