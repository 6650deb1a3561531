using System.Text.Json;
using CsCheck;
using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.History;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Projections;
using Orleans.EventSourced.UnitTests.Projections;
using Xunit;

namespace Orleans.EventSourced.UnitTests.History;

public sealed class BranchTests
{
    private static readonly Projection<AccountRow> Accounts = Projection.Of<AccountRow, AccountEvent>();
    private static readonly Projection<BranchRow> Offices = Projection.Of<BranchRow, AccountEvent, BranchRow.Route>();
    private static readonly EntityFold Fold = EntityFold.Of<AccountState, AccountEvent>("account");
    private static readonly BranchCatalog Catalog = new(
        [
            WhatIf.Of<AccountEvent, Times>("times", "Every deposit so many times.", (events, p) => events.Select(e => e is Deposited d ? new Deposited(d.Amount * p.Factor) : e)),
            WhatIf.Of<AccountEvent, Times>("no-small", "Deposits below it did not happen.", (events, p) => events.Where(e => e is not Deposited d || d.Amount >= p.Factor)),
            WhatIf.Of<AccountEvent, Times>("turned", "The other way round.", (events, _) => events.Reverse()),
            WhatIf.Of<AccountEvent, Times>("broken", "Fails.", (_, _) => throw new InvalidOperationException("no idea")),
        ],
        [new BranchRule.Fold("double", "Deposits count twice.", EntityFold.ByRules<AccountState, AccountEvent>("account", (s, e) => AccountState.Evolve(s, e is Deposited d ? new Deposited(2 * d.Amount) : e)))]);

    private readonly Bank _bank = new();

    private sealed record Times
    {
        public int Factor { get; init; } = 2;
    }

    [Fact]
    public void a_rewritten_stream_is_what_the_function_gave_whatever_it_drops_replaces_and_adds() => Gen.Select(Gen.Int[0, 12], Gen.Int[0, 3].Array[40]).Sample(
        (count, choices) =>
        {
            var (trunk, random) = (Enumerable.Range(0, count).Select(i => (object)new Deposited(i)).ToList(), new Queue<int>(choices));
            var given = new List<object>();
            foreach (var e in trunk)
            {
                switch (random.Dequeue())
                {
                    case 0:
                        break;
                    case 1:
                        given.Add(new Deposited(1_000 + given.Count));
                        break;
                    case 2:
                        given.AddRange([e, new Deposited(2_000 + given.Count)]);
                        break;
                    default:
                        given.Add(e);
                        break;
                }
            }

            var stream = new StreamId("account", "a");
            var patch = StreamPatch.Of(stream, trunk, [], [new BoundFunction("f", typeof(AccountEvent), _ => given)]);
            var emitted = new List<(RecordedEvent Recorded, object? Payload)>();
            for (var i = 0; i < trunk.Count; i++)
            {
                var recorded = Recorded(stream, i + 1);
                if (patch is null)
                {
                    emitted.Add((recorded, trunk[i]));
                }
                else
                {
                    patch.Emit(recorded, trunk[i], (_, version, place) => Recorded(stream, version) with { Position = place.Position }, emitted);
                }
            }

            Assert.Equal(given, emitted.Select(e => e.Payload));
            Assert.Equal(Enumerable.Range(1, given.Count), emitted.Select(e => e.Recorded.Version.Value));
            Assert.Equal(emitted.Select(e => e.Recorded.Position), emitted.Select(e => e.Recorded.Position).Order());
            Assert.Equal(given.Count, patch?.CountOf(trunk.Count) ?? trunk.Count);
        },
        iter: 5_000);

    [Fact]
    public async Task a_branch_without_edits_is_the_trunk_at_its_base()
    {
        await _bank.LiveAsync(seed: 1, commits: 200);
        var branch = Make([]);
        await _bank.LiveAsync(seed: 2, commits: 50);
        var (accounts, offices) = (await FoldAsync(branch, Accounts), await FoldAsync(branch, Offices));
        Assert.Equal(new ViewDifferences(0, 0, 0, []), accounts.Compare(JsonSerializerOptions.Web), Same);
        Assert.Equal(new ViewDifferences(0, 0, 0, []), offices.Compare(JsonSerializerOptions.Web), Same);
        Assert.Equal(await TrunkAsync(Accounts, branch.Definition.Base), accounts.Read((_, b) => b.Rows.ToDictionary(r => r.Key, r => (r.Row, r.Position))));
        foreach (var key in Enumerable.Range(0, 30).Select(i => $"{i}-1"))
        {
            Assert.Equal((await TrunkOfAsync(key)).Where(e => e.Position <= branch.Definition.Base), await branch.ReadStreamAsync(new StreamId("account", key), StreamVersion.None, 1_000, CancellationToken.None));
        }
    }

