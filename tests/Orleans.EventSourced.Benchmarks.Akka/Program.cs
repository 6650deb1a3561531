using Orleans.EventSourced.Benchmarks.Akka;
using Orleans.EventSourced.Benchmarks.Measures;

// One request a line: a verb, a space, its parameters as JSON. One answer a line: a round as JSON. Ends with its input.
var connection = Environment.GetEnvironmentVariable("BENCH_CONNECTION") ?? throw new InvalidOperationException("BENCH_CONNECTION names the database; this program is started by the comparison.");
await using var peer = Peer.Start(connection);
while (await Console.In.ReadLineAsync() is { } line)
{
    var (verb, parameters) = line.IndexOf(' ') is > 0 and var at ? (line[..at], line[(at + 1)..]) : (line, "");
    var round = verb switch
    {
        "ready" => Round.Of(),
        "append" => await peer.AppendAsync(AppendLoad.Parse(parameters)),
        "fill" => await peer.FillAsync(ColdStreams.Parse(parameters)),
        "activate" => await peer.ActivateAsync(ColdStreams.Parse(parameters)),
        _ => throw new InvalidOperationException($"'{verb}' is no verb."),
    };
    Console.WriteLine(round.ToJson());
}
