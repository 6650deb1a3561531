using CsCheck;
using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.Log;
using Xunit;
using StreamId = Orleans.EventSourced.Core.Log.StreamId;

namespace Orleans.EventSourced.Testing.Conformance;

#pragma warning disable CS1591 // The name of a fact is its documentation.
public abstract partial class EventLogConformance
{
    private static readonly Gen<Ask> Asks = Gen.Select(Gen.Int[0, 3], Gen.Int[0, 5], Gen.Int[1, 3], Gen.Enum<Expects>(), Gen.Bool, (stream, command, count, expects, hashed) => new Ask(stream, command, count, expects, hashed));

    /// <summary>How the expected version of a request lies to the stream's true one.</summary>
    public enum Expects
    {
        Current,
        Stale,
        Ahead,
        Any,
        NoStream,
    }

    [Fact]
    public async Task random_appends_retries_and_stale_versions_are_answered_as_by_the_model()
    {
        var log = await OpenAsync();
        await Asks.Array[1, 4].Array[1, 14].SampleAsync(
            async batches =>
            {
                var model = await Model.StartAsync(log);
                foreach (var batch in batches)
                {
                    await model.StepAsync(log, batch);
                }

                await model.CompareAsync(log);
            },
            iter: 150,
            threads: 1,
            print: batches => string.Join("; ", batches.Select(b => string.Join(", ", b.Select(a => a.ToString())))));
    }

    [Fact]
    public async Task two_hundred_lost_replies_are_resolved_by_sending_the_same_request_again()
    {
        var log = await OpenAsync();
        var start = await HeadAsync(log);
        var random = new Random(20_260_101);
        var versions = Enumerable.Range(0, 10).ToDictionary(i => NewStream($"{i}"), _ => 0);
        var sent = 0;
        for (var i = 0; i < 200; i++)
        {
            var (stream, version) = versions.ElementAt(random.Next(versions.Count));
            var request = Request(stream, version, NewCommand(), 1 + random.Next(4), random.Next(2) == 0 ? "h" : null);
            var other = Request(stream, ExpectedVersion.Any, NewCommand(), 1 + random.Next(2));

            _ = await AppendOneAsync(log, request);
            _ = await AppendedAsync(log, other);
            var again = Assert.IsType<AppendOutcome.Duplicate>(await AppendOneAsync(log, request));

            var last = await log.FindEventAsync(request.Events[^1].Id, Token);
            Assert.NotNull(last);
            Assert.Equal((last.Version, last.Position, last.RecordedAt), (again.Version, again.Position, again.RecordedAt));
            Assert.Equal(new StreamVersion(version + request.Events.Count), again.Version);
            versions[stream] = version + request.Events.Count + other.Events.Count;
            sent += request.Events.Count + other.Events.Count;
        }

        Assert.Equal(start + sent, await HeadAsync(log));
    }

    /// <summary>One request in terms of the model: small numbers, so that streams and commands meet often.</summary>
    private sealed record Ask(int Stream, int Command, int Count, Expects Expects, bool Hashed)
    {
        public override string ToString() => $"s{Stream} c{Command} x{Count} {Expects}{(Hashed ? " #" : "")}";
    }

    /// <summary>What the log should hold: for each stream the requests written, with their first answers.</summary>
    private sealed class Model(LogPosition start)
    {
        private readonly StreamId[] _streams = [.. Enumerable.Range(0, 4).Select(i => NewStream($"{i}"))];
        private readonly CommandId[] _commands = [.. Enumerable.Range(0, 6).Select(_ => NewCommand())];
        private readonly Dictionary<(int Stream, int Command), (Ask Ask, AppendOutcome.Appended Answer)> _written = [];
        private readonly List<EventId> _order = [];
        private readonly int[] _versions = new int[4];

        public static async Task<Model> StartAsync(IEventLog log) => new(await HeadAsync(log));

        public async Task StepAsync(IEventLog log, Ask[] batch)
        {
            var requests = batch.Select(ToRequest).ToArray();
            var outcomes = await AppendAsync(log, requests);
            var seen = new HashSet<int>();
            for (var i = 0; i < batch.Length; i++)
            {
                if (!seen.Add(batch[i].Stream))
                {
                    Assert.IsType<AppendOutcome.Deferred>(outcomes[i]);
                    continue;
                }

                Check(batch[i], requests[i], outcomes[i]);
            }
        }

        public async Task CompareAsync(IEventLog log)
        {
            var all = await ReadAllAsync(log, start, 5);
            Assert.Equal(_order, all.Select(e => e.Id));
            for (var s = 0; s < _streams.Length; s++)
            {
                var events = await ReadStreamAsync(log, _streams[s]);
                Assert.Equal(all.Where(e => e.Stream == _streams[s]).Select(e => e.Id), events.Select(e => e.Id));
                Assert.Equal(Enumerable.Range(1, _versions[s]), events.Select(e => e.Version.Value));
            }
        }

        private AppendRequest ToRequest(Ask ask)
        {
            var version = _versions[ask.Stream];
            var expected = ask.Expects switch
            {
                Expects.Current => At(version),
                Expects.Stale => At(Math.Max(0, version - 1)),
                Expects.Ahead => At(version + 1),
                Expects.Any => ExpectedVersion.Any,
                Expects.NoStream => ExpectedVersion.NoStream,
                _ => throw new ArgumentOutOfRangeException(nameof(ask), ask, "Unknown expectation."),
            };
            return Request(_streams[ask.Stream], expected, _commands[ask.Command], ask.Count, ask.Hashed ? "h" : null);
        }

        private void Check(Ask ask, AppendRequest request, AppendOutcome outcome)
        {
            var version = new StreamVersion(_versions[ask.Stream]);
            if (_written.TryGetValue((ask.Stream, ask.Command), out var first))
            {
                AppendOutcome expected = first.Ask.Count == ask.Count && first.Ask.Hashed == ask.Hashed ? AsDuplicate(first.Answer) : new AppendOutcome.IdReused();
                Assert.Equal(expected, outcome);
            }
            else if (!request.Expected.Accepts(version))
            {
                Assert.Equal(new AppendOutcome.Conflict(version), outcome);
            }
            else
            {
                _order.AddRange(request.Events.Select(e => e.Id));
                _versions[ask.Stream] += ask.Count;
                var answer = Assert.IsType<AppendOutcome.Appended>(outcome);
                Assert.Equal((version + ask.Count, start + _order.Count), (answer.Version, answer.Position));
                _written.Add((ask.Stream, ask.Command), (ask, answer));
            }
        }
    }
}