    [Fact]
    public async Task views_and_streams_of_a_branch_are_the_folds_of_what_would_have_happened()
    {
        await _bank.LiveAsync(seed: 3, commits: 300);
        var before = await HashAsync();
        var branch = Make([new BranchEdit.Apply("no-small", JsonSerializer.SerializeToElement(new { factor = 30 })), new BranchEdit.Apply("times", JsonSerializer.SerializeToElement(new { factor = "3" }))]);
        var (accounts, offices) = (await FoldAsync(branch, Accounts), await FoldAsync(branch, Offices));
        var expected = new Dictionary<string, AccountRow>(StringComparer.Ordinal);
        foreach (var e in await AllAsync())
        {
            var (key, payload) = (e.Stream.Key, _bank.Codec.Decode(e));
            switch (payload)
            {
                case Opened opened:
                    expected[key] = new AccountRow(opened.Branch, 0, 0);
                    break;
                case Deposited { Amount: >= 30 and var amount }:
                    expected[key] = expected[key] with { Balance = expected[key].Balance + (3 * amount), Deposits = expected[key].Deposits + 1 };
                    break;
                case Closed:
                    expected.Remove(key);
                    break;
            }
        }

        Assert.Equal(expected, accounts.Read((_, b) => b.Rows.ToDictionary(r => r.Key, r => r.Row)));
        Assert.Equal(expected.Values.GroupBy(a => a.Branch).ToDictionary(g => g.Key, g => g.Sum(a => a.Balance)), offices.Read((_, b) => b.Rows.Where(r => r.Row.Accounts > 0).ToDictionary(r => r.Key, r => r.Row.Balance)));
        Assert.Equal(await TrunkAsync(Accounts, branch.Definition.Base), accounts.Read((t, _) => t.Rows.ToDictionary(r => r.Key, r => (r.Row, r.Position))));
        foreach (var (key, row) in expected)
        {
            var events = await branch.ReadStreamAsync(new StreamId("account", key), StreamVersion.None, 1_000, CancellationToken.None);
            Assert.Equal(Enumerable.Range(1, events.Count), events.Select(e => e.Version.Value));
            Assert.Equal(row.Balance, ((AccountState)events.Aggregate(Fold.Initial, (s, e) => Fold.Evolve(s, e, _bank.Codec))).Balance - BeforeReopening(events));
        }

        var totals = accounts.Totals();
        Assert.Equal((expected.Count, (long)expected.Values.Sum(a => a.Balance)), (totals.Branch.Rows, totals.Branch.Counts["balance"]));
        Assert.Equal(totals.Branch.Counts["balance"] - totals.Trunk.Counts["balance"], totals.Difference.Counts["balance"]);
        Assert.Equal(before, await HashAsync());

        // The state of an account that was closed and opened again keeps its balance, its row does not.
        int BeforeReopening(IReadOnlyList<RecordedEvent> events)
        {
            var (sum, lost) = (0, 0);
            foreach (var payload in events.Select(_bank.Codec.Decode))
            {
                (sum, lost) = payload switch { Opened => (0, lost + sum), Deposited d => (sum + d.Amount, lost), _ => (sum, lost) };
            }

            return lost;
        }
    }

    [Fact]
    public async Task single_events_are_dropped_replaced_and_inserted_by_their_versions_on_the_trunk()
    {
        var stream = new StreamId("account", "a");
        await _bank.AppendAsync("a", new Opened("x"), new Deposited(1), new Deposited(2), new Deposited(3));
        var branch = Make(
            [
                new BranchEdit.Drop(stream, new StreamVersion(2)),
                new BranchEdit.Replace(stream, new StreamVersion(4), "account-deposited", Data("""{"amount":40}""")),
                new BranchEdit.Insert(stream, new StreamVersion(3), "account-deposited", Data("""{"amount":500}""")),
                new BranchEdit.Insert(stream, new StreamVersion(3), "account-deposited", Data("""{"amount":501}""")),
                new BranchEdit.Insert(new StreamId("account", "new"), StreamVersion.None, "account-opened", Data("""{"branch":"y"}""")),
            ]);
        var events = await branch.ReadStreamAsync(stream, StreamVersion.None, 10, CancellationToken.None);
        Assert.Equal([new Opened("x"), new Deposited(2), new Deposited(500), new Deposited(501), new Deposited(40)], events.Select(_bank.Codec.Decode));
        Assert.Equal([1, 2, 3, 4, 5], events.Select(e => e.Version.Value));
        Assert.Equal([1, 3, 3, 3, 4], events.Select(e => (int)e.Position.Value));
        Assert.Equal(new Deposited(501), _bank.Codec.Decode((await branch.ReadStreamAsync(stream, new StreamVersion(3), 1, CancellationToken.None))[0]));
        Assert.Equal(events.Count, events.DistinctBy(e => e.Id).Count());
        var view = await FoldAsync(branch, Accounts);
        Assert.Equal(new Dictionary<string, AccountRow>(StringComparer.Ordinal) { ["a"] = new("x", 1_043, 4), ["new"] = new("y", 0, 0) }, view.Read((_, b) => b.Rows.ToDictionary(r => r.Key, r => r.Row)));
        var differences = view.Compare(JsonSerializerOptions.Web);
        Assert.Equal((1, 0, 1), (differences.Added, differences.Removed, differences.Changed));
        Assert.Equal(["a", "new"], differences.Rows.Select(r => r.Key));
    }

