using CsCheck;

namespace Orleans.EventSourced.UnitTests.Log;

/// <summary>What a variant of the protocol does otherwise. Each is a mistake that is easily made.</summary>
internal enum ProtocolMistake
{
    None,

    /// <summary>Only the expected version guards an append; events have no ids that the log knows.</summary>
    NoEventIds,

    /// <summary>Whoever lost a reply reads once, and takes "not found" for "not written".</summary>
    ReadsOnce,

    /// <summary>Whether the ids are there is looked up in one snapshot, and the stream's version in the next.</summary>
    TwoSnapshots,

    /// <summary>A sure no to a later try is taken for one to an earlier try too.</summary>
    NoToTheLastIsNoToAll,

    /// <summary>The version is checked by nobody.</summary>
    NoVersionCheck,
}

/// <summary>Where a client stands with its command.</summary>
internal enum Stand
{
    ToDecide,
    Waiting,
    InDoubt,
    Acknowledged,
    Failed,
}

/// <summary>A client with one command of one event.</summary>
/// <param name="Stand">Where it stands.</param>
/// <param name="Sent">How often it sent.</param>
/// <param name="Number">The version that its next try, or its last, expects; when acknowledged, the version answered.</param>
/// <param name="MayBeWritten">Whether the reply to a try with this version was lost.</param>
internal readonly record struct ProtocolClient(Stand Stand, int Sent, int Number, bool MayBeWritten);

/// <summary>A try on its way: not there, sent, or looked up already; with the version that it expects, and whether its client still waits for it.</summary>
internal readonly record struct Flight(char Stage, int Expected, bool IsAwaited)
{
    public bool IsThere => Stage != '-';
}

/// <summary>One stream as the store holds it, as versions and commands ("1A2B"), two clients, and up to two tries of each on their way.</summary>
internal sealed record ProtocolState(string Log, ProtocolClient A, ProtocolClient B, Flight A1, Flight A2, Flight B1, Flight B2)
{
    public const int Clients = 2;
    public const int Flights = 4;
    private static readonly Flight None = new('-', 0, false);

    public static ProtocolState Start { get; } = new("", default, default, None, None, None, None);

    public int Head => Log.Length / 2;

    public ProtocolClient this[int client] => client == 0 ? A : B;

    public static char Name(int client) => "AB"[client];

    public Flight Flight(int number) => number switch { 0 => A1, 1 => A2, 2 => B1, _ => B2 };

    public bool HasRoom(int client) => !Flight(2 * client).IsThere || !Flight((2 * client) + 1).IsThere;

    public bool Holds(int client) => Log.Contains(Name(client), StringComparison.Ordinal);

    public int VersionOf(int client) => (Log.IndexOf(Name(client), StringComparison.Ordinal) + 1) / 2;

    public int TimesOf(int client) => Log.Count(c => c == Name(client));

    public ProtocolState With(int client, ProtocolClient now) => client == 0 ? this with { A = now } : this with { B = now };

    public ProtocolState With(int number, Flight now) => number switch { 0 => this with { A1 = now }, 1 => this with { A2 = now }, 2 => this with { B1 = now }, _ => this with { B2 = now } };

    public ProtocolState Without(int number) => With(number, None);

    public ProtocolState Sending(int client, int expected)
    {
        var number = Flight(2 * client).IsThere ? (2 * client) + 1 : 2 * client;
        return With(number, new Flight('s', expected, true)).With(client, this[client] with { Stand = Stand.Waiting, Sent = this[client].Sent + 1, Number = expected });
    }

    public override string ToString() => $"log '{Log}'; A {Shown(A)}; B {Shown(B)}; on their way: {string.Join(", ", Enumerable.Range(0, Flights).Where(n => Flight(n).IsThere).Select(Shown))}";

    private static string Shown(ProtocolClient client) => $"{client.Stand} ({client.Number}, sent {client.Sent}x{(client.MayBeWritten ? ", perhaps written" : "")})";

    private string Shown(int number) => $"{Name(number / 2)} expecting {Flight(number).Expected}{(Flight(number).Stage == 'c' ? ", looked up" : "")}{(Flight(number).IsAwaited ? "" : ", nobody waits")}";
}

/// <summary>The append protocol, small enough to go through all that can happen.</summary>
internal static class AppendProtocolSpec
{
    private const int MostSent = 4;

