using System.Text.Json;

namespace Orleans.EventSourced.Benchmarks.Measures;

/// <summary>What a contender is asked to do. It travels to the peer of another process as one line of JSON.</summary>
/// <param name="Name">A part of the entities' keys that no other load has: streams are new with each load, so that none is longer than the callers of this one make it.</param>
/// <param name="Callers">How many callers, each with its own entity; see <paramref name="OneEntity"/>.</param>
/// <param name="EventsPerCommand">The events of one command, all or nothing.</param>
/// <param name="OneEntity">Whether all callers send their commands to one entity.</param>
/// <param name="Time">For how long.</param>
internal sealed record AppendLoad(string Name, int Callers, int EventsPerCommand, bool OneEntity, TimeSpan Time)
{
    /// <summary>The note in each event, which makes it about as long as a real one.</summary>
    public const string Note = "a note that makes the event about as long as a real one is, which is 100 bytes";

    /// <summary>The key of the entity that this caller, from 0, sends to.</summary>
    public string KeyOf(int caller) => OneEntity ? $"{Name}-all" : $"{Name}-{caller}";

    public string ToJson() => JsonSerializer.Serialize(this);

    /// <exception cref="JsonException">The line is no load.</exception>
    public static AppendLoad Parse(string line) => JsonSerializer.Deserialize<AppendLoad>(line) ?? throw new JsonException("The line holds no load.");
}

/// <summary>Streams of one length, made to be activated.</summary>
/// <param name="Name">A part of the entities' keys that no other set has.</param>
/// <param name="Streams">How many.</param>
/// <param name="Events">How long each is; 0: entities that nothing happened to.</param>
internal sealed record ColdStreams(string Name, int Streams, int Events)
{
    public string KeyOf(int stream) => $"{Name}-{stream}";

    public string ToJson() => JsonSerializer.Serialize(this);

    /// <exception cref="JsonException">The line is no set of streams.</exception>
    public static ColdStreams Parse(string line) => JsonSerializer.Deserialize<ColdStreams>(line) ?? throw new JsonException("The line holds no streams.");
}
