using Orleans.EventSourced.Benchmarks.Akka;
using Orleans.EventSourced.Benchmarks.Measures;

await using var peer = Peer.Start(Environment.GetEnvironmentVariable("BENCH_CONNECTION") ?? throw new InvalidOperationException("BENCH_CONNECTION names the database; this program is started by the comparison."));
await PeerProtocol.ServeAsync(peer.AppendAsync, peer.FillAsync, peer.ActivateAsync);
