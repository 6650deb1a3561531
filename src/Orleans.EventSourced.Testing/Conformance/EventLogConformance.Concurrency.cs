using Orleans.EventSourced.Core.Log;
using Xunit;
using StreamId = Orleans.EventSourced.Core.Log.StreamId;

namespace Orleans.EventSourced.Testing.Conformance;

#pragma warning disable CS1591 // The name of a fact is its documentation.
public abstract partial class EventLogConformance
{
    [Fact]
    public async Task many_appenders_on_hot_streams_lose_and_repeat_nothing()
    {
        const int appenders = 8;
        const int requestsEach = 60;
        var log = await OpenAsync();
        var start = await HeadAsync(log);
        var hot = Enumerable.Range(0, 4).Select(i => NewStream($"{i}")).ToArray();

        var answers = await Task.WhenAll(Enumerable.Range(0, appenders).Select(seed => Task.Run(() => AppendToHotAsync(log, hot, seed, requestsEach))));

        var all = answers.SelectMany(a => a).ToList();
        Assert.Equal(appenders * requestsEach, all.Count);
        var written = await ReadAllAsync(log, start, 100);
        Assert.Equal(all.Sum(a => a.Request.Events.Count), written.Count);
        Assert.All(hot, s => Assert.Equal(Enumerable.Range(1, written.Count(e => e.Stream == s)), written.Where(e => e.Stream == s).Select(e => e.Version.Value)));
        var byId = written.ToDictionary(e => e.Id);
        Assert.All(all, a =>
        {
            var events = a.Request.Events.Select(e => byId[e.Id]).ToList();
            Assert.Equal(Enumerable.Range(0, events.Count).Select(i => events[0].Position + i), events.Select(e => e.Position));
            Assert.Equal((a.Answer.Version, a.Answer.Position, a.Answer.RecordedAt), (events[^1].Version, events[^1].Position, events[^1].RecordedAt));
        });
    }

    [Fact]
    public async Task twins_sent_at_the_same_time_are_written_once_and_get_one_answer()
    {
        var log = await OpenAsync();
        var streams = Enumerable.Range(0, 3).Select(i => NewStream($"{i}")).ToArray();
        for (var i = 0; i < 60; i++)
        {
            var request = Request(streams[i % 3], ExpectedVersion.Any, NewCommand(), count: 1 + (i % 2));

            var answers = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Task.Run(() => AppendOneAsync(log, request))));

            var first = Assert.Single(answers.OfType<AppendOutcome.Appended>());
            Assert.Equal(3, answers.Count(a => a.Equals(AsDuplicate(first))));
        }
    }

    [Fact]
    public async Task racing_writers_with_one_expected_version_have_one_winner()
    {
        var log = await OpenAsync();
        var stream = NewStream();
        for (var version = 0; version < 40; version++)
        {
            var expected = version;

            var answers = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Task.Run(() => AppendOneAsync(log, Request(stream, expected, NewCommand())))));

            Assert.Single(answers.OfType<AppendOutcome.Appended>());
            Assert.Equal(3, answers.Count(a => a.Equals(new AppendOutcome.Conflict(new StreamVersion(expected + 1)))));
        }
    }

    [Fact]
    public async Task a_reader_beside_writers_sees_no_gap_and_no_part_of_a_request()
    {
        const int requests = 240;
        const int eventsEach = 3;
        var log = await OpenAsync();
        var start = await HeadAsync(log);
        var streams = Enumerable.Range(0, 6).Select(i => NewStream($"{i}")).ToArray();
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(Token);
        deadline.CancelAfter(TimeSpan.FromSeconds(60));

        var writers = Task.WhenAll(Enumerable.Range(0, 4).Select(w => Task.Run(async () =>
        {
            for (var i = 0; i < requests / 4; i++)
            {
                await AppendedAsync(log, Request(streams[(w + i) % streams.Length], ExpectedVersion.Any, NewCommand(), eventsEach));
            }
        })));
        var after = start;
        while (after < start + (requests * eventsEach))
        {
            Assert.False(deadline.IsCancellationRequested, $"Expected {requests * eventsEach} events, saw {after.Value - start.Value}; writers: {writers.Status}.");
            var page = await log.ReadLogAsync(after, 10, Token);
            Assert.Equal(Enumerable.Range(1, page.Count).Select(i => after + i), page.Select(e => e.Position));
            Assert.All(page.GroupBy(e => Core.Events.EventMetadata.Parse(e.Metadata).Command), g => Assert.Equal(eventsEach, g.Count()));
            after += page.Count;
            await Task.Yield();
        }

        await writers;
        Assert.Equal(after, await HeadAsync(log));
    }

    /// <summary>Sends batches of one to three requests until each is written: conflicts are answered with the version that was told, deferred ones are sent again.</summary>
    private static async Task<List<(AppendRequest Request, AppendOutcome.Appended Answer)>> AppendToHotAsync(IEventLog log, StreamId[] hot, int seed, int count)
    {
        var random = new Random(seed);
        var written = new List<(AppendRequest, AppendOutcome.Appended)>();
        var waiting = Enumerable.Range(0, count)
            .Select(i => Request(hot[random.Next(hot.Length)], i % 3 == 0 ? ExpectedVersion.Any : At(0), NewCommand(), 1 + random.Next(3)))
            .ToList();
        while (waiting.Count > 0)
        {
            AppendRequest[] batch = [.. waiting.Take(1 + random.Next(3))];
            waiting.RemoveRange(0, batch.Length);
            foreach (var (request, outcome) in batch.Zip(await AppendAsync(log, batch)))
            {
                switch (outcome)
                {
                    case AppendOutcome.Appended answer:
                        written.Add((request, answer));
                        break;
                    case AppendOutcome.Conflict conflict:
                        waiting.Insert(0, new AppendRequest(request.Stream, At(conflict.Actual.Value), request.Events));
                        break;
                    case AppendOutcome.Deferred:
                        waiting.Add(request);
                        break;
                    default:
                        Assert.Fail($"{outcome} for a request that is sent once.");
                        break;
                }
            }
        }

        return written;
    }
}
