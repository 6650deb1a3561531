using System.Collections.Immutable;
using System.Text.Json;
using System.Text.Json.Serialization;
using Orleans.EventSourced.LogConsistency;
using Xunit;

namespace Orleans.EventSourced.UnitTests.Snapshots;

/// <summary>Which states a snapshot holds whole, so that they may begin with one.</summary>
public sealed class SnapshotFormTests
{
    [Theory]
    [InlineData(typeof(Settable))]
    [InlineData(typeof(Positional))]
    [InlineData(typeof(Nested))]
    [InlineData(typeof(Included))]
    [InlineData(typeof(Constructed))]
    [InlineData(typeof(Cached))]
    [InlineData(typeof(Named))]
    [InlineData(typeof(Converted))]
    [InlineData(typeof(Linked))]
    public void a_state_whose_every_field_is_read_back_is_kept(Type state) => Assert.Null(SnapshotForm.Lost(state, new JsonSerializerOptions(JsonSerializerDefaults.Web)));

    [Theory]
    [InlineData(typeof(PrivateSetter), "'Total'")]
    [InlineData(typeof(Hidden), "'_seen'")]
    [InlineData(typeof(GetOnlyList), "'Lines'")]
    [InlineData(typeof(Inherits), "'_inherited'")]
    [InlineData(typeof(Ignored), "'Total'")]
    [InlineData(typeof(Holds), "'Total'")]
    [InlineData(typeof(HoldsInAList), "'Total'")]
    [InlineData(typeof(HoldsPerhaps), "'Pence'")]
    [InlineData(typeof(OfAnyShape), "Shape")]
    [InlineData(typeof(OfAnything), "System.Object")]
    public void a_state_of_which_something_would_be_lost_is_not_kept_and_the_member_is_named(Type state, string lost) =>
        Assert.Contains(lost, SnapshotForm.Lost(state, new JsonSerializerOptions(JsonSerializerDefaults.Web)), StringComparison.Ordinal);

    [Fact]
    public void fields_are_read_back_where_the_options_include_them()
    {
        Assert.NotNull(SnapshotForm.Lost(typeof(PublicField), new JsonSerializerOptions(JsonSerializerDefaults.Web)));
        Assert.Null(SnapshotForm.Lost(typeof(PublicField), new JsonSerializerOptions(JsonSerializerDefaults.Web) { IncludeFields = true }));
    }

    private sealed class Settable
    {
        public int Total { get; set; }

        public string? Name { get; init; }

        public bool IsEmpty => Total == 0;
    }

    private sealed record Positional(decimal Amount, DateTimeOffset? At, Guid Id)
    {
        public bool IsPaid => Amount == 0;
    }

    private readonly record struct Line(string Text, int Count);

    private sealed record Nested(IReadOnlyList<Line> Lines, ImmutableDictionary<string, Positional> ByName, Dictionary<int, HashSet<DayOfWeek>> Days, Settable[] All);

    private sealed class Included
    {
        [JsonInclude]
        public int Total { get; private set; }
    }

    private sealed class Constructed(int total)
    {
        public int Total { get; } = total;
    }

    private sealed class Cached
    {
        [JsonIgnore]
        private string? _text;

        public int Total { get; set; }

        public string Text() => _text ??= Total.ToString(System.Globalization.CultureInfo.InvariantCulture);
    }

    [JsonDerivedType(typeof(Circle), "circle")]
    private abstract record NamedShape;

    private sealed record Circle(int Radius) : NamedShape;

    private sealed record Named(NamedShape Shape);

    private sealed record Converted(Cents Price);

    private sealed record Linked(int Value, Linked? Next);

    [JsonConverter(typeof(CentsConverter))]
    private readonly struct Cents(long value)
    {
        private readonly long _value = value;

        public override string ToString() => $"{_value}";
    }

    private sealed class CentsConverter : JsonConverter<Cents>
    {
        public override Cents Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) => new(long.Parse(reader.GetString()!, System.Globalization.CultureInfo.InvariantCulture));

        public override void Write(Utf8JsonWriter writer, Cents value, JsonSerializerOptions options) => writer.WriteStringValue(value.ToString());
    }

    private sealed class PrivateSetter
    {
        public int Total { get; private set; }

        public void Apply(int amount) => Total += amount;
    }

    private sealed class Hidden
    {
        private readonly HashSet<int> _seen = [];

        public int Total { get; set; }

        public bool See(int id) => _seen.Add(id);
    }

    private sealed class GetOnlyList
    {
        public List<int> Lines { get; } = [];
    }

    private abstract class Inherited
    {
        private int _inherited;

        public int Next() => ++_inherited;
    }

    private sealed class Inherits : Inherited
    {
        public int Total { get; set; }
    }

    private sealed class Ignored
    {
        [JsonIgnore]
        public int Total { get; set; }
    }

    private sealed record Holds(PrivateSetter One);

    private sealed record HoldsInAList(IReadOnlyList<PrivateSetter> Many);

    private struct Coin
    {
        public int Pence { get; private set; }

        public void Add(int pence) => Pence += pence;
    }

    private sealed record HoldsPerhaps(Coin? Coin);

    private abstract record Shape;

    private sealed record Square(int Side) : Shape;

    private sealed record OfAnyShape(Shape Shape);

    private sealed record OfAnything(object Value);

    private sealed class PublicField
    {
        public int Total = 1;
    }
}
