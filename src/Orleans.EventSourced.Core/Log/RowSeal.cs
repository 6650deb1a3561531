using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace Orleans.EventSourced.Core.Log;

/// <summary>
/// The digests of rows that no link covers: the log's own, and those of its streams. They are stored with the rows when these are made, so that a row that was changed afterwards gives itself away. All
/// stores compute the same bytes, PostgreSQL in its schema, the others here.
/// </summary>
/// <remarks>SHA-256 over a fixed part and the name: number (8 bytes, big-endian) or id (16), time (8, microseconds since 2000-01-01 UTC), name in UTF-8.</remarks>
public static class RowSeal
{
    // PostgreSQL counts from there, and seals each new stream in the midst of an append.
    private const long Epoch = 946_684_800_000_000;

    /// <summary>The seal of the log's row.</summary>
    /// <param name="logId">Its identity, 16 bytes, big-endian.</param>
    /// <param name="createdAt">When it was made, in microseconds since 1970-01-01 UTC.</param>
    public static byte[] OfLog(ReadOnlySpan<byte> logId, long createdAt)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(logId);
        Add(hash, unchecked(createdAt - Epoch));
        return hash.GetHashAndReset();
    }

    /// <summary>The seal of a stream's row.</summary>
    /// <param name="id">Its number.</param>
    /// <param name="name">Its name in UTF-8.</param>
    /// <param name="createdAt">When the row was made, in microseconds since 1970-01-01 UTC.</param>
    public static byte[] OfStream(long id, ReadOnlySpan<byte> name, long createdAt)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        Add(hash, id);
        Add(hash, unchecked(createdAt - Epoch));
        hash.AppendData(name);
        return hash.GetHashAndReset();
    }

    /// <summary>The seal of a stream's row.</summary>
    /// <param name="id">Its number.</param>
    /// <param name="name">Its name.</param>
    /// <param name="createdAt">When the row was made, in microseconds since 1970-01-01 UTC.</param>
    public static byte[] OfStream(long id, string name, long createdAt) => OfStream(id, Encoding.UTF8.GetBytes(name), createdAt);

    private static void Add(IncrementalHash hash, long number)
    {
        Span<byte> bytes = stackalloc byte[8];
        BinaryPrimitives.WriteInt64BigEndian(bytes, number);
        hash.AppendData(bytes);
    }
}
