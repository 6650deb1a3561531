using System.Text.Json;
using System.Text.Json.Nodes;
using CsCheck;
using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.History;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Snapshots;
using Orleans.EventSourced.UnitTests.Projections;
using Xunit;

namespace Orleans.EventSourced.UnitTests.History;

public sealed class TimeTravelTests
{
    private static readonly EntityFold Fold = EntityFold.Of<AccountState, AccountEvent>("account");
    private static readonly Gen<AccountEvent[]> Lives = Gen.Int[0, 9].Select(AccountEvent (n) => n switch { 0 => new Closed(), 1 => new Opened("other"), _ => new Deposited(n) }).Array[1, 60];
    private static readonly Gen<string> Names = Gen.OneOf(Gen.Const("a"), Gen.Const("b/c"), Gen.Const("~d"), Gen.Const(""));
    private readonly Bank _bank = new();

    [Fact]
    public async Task the_state_at_a_version_is_the_fold_of_the_first_events_and_what_was_served_then_with_snapshots_and_without() => await Lives.SampleAsync(
        async life =>
        {
            var (bank, snapshots) = (new Bank(), new InMemorySnapshotStore());
            var (stream, state) = (new StreamId("account", "a"), AccountState.Initial);
            var (with, without) = (Travel(bank, snapshots), Travel(bank, null));
            var served = new List<AccountState> { state };
            for (var i = 0; i < life.Length; i++)
            {
                await bank.AppendAsync("sky", "weather", new WeatherChanged());
                await bank.AppendAsync("a", life[i]);
                served.Add(state = AccountState.Evolve(state, life[i]));
                Assert.Equal(Json(state), Json((await with.ReadAsync(Fold, stream, null, CancellationToken.None)).State));
                if (i % 7 == 3)
                {
                    await SnapshotAsync(bank, snapshots, stream, i + 1, state);
                }
            }

            for (var v = 0; v <= life.Length; v++)
            {
                var at = new PointInTime.AtVersion(new StreamVersion(v));
                var (a, b) = (await with.ReadAsync(Fold, stream, at, CancellationToken.None), await without.ReadAsync(Fold, stream, at, CancellationToken.None));
                Assert.Equal(Json(served[v]), Json(a.State));
                Assert.Equal(Json(served[v]), Json(b.State));
                Assert.Equal((v, v), (a.Version.Value, b.Version.Value));
                Assert.Equal(v, b.Folded);
                if (v > 0)
                {
                    // Every other position is the weather's, so that an account's version v is at 2v, and still the last at 2v + 1.
                    Assert.Equal(v, (await with.ReadAsync(Fold, stream, new PointInTime.AtPosition(new LogPosition(2 * v)), CancellationToken.None)).Version.Value);
                    Assert.Equal(Json(a.State), Json((await without.ReadAsync(Fold, stream, new PointInTime.AtPosition(new LogPosition(Math.Min((2 * v) + 1, 2 * life.Length))), CancellationToken.None)).State));
                }
            }
        },
        iter: 60,
        threads: 1);

    [Fact]
    public async Task an_entity_that_is_not_there_was_not_there_at_version_0_either()
    {
        await _bank.AppendAsync("a", new Opened("x"));
        var (travel, before, nobody) = (Travel(_bank, null), PointInTime.Parse("v0"), new StreamId("account", "nobody"));
        Assert.Equal(0, (await travel.ReadAsync(Fold, new StreamId("account", "a"), before, CancellationToken.None)).Version.Value);
        Assert.Equal(HistoryFault.NoSuchStream, (await Assert.ThrowsAsync<HistoryException>(() => travel.ReadAsync(Fold, nobody, before, CancellationToken.None))).Fault);
        Assert.Equal(HistoryFault.NoSuchStream, (await Assert.ThrowsAsync<HistoryException>(() => travel.BlameAsync(Fold, nobody, before, CancellationToken.None))).Fault);
    }

