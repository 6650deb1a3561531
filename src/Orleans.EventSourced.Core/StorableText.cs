using System.Text;

namespace Orleans.EventSourced.Core;

/// <summary>Text that was not written for a store, such as the message of an exception.</summary>
public static class StorableText
{
    /// <summary>
    /// What any store keeps of it: its beginning, with U+FFFD for NUL, which PostgreSQL keeps in no text, and for halves of surrogate pairs, which UTF-8 has no bytes for. No pair is cut in two.
    /// </summary>
    /// <param name="text">The text.</param>
    /// <param name="length">The most UTF-16 characters.</param>
    public static string Of(string text, int length)
    {
        var kept = new StringBuilder(Math.Min(text.Length, length));
        foreach (var rune in text.EnumerateRunes())
        {
            var next = rune.Value == 0 ? Rune.ReplacementChar : rune;
            if (kept.Length + next.Utf16SequenceLength > length)
            {
                break;
            }

            kept.Append(next.ToString());
        }

        return kept.ToString();
    }
}
