using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Fines;

/// <summary>
/// An amount of money in JSON: written as a string with two decimals, because JSON numbers are binary fractions to most readers; read from a string or a number.
/// </summary>
public sealed class MoneyJsonConverter : JsonConverter<decimal>
{
    /// <inheritdoc/>
    public override decimal Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) => reader.TokenType switch
    {
        JsonTokenType.Number when reader.TryGetDecimal(out var number) => number,
        JsonTokenType.String when decimal.TryParse(reader.GetString(), NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var text) => text,
        _ => throw new JsonException("An amount of money is a number, or a string such as \"35.00\"."),
    };

    /// <inheritdoc/>
    public override void Write(Utf8JsonWriter writer, decimal value, JsonSerializerOptions options)
    {
        ArgumentNullException.ThrowIfNull(writer);
        Span<char> text = stackalloc char[40];
        value.TryFormat(text, out var length, "0.00", CultureInfo.InvariantCulture);
        writer.WriteStringValue(text[..length]);
    }
}