    [Fact]
    public async Task a_snapshot_saves_the_fold_of_what_is_before_it_and_one_of_another_event_saves_nothing()
    {
        var (snapshots, stream) = (new InMemorySnapshotStore(), new StreamId("account", "a"));
        await _bank.AppendAsync("a", [.. Enumerable.Range(1, 30).Select(AccountEvent (i) => new Deposited(i))]);
        await SnapshotAsync(_bank, snapshots, stream, 20, AccountState.Initial with { Balance = 210, Last = [18, 19, 20] });
        Assert.Equal(3, (await Travel(_bank, snapshots).ReadAsync(Fold, stream, PointInTime.Parse("v23"), CancellationToken.None)).Folded);
        Assert.Equal(19, (await Travel(_bank, snapshots).ReadAsync(Fold, stream, PointInTime.Parse("v19"), CancellationToken.None)).Folded);

        var head = await _bank.Log.ReadHeadAsync(CancellationToken.None);
        await snapshots.WriteAsync(new Snapshot(head.LogId, stream, new StreamVersion(25), new LogPosition(25), new EventId(Guid.NewGuid()), 3, "{}"u8.ToArray()), CancellationToken.None);
        Assert.Equal(26 * 27 / 2, ((AccountState)(await Travel(_bank, snapshots).ReadAsync(Fold, stream, PointInTime.Parse("v26"), CancellationToken.None)).State).Balance);
    }

    [Fact]
    public async Task a_time_of_recording_means_the_last_commit_until_then_and_is_final_once_a_later_one_is_there()
    {
        var time = new Microsoft.Extensions.Time.Testing.FakeTimeProvider(new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero));
        var bank = new Bank(new InMemoryEventLog(time));
        var stream = new StreamId("account", "a");
        for (var i = 1; i <= 20; i++)
        {
            await bank.AppendAsync("a", new Deposited(i));
            time.Advance(TimeSpan.FromMinutes(1));
        }

        var travel = Travel(bank, null);
        Assert.Equal((1, true), Seen(await travel.ReadAsync(Fold, stream, PointInTime.Parse("2026-01-01T00:00:00Z"), CancellationToken.None)));
        Assert.Equal((7, true), Seen(await travel.ReadAsync(Fold, stream, PointInTime.Parse("2026-01-01T01:06:59.999+01:00"), CancellationToken.None)));
        Assert.Equal((20, false), Seen(await travel.ReadAsync(Fold, stream, PointInTime.Parse("2026-01-01T00:19:00Z"), CancellationToken.None)));
        await bank.AppendAsync("sky", "weather", new WeatherChanged());
        Assert.Equal((20, true), Seen(await travel.ReadAsync(Fold, stream, PointInTime.Parse("2026-01-01T00:19:00Z"), CancellationToken.None)));