    [Fact]
    public async Task live_events_go_on_from_the_branch_and_show_in_its_views()
    {
        var stream = new StreamId("account", "a");
        await _bank.AppendAsync("a", new Opened("x"), new Deposited(1), new Deposited(2));
        var branch = Make([new BranchEdit.Drop(stream, new StreamVersion(2))]);
        var view = await FoldAsync(branch, Accounts);
        await _bank.AppendAsync("a", new Deposited(999));
        var request = Request(stream, 2, new Deposited(10));
        Assert.Equal(new AppendOutcome.Appended(new StreamVersion(3), branch.Definition.Base + 1, Now), await branch.AppendAsync(request, Now, CancellationToken.None));
        Assert.Equal(new AppendOutcome.Duplicate(new StreamVersion(3), branch.Definition.Base + 1, Now), await branch.AppendAsync(request, Now, CancellationToken.None));
        Assert.Equal(new AppendOutcome.Conflict(new StreamVersion(3)), await branch.AppendAsync(Request(stream, 2, new Deposited(11)), Now, CancellationToken.None));
        Assert.IsType<AppendOutcome.Appended>(await branch.AppendAsync(Request(new StreamId("account", "b"), 0, new Opened("y")), Now, CancellationToken.None));
        Assert.Equal([new Opened("x"), new Deposited(2), new Deposited(10)], (await branch.ReadStreamAsync(stream, StreamVersion.None, 10, CancellationToken.None)).Select(_bank.Codec.Decode));
        Assert.Equal(new AccountRow("x", 12, 2), view.Find("a").Row!.Row);
        Assert.Equal(new AccountRow("y", 0, 0), view.Find("b").Row!.Row);
        Assert.Equal((branch.Definition.Base + 2, branch.Head), (view.Find("b").Reflects, branch.Head));
        Assert.Equal(["a", "b"], view.Query(new RowQueryPlan<AccountRow>(new RowQuery())).Rows.Select(r => r.Key));
        Assert.Equal(12, ((await FoldAsync(branch, Accounts)).Find("a").Row!.Row).Balance);
    }

    [Fact]
    public async Task what_a_branch_may_have_is_limited()
    {
        await _bank.AppendAsync("a", new Opened("x"));
        var branch = Make([], new HistoryOptions { MaxLiveEvents = 2 });
        await branch.AppendAsync(Request(new StreamId("account", "a"), 1, new Deposited(1)), Now, CancellationToken.None);
        var refused = await Assert.ThrowsAsync<HistoryException>(() => branch.AppendAsync(Request(new StreamId("account", "a"), 2, new Deposited(1), new Deposited(2)), Now, CancellationToken.None));
        Assert.Equal((HistoryFault.QuotaReached, 1), (refused.Fault, branch.LiveEvents));
        Assert.Equal(HistoryFault.QuotaReached, Assert.Throws<HistoryException>(() => Make([new BranchEdit.Apply("times", null), new BranchEdit.Apply("times", null)], new HistoryOptions { MaxEdits = 1 })).Fault);
        await _bank.AppendAsync("b", new Opened("x"));
        Assert.Equal(HistoryFault.TooMuch, (await Assert.ThrowsAsync<HistoryException>(() => FoldAsync(Make([], new HistoryOptions { MaxRows = 1 }), Accounts))).Fault);
        Assert.Equal(HistoryFault.TooMuch, (await Assert.ThrowsAsync<HistoryException>(() => FoldAsync(Make([], new HistoryOptions { MaxEventsAtOnce = 1, MaxEvents = 1 }, new LogPosition(2)), Accounts))).Fault);
    }

