using System.Text.Json;
using Akka.Actor;
using Akka.Serialization;

namespace Orleans.EventSourced.Benchmarks.Akka;

/// <summary>Events as JSON, with the options of ours, under a name of their own.</summary>
internal sealed class TickedSerializer(ExtendedActorSystem system) : SerializerWithStringManifest(system)
{
    private const string Name = "bench-ticked";

    public override int Identifier => 8_701;

    public override string Manifest(object o) => Name;

    public override byte[] ToBinary(object obj) => JsonSerializer.SerializeToUtf8Bytes((Ticked)obj, JsonSerializerOptions.Web);

    public override object FromBinary(byte[] bytes, string manifest) => JsonSerializer.Deserialize<Ticked>(bytes, JsonSerializerOptions.Web) ?? throw new JsonException("There is no event in it.");
}