        static (int, bool) Seen(StateReading reading) => (reading.Version.Value, reading.IsFinal);
    }

    [Theory]
    [InlineData("account/a", "v31", HistoryFault.NoSuchVersion, "no version 31; its last is 30")]
    [InlineData("account/a", "99", HistoryFault.BeyondTheLog, "ends at position 31")]
    [InlineData("account/b", "1", HistoryFault.NoSuchVersion, "began behind position 1")]
    [InlineData("account/a", "2000-01-01T00:00:00Z", HistoryFault.NoSuchVersion, "began after 2000-01-01T00:00:00")]
    [InlineData("account/a", "business:2000-01-01T00:00:00Z", HistoryFault.NoSuchVersion, "happened at or before 2000-01-01")]
    [InlineData("account/x", "v1", HistoryFault.NoSuchStream, "no stream 'account/x'")]
    [InlineData("account/x", null, HistoryFault.NoSuchStream, "no stream 'account/x'")]
    [InlineData("weather/sky", "v1", HistoryFault.NoSuchStream, "'weather/sky' is none")]
    public async Task what_is_not_there_is_named(string stream, string? at, HistoryFault fault, string says)
    {
        await _bank.AppendAsync("a", [.. Enumerable.Range(1, 30).Select(AccountEvent (i) => new Deposited(i))]);
        await _bank.AppendAsync("b", new Opened("x"));
        var refused = await Assert.ThrowsAsync<HistoryException>(() => Travel(_bank, null).ReadAsync(Fold, new StreamId(stream), at is null ? null : PointInTime.Parse(at), CancellationToken.None));
        Assert.Equal(fault, refused.Fault);
        Assert.Contains(says, refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task an_event_that_the_fold_refuses_is_named_and_what_is_before_it_can_be_seen()
    {
        await _bank.AppendAsync("a", new Opened("x"), new Cursed(), new Deposited(1));
        var stream = new StreamId("account", "a");
        var refused = await Assert.ThrowsAsync<HistoryException>(() => Travel(_bank, null).ReadAsync(Fold, stream, null, CancellationToken.None));
        Assert.Equal(HistoryFault.FoldRefuses, refused.Fault);
        Assert.Contains("version 2 of 'account/a', event type 'account-cursed', position 2: cursed", refused.Message, StringComparison.Ordinal);
        Assert.Equal("x", ((AccountState)(await Travel(_bank, null).ReadAsync(Fold, stream, PointInTime.Parse("v1"), CancellationToken.None)).State).Branch);
    }

    [Fact]
    public async Task more_events_than_the_limit_are_not_folded_at_once()
    {
        await _bank.AppendAsync("a", [.. Enumerable.Range(1, 30).Select(AccountEvent (i) => new Deposited(i))]);
        var travel = new TimeTravel(_bank.Log, null, _bank.Codec, new HistoryOptions { MaxEventsAtOnce = 29 });
        Assert.Equal(HistoryFault.TooMuch, (await Assert.ThrowsAsync<HistoryException>(() => travel.ReadAsync(Fold, new StreamId("account", "a"), null, CancellationToken.None))).Fault);
        Assert.Equal(29, (await travel.ReadAsync(Fold, new StreamId("account", "a"), PointInTime.Parse("v29"), CancellationToken.None)).Folded);
    }

    [Fact]
    public async Task forward_and_backward_are_each_others_inverse_wherever_the_cursor_is_moved()
    {
        var (stream, random, served) = (new StreamId("account", "a"), new Random(11), new List<string> { Json(AccountState.Initial) });
        var state = AccountState.Initial;
        for (var i = 0; i < 900; i++)
        {
            var e = new Deposited(random.Next(100));
            await _bank.AppendAsync("a", e);
            served.Add(Json(state = AccountState.Evolve(state, e)));
        }

        var cursor = new StateCursor(Travel(_bank, null), Fold, stream);
        Assert.False(await cursor.BackwardAsync(CancellationToken.None));
        for (var (step, at) = (0, 0); step < 4_000; step++)
        {
            switch (random.Next(40))
            {
                case 0:
                    at = random.Next(served.Count);
                    await cursor.MoveToAsync(new StreamVersion(at), CancellationToken.None);
                    break;
                case < 25:
                    Assert.Equal(at < 900, await cursor.ForwardAsync(CancellationToken.None));
                    at = Math.Min(900, at + 1);
                    break;
                default:
                    Assert.Equal(at > 0, await cursor.BackwardAsync(CancellationToken.None));
                    at = Math.Max(0, at - 1);
                    break;
            }

            Assert.Equal((at, served[at]), (cursor.Current.Version.Value, Json((AccountState)cursor.Current.State)));
        }

        await Assert.ThrowsAsync<HistoryException>(() => cursor.MoveToAsync(new StreamVersion(901), CancellationToken.None));
    }

    [Fact]
    public void a_patch_applied_to_the_first_gives_the_second() => Trees(3).Array[2].Sample(
        pair =>
        {
            var (before, after) = (JsonSerializer.SerializeToElement(pair[0]), JsonSerializer.SerializeToElement(pair[1]));
            var patch = StateDiff.Between(before, after);
            Assert.True(JsonNode.DeepEquals(pair[1], Patched(pair[0]?.DeepClone(), patch)), $"{before} and {JsonSerializer.Serialize(patch)} do not give {after}");
            Assert.Empty(StateDiff.Between(after, after));
        },
        iter: 3_000);

    [Fact]
    public async Task blame_names_for_every_field_the_event_that_set_its_present_value()
    {
        var stream = new StreamId("account", "a");
        await _bank.AppendAsync("a", new Opened("x"));
        await _bank.AppendAsync("a", new Deposited(5));
        await _bank.AppendAsync("a", new Opened("x"));
        await _bank.AppendAsync("a", new Deposited(0));
        var blame = (await Travel(_bank, null).BlameAsync(Fold, stream, null, CancellationToken.None)).ToDictionary(f => f.Path, StringComparer.Ordinal);
        Assert.Equal(["/balance", "/branch", "/isClosed", "/last/0", "/last/1"], blame.Keys);
        Assert.Equal([2, 1, 0, 2, 4], blame.Values.Select(f => f.Version));
        Assert.Equal(("account-deposited", 2L, "5"), (blame["/balance"].Type, blame["/balance"].Position, blame["/balance"].Value.GetRawText()));
        Assert.Equal(0, (await Travel(_bank, null).BlameAsync(Fold, stream, PointInTime.Parse("v1"), CancellationToken.None)).Single(f => f.Path == "/balance").Version);
    }

    [Theory]
    [InlineData("4711", "4711")]
    [InlineData("position:4711", "4711")]
    [InlineData("v3", "v3")]
    [InlineData("version:3", "v3")]
    [InlineData("2005-12-31T23:59:59+01:00", "2005-12-31T23:59:59.0000000+01:00")]
    [InlineData("2005-12-31T23:59:59 01:00", "2005-12-31T23:59:59.0000000+01:00")]
    [InlineData("recorded:2005-12-31T23:59:59.123456Z", "2005-12-31T23:59:59.1234560+00:00")]
    [InlineData("business:2005-12-31T23:59:59-05:00", "business:2005-12-31T23:59:59.0000000-05:00")]
    public void a_point_in_time_is_read_as_it_is_written(string text, string written)
    {
        Assert.Equal(written, PointInTime.Parse(text).ToString());
        Assert.Equal(PointInTime.Parse(text), PointInTime.Parse(written));
    }

    [Theory]
    [InlineData("")]
    [InlineData("v")]
    [InlineData("v-1")]
    [InlineData("-1")]
    [InlineData("yesterday")]
    [InlineData("2005-12-31")]
    [InlineData("2005-12-31T23:59:59")]
    [InlineData("T10:00Z")]
    [InlineData("12/31/2005T10:00Z")]
    [InlineData("2005-13-31T10:00:00Z")]
    [InlineData("business:")]
    [InlineData("99999999999999999999")]
    [InlineData("v99999999999")]
    public void what_is_no_point_in_time_is_refused(string text) =>
        Assert.Equal(HistoryFault.BadPoint, Assert.Throws<HistoryException>(() => PointInTime.Parse(text)).Fault);

    private static TimeTravel Travel(Bank bank, ISnapshotStore? snapshots) => new(bank.Log, snapshots, bank.Codec, new HistoryOptions());

    private static string Json(object state) => JsonSerializer.Serialize((AccountState)state, JsonSerializerOptions.Web);

    private static async Task SnapshotAsync(Bank bank, ISnapshotStore snapshots, StreamId stream, int version, AccountState state)
    {
        var (head, last) = (await bank.Log.ReadHeadAsync(CancellationToken.None), (await bank.Log.ReadStreamsAsync([new StreamRead(stream, new StreamVersion(version - 1), 1)], CancellationToken.None))[0][0]);
        await snapshots.WriteAsync(new Snapshot(head.LogId, stream, last.Version, last.Position, last.Id, 3, JsonSerializer.SerializeToUtf8Bytes(state, JsonSerializerOptions.Web)), CancellationToken.None);
    }

    private static Gen<JsonNode?> Trees(int depth)
    {
        var leaf = Gen.OneOf(Gen.Int[0, 3].Select(JsonNode? (i) => JsonValue.Create(i)), Names.Select(JsonNode? (s) => JsonValue.Create(s)), Gen.Const(JsonNode? () => null));
        return depth == 0 ? leaf : Gen.OneOf(
            leaf,
            Trees(depth - 1).Array[0, 4].Select(JsonNode? (items) => new JsonArray([.. items.Select(i => i?.DeepClone())])),
            Gen.Select(Names.Array[0, 3], Trees(depth - 1).Array[4], JsonNode? (names, values) => new JsonObject(names.Distinct().Select((n, i) => KeyValuePair.Create(n, values[i]?.DeepClone())))));
    }

    /// <summary>RFC 6902, of the three operations that are made.</summary>
    private static JsonNode? Patched(JsonNode? document, IReadOnlyList<PatchOperation> patch)
    {
        foreach (var operation in patch)
        {
            var value = operation.Value is { } element ? JsonNode.Parse(element.GetRawText()) : null;
            if (operation.Path.Length == 0)
            {
                document = value;
                continue;
            }

            var parts = operation.Path[1..].Split('/').Select(p => p.Replace("~1", "/", StringComparison.Ordinal).Replace("~0", "~", StringComparison.Ordinal)).ToArray();
            var parent = parts[..^1].Aggregate(document, (node, part) => node is JsonArray items ? items[int.Parse(part, System.Globalization.CultureInfo.InvariantCulture)] : node![part]);
            switch (operation.Op, parent)
            {
                case ("add", JsonArray items):
                    items.Insert(int.Parse(parts[^1], System.Globalization.CultureInfo.InvariantCulture), value);
                    break;
                case ("remove", JsonArray items):
                    items.RemoveAt(int.Parse(parts[^1], System.Globalization.CultureInfo.InvariantCulture));
                    break;
                case ("replace", JsonArray items):
                    items[int.Parse(parts[^1], System.Globalization.CultureInfo.InvariantCulture)] = value;
                    break;
                case ("remove", JsonObject members):
                    Assert.True(members.Remove(parts[^1]));
                    break;
                case ("add" or "replace", JsonObject members):
                    Assert.Equal(operation.Op == "replace", members.ContainsKey(parts[^1]));
                    members[parts[^1]] = value;
                    break;
                default:
                    throw new InvalidOperationException($"{operation} does not fit.");
            }
        }

        return document;
    }
}