    /// <param name="mistake">What is wrong with it.</param>
    /// <param name="namesVersion">Whether a conflict is the answer to a client that named the version; otherwise it decides again.</param>
    public static Spec<ProtocolState> Of(ProtocolMistake mistake, bool namesVersion)
    {
        var clients = Enumerable.Range(0, ProtocolState.Clients).ToArray();
        var flights = Enumerable.Range(0, ProtocolState.Flights).ToArray();
        var spec = Spec.From(ProtocolState.Start)
            .Action("decides and sends", clients, (s, c) => s[c] is { Stand: Stand.ToDecide, Sent: < MostSent } && s.HasRoom(c), (s, c) => s.Sending(c, s.Head))
            .Action("loses the reply of flight", flights, (s, f) => s.Flight(f).IsAwaited, (s, f) => s.With(f, s.Flight(f) with { IsAwaited = false }).With(f / 2, s[f / 2] with { Stand = Stand.InDoubt, MayBeWritten = true }))
            .Action("rolls back flight", flights, (s, f) => s.Flight(f).IsThere, (s, f) => s.Flight(f).IsAwaited ? s.Without(f).With(f / 2, s[f / 2] with { Stand = Stand.InDoubt, MayBeWritten = true }) : s.Without(f));
        spec = mistake == ProtocolMistake.ReadsOnce
            ? spec.Action("reads once", clients, (s, c) => s[c].Stand == Stand.InDoubt, (s, c) => s.With(c, s.Holds(c) ? s[c] with { Stand = Stand.Acknowledged, Number = s.VersionOf(c) } : s[c] with { Stand = Stand.Failed }))
            : spec.Action("sends the same again", clients, (s, c) => s[c] is { Stand: Stand.InDoubt, Sent: < MostSent } && s.HasRoom(c), (s, c) => s.Sending(c, s[c].Number));
        spec = mistake == ProtocolMistake.TwoSnapshots
            ? spec.Action("looks up the ids of flight", flights, (s, f) => s.Flight(f).Stage == 's', (s, f) => s.Holds(f / 2) ? Done(s, f, s.VersionOf(f / 2)) : s.With(f, s.Flight(f) with { Stage = 'c' }))
                .Action("compares the version and commits flight", flights, (s, f) => s.Flight(f).Stage == 'c', (s, f) => s.Flight(f).Expected == s.Head ? Written(s, f) : Conflict(s, f, namesVersion))
            : spec.Action("commits flight", flights, (s, f) => s.Flight(f).IsThere, (s, f) => Committed(s, f, mistake, namesVersion));
        return spec
            .Action("surely refuses flight", flights, (s, f) => s.Flight(f).IsAwaited, (s, f) => Refused(s.Without(f), f / 2, mistake))
            .Print(s => s.ToString())
            .Terminal(s => clients.All(c => s[c].Stand is Stand.Acknowledged or Stand.Failed or Stand.InDoubt) && flights.All(f => !s.Flight(f).IsThere))
            .Invariant("ACKNOWLEDGED", "What is acknowledged is there, at the version answered.", s => clients.All(c => s[c].Stand != Stand.Acknowledged || s.Log.Contains($"{s[c].Number}{ProtocolState.Name(c)}", StringComparison.Ordinal)))
            .Invariant("NEVER", "What failed is not there, and never will be.", s => clients.All(c => s[c].Stand != Stand.Failed || !s.Holds(c)))
            .Invariant("ONCE", "One command has one effect.", s => clients.All(c => s.TimesOf(c) <= 1))
            .Invariant("VERSIONS", "Versions are 1, 2, 3 ...", s => s.Log.Where(char.IsDigit).Select((v, i) => v - '0' == i + 1).All(fits => fits))
            .Reachable("RESOLVED", "A lost reply is resolved by sending the same again.", s => s.A is { Stand: Stand.Acknowledged, MayBeWritten: true });
    }

    /// <summary>One transaction, one snapshot: the ids first, then the version.</summary>
    private static ProtocolState Committed(ProtocolState s, int flight, ProtocolMistake mistake, bool namesVersion) =>
        mistake != ProtocolMistake.NoEventIds && s.Holds(flight / 2) ? Done(s, flight, s.VersionOf(flight / 2))
        : s.Flight(flight).Expected == s.Head || mistake == ProtocolMistake.NoVersionCheck ? Written(s, flight)
        : Conflict(s, flight, namesVersion);

    private static ProtocolState Written(ProtocolState s, int flight)
    {
        var version = s.Flight(flight).Expected + 1;
        return Done(s with { Log = $"{s.Log}{version}{ProtocolState.Name(flight / 2)}" }, flight, version);
    }

    private static ProtocolState Done(ProtocolState s, int flight, int version) =>
        s.Flight(flight).IsAwaited ? s.Without(flight).With(flight / 2, s[flight / 2] with { Stand = Stand.Acknowledged, Number = version }) : s.Without(flight);

    /// <summary>Decided again, where there may be another try: with another version, so that what was lost of the old one can never be written.</summary>
    private static ProtocolState Conflict(ProtocolState s, int flight, bool namesVersion) =>
        !s.Flight(flight).IsAwaited ? s.Without(flight)
        : s.Without(flight).With(flight / 2, s[flight / 2] with { Stand = s[flight / 2].Sent < MostSent && !namesVersion ? Stand.ToDecide : Stand.Failed, MayBeWritten = false });

    private static ProtocolState Refused(ProtocolState s, int client, ProtocolMistake mistake) =>
        s.With(client, s[client] with { Stand = s[client].MayBeWritten && mistake != ProtocolMistake.NoToTheLastIsNoToAll ? Stand.InDoubt : Stand.Failed });
}
