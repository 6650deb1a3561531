using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Orleans.EventSourced.Benchmarks.Measures;

/// <summary>What one round of one contender came to. It travels between processes as one line of JSON.</summary>
/// <param name="Figures">The figures that the case takes.</param>
internal sealed record Round(IReadOnlyDictionary<Quantity, double> Figures)
{
    private static readonly JsonSerializerOptions Json = new() { Converters = { new JsonStringEnumConverter() } };

    /// <summary>The events that were written or folded, those before the clock started too, by which the comparison divides what the server took; 0: it does not.</summary>
    public long Events { get; init; }

    public double this[Quantity quantity] => Figures[quantity];

    public static Round Of(params (Quantity Quantity, double Value)[] figures) => new(figures.ToDictionary(f => f.Quantity, f => f.Value));

    /// <summary>The round with one figure more.</summary>
    public Round With(Quantity quantity, double value) => this with { Figures = new Dictionary<Quantity, double>(Figures) { [quantity] = value } };

    public string ToJson() => JsonSerializer.Serialize(this, Json);

    /// <exception cref="JsonException">The line is no round.</exception>
    public static Round Parse(string line) => JsonSerializer.Deserialize<Round>(line, Json) ?? throw new JsonException("The line holds no round.");

    public override string ToString() => string.Join(", ", Figures.Select(f => $"{f.Key.Title()} {f.Value.ToString(f.Key.Format(), CultureInfo.InvariantCulture)}"));
}
