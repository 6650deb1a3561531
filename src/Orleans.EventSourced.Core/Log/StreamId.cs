using System.Text;

namespace Orleans.EventSourced.Core.Log;

/// <summary>
/// The name of one entity's stream: <c>type/key</c>. It is also the subject of every event in it.
/// </summary>
/// <remarks>
/// The type is 1 to 128 characters of <c>a-z A-Z 0-9 . _ - `</c>; the key is 1 to 512 bytes of UTF-8 without NUL
/// and without lone surrogates, and not of white space alone, which names no grain. Names are compared ordinally and never change, because streams outlive the names of classes.
/// </remarks>
public readonly record struct StreamId
{
    /// <summary>The longest key, in bytes of UTF-8.</summary>
    public const int MaxKeyBytes = 512;

    /// <summary>The longest type, in characters.</summary>
    public const int MaxTypeLength = 128;

    private static readonly UTF8Encoding StrictUtf8 = new(false, throwOnInvalidBytes: true);
    private readonly string? _value;

    /// <param name="value">The full name, <c>type/key</c>; the first slash divides it.</param>
    /// <exception cref="ArgumentException">The name breaks one of the rules above; the message says which.</exception>
    public StreamId(string value)
        : this(value, isRecorded: false)
    {
    }

    private StreamId(string value, bool isRecorded)
    {
        ArgumentNullException.ThrowIfNull(value);
        var slash = value.IndexOf('/', StringComparison.Ordinal);
        if (slash <= 0 || slash > MaxTypeLength)
        {
            throw new ArgumentException($"A stream is named type/key with a type of 1 to {MaxTypeLength} characters; got '{Shown(value)}'.", nameof(value));
        }

        foreach (var c in value.AsSpan(0, slash))
        {
            if (!char.IsAsciiLetterOrDigit(c) && c is not ('.' or '_' or '-' or '`'))
            {
                throw new ArgumentException($"The type of stream '{Shown(value)}' holds '{c}'; allowed are letters, digits, '.', '_', '-' and '`'.", nameof(value));
            }
        }

        CheckKey(value, slash);
        if (!isRecorded && value.AsSpan(slash + 1).IsWhiteSpace())
        {
            throw new ArgumentException($"The key of a stream of type '{value[..slash]}' is white space alone.", nameof(value));
        }

        _value = value;
    }

    /// <param name="type">The part before the slash.</param>
    /// <param name="key">The part after the slash; it may hold slashes itself.</param>
    /// <exception cref="ArgumentException">As for the other constructor.</exception>
    public StreamId(string type, string key)
        : this(type + "/" + key)
    {
    }

    /// <summary>The name of a stream that is in a log: also one whose key is white space alone, which programs before this rule could write. It can be read, and nothing is appended to it.</summary>
    /// <param name="value">The full name, <c>type/key</c>, as it is recorded.</param>
    /// <exception cref="ArgumentException">It breaks another of the rules above; the message says which.</exception>
    public static StreamId Recorded(string value) => new(value, isRecorded: true);

    /// <summary>Whether it can only be read.</summary>
    internal bool NamesNoGrain => Value.AsSpan(Value.IndexOf('/', StringComparison.Ordinal) + 1).IsWhiteSpace();

    /// <summary>The full name, <c>type/key</c>.</summary>
    /// <exception cref="InvalidOperationException">This is <c>default(StreamId)</c>, which names no stream.</exception>
    public string Value => _value ?? throw new InvalidOperationException("default(StreamId) names no stream.");

    /// <summary>The part before the first slash: the grain type.</summary>
    public string Type => Value[..Value.IndexOf('/', StringComparison.Ordinal)];

    /// <summary>The part after the first slash: the grain key.</summary>
    public string Key => Value[(Value.IndexOf('/', StringComparison.Ordinal) + 1)..];

    /// <inheritdoc/>
    public override string ToString() => _value ?? "(no stream)";

    private static void CheckKey(string value, int slash)
    {
        int bytes;
        try
        {
            bytes = StrictUtf8.GetByteCount(value.AsSpan(slash + 1));
        }
        catch (EncoderFallbackException e)
        {
            throw new ArgumentException($"The key of a stream of type '{value[..slash]}' holds a lone surrogate at character {e.Index}.", nameof(value), e);
        }

        if (bytes is < 1 or > MaxKeyBytes)
        {
            throw new ArgumentException($"The key of stream '{Shown(value)}' has {bytes} bytes; allowed are 1 to {MaxKeyBytes}.", nameof(value));
        }

        if (value.AsSpan(slash + 1).Contains('\0'))
        {
            throw new ArgumentException($"The key of a stream of type '{value[..slash]}' holds a NUL character.", nameof(value));
        }
    }

    private static string Shown(string value) => value.Length <= 80 ? value : value[..80] + "…";
}