    [Fact]
    public async Task an_edit_that_cannot_be_or_makes_a_fold_fail_is_named()
    {
        var stream = new StreamId("account", "a");
        await _bank.AppendAsync("a", new Opened("x"), new Deposited(1));
        await RefusedAsync(HistoryFault.BadEdit, "no version 3 at the branch's base; its last is 2", new BranchEdit.Drop(stream, new StreamVersion(3)));
        await RefusedAsync(HistoryFault.BadEdit, "Version 1 of 'account/a' was dropped", new BranchEdit.Drop(stream, new StreamVersion(1)), new BranchEdit.Drop(stream, new StreamVersion(1)));
        await RefusedAsync(HistoryFault.BadEdit, "'account-lost', which is not registered", new BranchEdit.Insert(stream, new StreamVersion(1), "account-lost", Data("{}")));
        await RefusedAsync(HistoryFault.BadEdit, "has no payload of type 'account-deposited'", new BranchEdit.Replace(stream, new StreamVersion(1), "account-deposited", Data("""{"amount":"much"}""")));
        await RefusedAsync(HistoryFault.BadEdit, "no function 'nothing'; there are 'broken', 'no-small', 'times', 'turned'", new BranchEdit.Apply("nothing", null));
        await RefusedAsync(HistoryFault.BadEdit, "parameters of 'times' do not fit", new BranchEdit.Apply("times", Data("""{"faktor":3}""")));
        await RefusedAsync(HistoryFault.FoldRefuses, "Function 'broken' fails at stream 'account/a': no idea", new BranchEdit.Apply("broken", null));
        await RefusedAsync(HistoryFault.FoldRefuses, "in another order", new BranchEdit.Apply("turned", null));
        await RefusedAsync(HistoryFault.FoldRefuses, "stream 'account/a', version 1, event type 'account-deposited'", new BranchEdit.Drop(stream, new StreamVersion(1)));
        Assert.Equal(HistoryFault.BadEdit, Assert.Throws<HistoryException>(() => Make([], id: "Not A Name")).Fault);
    }

    [Fact]
    public async Task what_a_view_passes_over_is_the_trunks_event_and_not_what_a_branch_has_at_its_position()
    {
        var stream = new StreamId("account", "a");
        await _bank.AppendAsync("a", new Opened("x"), new Deposited(1), new Deposited(2));
        var at = new LogPosition(3);
        var branch = Make([new BranchEdit.Replace(stream, new StreamVersion(2), "account-deposited", Data("""{"amount":10}"""))], at: at);
        await _bank.AppendAsync("a", new Deposited(4));
        SkippedEvent[] skipped = [.. new[] { 2, 3, 4 }.Select(p => new SkippedEvent(new LogPosition(p), "bad", null, Now))];
        var view = await branch.FoldAsync(Accounts, skipped, PoisonPolicy.Stop, null, CancellationToken.None);
        Assert.Equal((0, 10), view.Read((t, b) => (t.Find("a")!.Row.Balance, b.Find("a")!.Row.Balance)));
        await branch.AppendAsync(Request(stream, 3, new Deposited(100)), Now, CancellationToken.None);
        Assert.Equal((4L, 110), (branch.Head.Value, view.Find("a").Row!.Row.Balance));
    }

    [Fact]
    public async Task another_fold_can_be_named()
    {
        await _bank.AppendAsync("a", new Opened("x"), new Deposited(1));
        var branch = Make([], rules: ["double"]);
        var events = await branch.ReadStreamAsync(new StreamId("account", "a"), StreamVersion.None, 9, CancellationToken.None);
        Assert.Equal(2, ((AccountState)events.Aggregate(Fold.Initial, (s, e) => branch.FoldOf(Fold).Evolve(s, e, _bank.Codec))).Balance);
        Assert.Equal(HistoryFault.BadEdit, Assert.Throws<HistoryException>(() => Make([], rules: ["half"])).Fault);
        Assert.Equal(HistoryFault.BadEdit, Assert.Throws<HistoryException>(() => Make([], rules: [null!])).Fault);
    }

