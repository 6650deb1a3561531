using System.Text;

namespace Orleans.EventSourced.Core.Projections;

/// <summary>The keys of rows: 1 to <see cref="MaxBytes"/> bytes of UTF-8 without NUL and without lone surrogates.</summary>
public static class RowKey
{
    /// <summary>The longest key, in bytes of UTF-8.</summary>
    public const int MaxBytes = 512;

    internal static string Checked(string key, Type row)
    {
        ArgumentNullException.ThrowIfNull(key);
        var fault = key.Length == 0 ? "is empty" : StoredText.Fault(key, MaxBytes);
        return fault is null ? key : throw new ArgumentException($"View {ViewId.Of(row)}: the key {StoredText.Shown(key)} {fault}.", nameof(key));
    }
}

/// <summary>What every store takes as text.</summary>
internal static class StoredText
{
    private const int MaxShown = 60;
    private static readonly UTF8Encoding StrictUtf8 = new(false, throwOnInvalidBytes: true);

    /// <summary>Why no table keeps it; null: every table does.</summary>
    public static string? Fault(string text, int maxBytes)
    {
        try
        {
            return text.Contains('\0', StringComparison.Ordinal) ? "holds the character NUL"
                : text.Length > maxBytes || StrictUtf8.GetByteCount(text) is var bytes && bytes > maxBytes ? $"is longer than {maxBytes} bytes of UTF-8"
                : null;
        }
        catch (EncoderFallbackException e)
        {
            return $"holds the lone surrogate U+{(int)e.CharUnknown:X4}";
        }
    }

    /// <summary>As a message shows it: quoted, without control characters, its beginning only.</summary>
    public static string Shown(string text) =>
        $"'{string.Concat(text.Take(MaxShown).Select(c => char.IsControl(c) || char.IsSurrogate(c) ? $"\\u{(int)c:x4}" : $"{c}"))}{(text.Length > MaxShown ? "..." : "")}'";
}
