using System.Text.Json;
using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Projections;

namespace Orleans.EventSourced.UnitTests.Projections;

/// <summary>Accounts of a bank with branches: only the first event says the branch.</summary>
internal abstract record AccountEvent;

[EventType("account-opened")]
internal sealed record Opened(string Branch) : AccountEvent;

[EventType("account-deposited")]
internal sealed record Deposited(int Amount) : AccountEvent;

[EventType("account-closed")]
internal sealed record Closed : AccountEvent;

/// <summary>No view can fold it.</summary>
[EventType("account-cursed")]
internal sealed record Cursed : AccountEvent;

/// <summary>Of another family: passes by every view of accounts.</summary>
[EventType("weather-changed")]
internal sealed record WeatherChanged;

/// <summary>One row an account; a closed one is gone.</summary>
[View("account")]
internal sealed record AccountRow(string Branch, int Balance, int Deposits) : IView<AccountRow, AccountEvent>
{
    public static string? KeyOf(ViewEvent<AccountEvent> e) => e.Recorded.Stream.Key;

    public static AccountRow? Apply(AccountRow? row, string key, ViewEvent<AccountEvent> e) => e.Event switch
    {
        Opened opened => new AccountRow(opened.Branch, 0, 0),
        Deposited deposited => row! with { Balance = row.Balance + deposited.Amount, Deposits = row.Deposits + 1 },
        Closed => null,
        _ => throw new InvalidOperationException("cursed"),
    };
}

/// <summary>One row a branch. A deposit names its account alone; what a closed account had leaves the branch with it.</summary>
[View("branch", Version = 2)]
internal sealed record BranchRow(int Accounts, int Balance) : IRoutedView<BranchRow, AccountEvent, BranchRow.Route>
{
    internal sealed record Route(string Branch, int Balance, bool IsClosed = false);

    public static Route? Follow(Route? route, ViewEvent<AccountEvent> e) => e.Event switch
    {
        Opened opened => new Route(opened.Branch, 0),
        Deposited deposited => route! with { Balance = route.Balance + deposited.Amount },
        Closed => route! with { Balance = 0, IsClosed = true },
        _ => throw new InvalidOperationException("cursed"),
    };

    public static string? KeyOf(Route route) => route.Branch;

    public static BranchRow? Apply(BranchRow? row, string key, Route? before, Route after, ViewEvent<AccountEvent> e)
    {
        row ??= new BranchRow(0, 0);
        return new BranchRow(row.Accounts + Open(after) - Open(before), row.Balance + after.Balance - (before?.Balance ?? 0));
    }

    private static int Open(Route? route) => route is { IsClosed: false } ? 1 : 0;
}

/// <summary>One row an account, in units of eight: not every deposit can be kept with two decimals.</summary>
[View("eighth")]
internal sealed record EighthRow([property: Scale(2)] decimal Eighths, DateTimeOffset OpenedAt, string Seen) : IView<EighthRow, AccountEvent>
{
    /// <summary>A deposit that gives no key any table keeps.</summary>
    public const int Keyless = -1;

    public static string? KeyOf(ViewEvent<AccountEvent> e) => e.Event is Deposited { Amount: Keyless } ? "a\0" : e.Recorded.Stream.Key;

    public static EighthRow? Apply(EighthRow? row, string key, ViewEvent<AccountEvent> e) => e.Event switch
    {
        Deposited deposited => row! with { Eighths = row.Eighths + (deposited.Amount / 8m), Seen = FormattableString.Invariant($"{row.Eighths} {row.OpenedAt:O}") },
        _ => new EighthRow(0, new DateTimeOffset(2010, 3, 31, 23, 30, 0, TimeSpan.FromHours(2)).AddTicks(7), ""),
    };
}

/// <summary>A log of accounts, and what the views of it must hold, folded without any projection.</summary>
internal sealed class Bank(InMemoryEventLog log)
{
    public Bank()
        : this(new InMemoryEventLog(TimeProvider.System))
    {
    }

    public InMemoryEventLog Log { get; } = log;

    public JsonEventCodec Codec { get; } = new(new EventTypeMap.Builder().AddFamily<AccountEvent>(JsonSerializerOptions.Web).Add(typeof(WeatherChanged), JsonSerializerOptions.Web).Build());

    public Dictionary<string, AccountRow> Accounts { get; } = new(StringComparer.Ordinal);

    public HashSet<string> Branches { get; } = new(StringComparer.Ordinal);

    public Dictionary<string, BranchRow> BranchRows => Branches.ToDictionary(
        b => b, b => new BranchRow(Accounts.Values.Count(a => a.Branch == b), Accounts.Values.Where(a => a.Branch == b).Sum(a => a.Balance)), StringComparer.Ordinal);

    /// <summary>Opens, pays in and closes at random, in commits of several events.</summary>
    public async Task LiveAsync(int seed, int commits)
    {
        var random = new Random(seed);
        for (var i = 0; i < commits; i++)
        {
            var account = $"{random.Next(30)}-{seed}";
            if (!Accounts.TryGetValue(account, out var row))
            {
                row = new AccountRow($"branch {random.Next(5)}", 0, 0);
                account = $"{account}-{i}";
                Branches.Add(row.Branch);
                await AppendAsync(account, new Opened(row.Branch));
            }

            var amounts = Enumerable.Range(0, random.Next(1, 4)).Select(_ => random.Next(1, 100)).ToList();
            await AppendAsync(account, [.. amounts.Select(a => new Deposited(a))]);
            row = row with { Balance = row.Balance + amounts.Sum(), Deposits = row.Deposits + amounts.Count };
            if (random.Next(4) == 0)
            {
                await AppendAsync(account, new Closed());
                Accounts.Remove(account);
            }
            else
            {
                Accounts[account] = row;
            }

            if (random.Next(3) == 0)
            {
                await AppendAsync("sky", "weather", new WeatherChanged());
            }
        }
    }

    public Task AppendAsync(string account, params AccountEvent[] events) => AppendAsync(account, "account", [.. events]);

    public async Task AppendAsync(string key, string type, params object[] events)
    {
        var (stream, command) = (new StreamId(type, key), CommandId.New(TimeProvider.System));
        var metadata = new EventMetadata(command).ToJson();
        await Log.AppendAsync([new AppendRequest(stream, ExpectedVersion.Any, [.. events.Select((e, i) => Codec.Encode(EventId.Derive(command, stream, i), e, metadata))])], CancellationToken.None);
    }

    public ProjectionRunner<TRow> Runner<TRow>(Projection<TRow> projection, IViewTable<TRow> table, Slice? slice = null, int stepEvents = 7)
        where TRow : class => new(projection, slice ?? Slice.Whole, table, Tail(stepEvents));

    public LogTail Tail(int pageEvents = 7) => new(Log, Codec, new LogTailOptions { PageEvents = pageEvents }, TimeProvider.System);
}
