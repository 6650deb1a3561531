namespace Fines;

/// <summary>A stream of which only so much can be read between two renewals: who reads on without a renewal keeps what it read in memory.</summary>
internal sealed class RationedStream(Stream inner, int ration) : Stream
{
    private readonly BufferedStream _inner = new(inner, 1 << 16);
    private long _left = ration;

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public void Renew() => _left = ration;

    /// <exception cref="RationException">More was read than the ration.</exception>
    public override int Read(Span<byte> buffer)
    {
        var read = _inner.Read(buffer);
        return (_left -= read) >= 0 ? read : throw new RationException();
    }

    /// <exception cref="RationException">More was read than the ration.</exception>
    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    public override void Flush()
    {
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
}

/// <summary>More was read at once than may be.</summary>
internal sealed class RationException : Exception;