    [Fact]
    public async Task a_view_as_of_a_position_is_what_the_table_was_then()
    {
        await _bank.LiveAsync(seed: 5, commits: 150);
        var past = new PastViews(_bank.Log, _bank.Codec, new HistoryOptions { PageEvents = 13 }, new InlineWorker());
        var head = (await _bank.Log.ReadHeadAsync(CancellationToken.None)).Position;
        foreach (var position in Enumerable.Range(0, 12).Select(i => new LogPosition(i * head.Value / 11)))
        {
            Assert.Equal(await TrunkAsync(Accounts, position), (await PastAsync(Accounts, position)).Rows.Rows.ToDictionary(r => r.Key, r => (r.Row, r.Position)));
            Assert.Equal(await TrunkAsync(Offices, position), (await PastAsync(Offices, position)).Rows.Rows.ToDictionary(r => r.Key, r => (r.Row, r.Position)));
        }

        Assert.Equal(HistoryFault.BeyondTheLog, (await Assert.ThrowsAsync<HistoryException>(() => PastAsync(Accounts, head + 1))).Fault);

        async Task<PastView<TRow>> PastAsync<TRow>(Projection<TRow> projection, LogPosition position)
            where TRow : class =>
            await past.FoldAsync(projection, [], PoisonPolicy.Stop, await past.LocateAsync(new PointInTime.AtPosition(position), CancellationToken.None), null, CancellationToken.None);
    }

    private static DateTimeOffset Now { get; } = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    private static bool Same(ViewDifferences? a, ViewDifferences? b) => (a!.Added, a.Removed, a.Changed, a.Rows.Count) == (b!.Added, b.Removed, b.Changed, b.Rows.Count);

    private static JsonElement Data(string json) => JsonDocument.Parse(json).RootElement;

    private static RecordedEvent Recorded(StreamId stream, int version) =>
        new(new LogPosition(version), stream, new StreamVersion(version), new EventId(Guid.NewGuid()), "account-deposited", 1, ReadOnlyMemory<byte>.Empty, ReadOnlyMemory<byte>.Empty, Now);

    private Branch Make(IReadOnlyList<BranchEdit> edits, HistoryOptions? options = null, LogPosition? at = null, string id = "b1", IReadOnlyList<string>? rules = null) =>
        new(new BranchDefinition(id, at ?? _bank.Log.ReadHeadAsync(CancellationToken.None).Result.Position, edits, rules ?? [], "to see", "me"), Catalog, _bank.Log, _bank.Codec, options ?? new HistoryOptions { PageEvents = 17 }, new InlineWorker());

    private static Task<BranchView<TRow>> FoldAsync<TRow>(Branch branch, Projection<TRow> projection)
        where TRow : class => branch.FoldAsync(projection, [], PoisonPolicy.Stop, null, CancellationToken.None);

    private AppendRequest Request(StreamId stream, int expected, params AccountEvent[] events)
    {
        var command = CommandId.New(TimeProvider.System);
        return new AppendRequest(stream, expected == 0 ? ExpectedVersion.NoStream : ExpectedVersion.Exactly(new StreamVersion(expected)), [.. events.Select((e, i) => _bank.Codec.Encode(EventId.Derive(command, stream, i), e, new EventMetadata(command).ToJson()))]);
    }

    private async Task RefusedAsync(HistoryFault fault, string says, params BranchEdit[] edits)
    {
        var refused = await Assert.ThrowsAsync<HistoryException>(() => FoldAsync(Make(edits), Accounts));
        Assert.Equal(fault, refused.Fault);
        Assert.Contains(says, refused.Message, StringComparison.Ordinal);
    }

    private async Task<Dictionary<string, (TRow Row, long Position)>> TrunkAsync<TRow>(Projection<TRow> projection, LogPosition at)
        where TRow : class
    {
        // A copy of the log that ends there, folded by the runner that fills the tables.
        var (table, copy) = (new InMemoryViewTable<TRow>(), new Bank());
        foreach (var commit in (await AllAsync()).Where(e => e.Position <= at))
        {
            await copy.AppendAsync(commit.Stream.Key, commit.Stream.Type, _bank.Codec.Decode(commit));
        }

        var runner = copy.Runner(projection, table);
        while (await runner.StepAsync(CancellationToken.None) is ProjectionStep.Advanced)
        {
        }

        return table.Rows.ToDictionary(r => r.Key, r => (r.Value.Row, r.Value.Position.Value));
    }

    private Task<IReadOnlyList<RecordedEvent>> AllAsync() => _bank.Log.ReadLogAsync(LogPosition.Start, int.MaxValue, CancellationToken.None);

    private async Task<IReadOnlyList<RecordedEvent>> TrunkOfAsync(string key) => (await _bank.Log.ReadStreamsAsync([new StreamRead(new StreamId("account", key), StreamVersion.None, 1_000)], CancellationToken.None))[0];

    /// <summary>The link of the last commit covers everything before it.</summary>
    private async Task<string> HashAsync() => Convert.ToHexString((await _bank.Log.ReadHeadAsync(CancellationToken.None)).Link.Span);
}
