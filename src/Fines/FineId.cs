using StreamId = Orleans.EventSourced.Core.Log.StreamId;

namespace Fines;

/// <summary>What may be a fine's id.</summary>
public static class FineId
{
    /// <summary>The stream of a fine.</summary>
    /// <param name="id">Its id: 1 to 512 bytes of UTF-8 that can be a part of an address.</param>
    /// <exception cref="ArgumentException">This can be no fine's id; the message says why.</exception>
    public static StreamId StreamOf(string id)
    {
        ArgumentNullException.ThrowIfNull(id);

        // A fine must be found at its address: servers leave %2F in a path as it is, and clients resolve dots.
        return id.StartsWith('~') || id.Contains('/', StringComparison.Ordinal) || id is "." or ".."
            ? throw new ArgumentException("A fine's id does not begin with '~', holds no '/', and is not '.' or '..'.")
            : new StreamId("fine", id);
    }
}
