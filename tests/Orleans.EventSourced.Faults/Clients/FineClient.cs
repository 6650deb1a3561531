using System.Globalization;
using System.Net;
using System.Text.Json;
using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Faults.Cluster;
using StreamId = Orleans.EventSourced.Core.Log.StreamId;

namespace Orleans.EventSourced.Faults.Clients;

/// <summary>A command that a session took, to be executed in its turn.</summary>
/// <param name="Command">Its id, also that of the mutation.</param>
/// <param name="Stream">The stream it is for.</param>
internal sealed record TakenMutation(CommandId Command, StreamId Stream)
{
    /// <summary>Under what name the history has what a client asked for by its session: it does not wait for an answer before it goes on.</summary>
    public string Client(int number) => $"session of client {number}, {Command}";
}

/// <summary>
/// A client of the fines: issues them, pays them, reads them, sends what is not answered again, and sometimes gives up. What it does follows from its seed; what the others do at the same moment does not.
/// Most payments go to fines of its own, a quarter to a few that all clients share.
/// </summary>
internal sealed class FineClient(int number, int seed, FaultCluster cluster, RunHistory history, bool givesUp, CancellationToken stop)
{
    /// <summary>What is paid on branches, and nowhere else.</summary>
    public const string PaidOnBranches = "999.99";

    private const int SharedFines = 12;
    private const int MaxTries = 40;

    /// <summary>When all of it happened, by the clients; the term of a notification is over long since.</summary>
    public const string When = "2026-01-05T09:00:00Z";

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(90);
    private static readonly string[] BadBodies =
    [
        "", "{", "[]", "null", """{"amount":"1.00","occurredAt":"yesterday"}""", """{"amount":"-1.00"}""", """{"amount":1e999}""", """{"amount":"\ud800"}""", """{"amount":"1.00","more":1}""",
        $$"""{"amount":{{new string('[', 2_000)}}""", $$"""{"amount":"{{new string('1', 1_000_000)}}"}""", "{\"amount\":\"1.00\u0000\"}",
    ];

    private readonly Random _random = new(seed);
    private readonly Tries _tries = new(history);
    private readonly List<string> _fines = [];
    private readonly Dictionary<string, long> _shown = [];
    private readonly string _session = $"client{number}";
    private readonly List<TakenMutation> _mutations = [];
    private readonly List<string> _notified = [];
    private long _knows;

    /// <summary>The id of the n-th fine that all clients share.</summary>
    public static string Shared(int n) => $"S{n}";

    /// <summary>What its session took (202).</summary>
    public IReadOnlyList<TakenMutation> Mutations => _mutations;

    /// <summary>Fines that have to get a penalty, each one.</summary>
    public IReadOnlyList<string> Notified => _notified;

    public string Session => _session;

    public int Number => number;

    public async Task RunAsync()
    {
        for (var n = number; n < SharedFines && !stop.IsCancellationRequested; n += SharedFines)
        {
            await CommandAsync("/fines", IssueBody(Shared(n)), Shared(n), gives: false);
        }

        while (!stop.IsCancellationRequested)
        {
            await (_random.Next(100) switch
            {
                < 13 => IssueAsync(),
                < 15 => NotifyAsync(),
                < 55 => PayAsync(),
                < 62 => CommandAsync($"/fines/{Own()}/send", $$"""{"expense":"1.50","occurredAt":"{{When}}"}""", null),
                < 67 => TwiceAtOnceAsync(),
                < 70 => CommandAsync($"/fines/{Own()}/credit-collection", $$"""{"occurredAt":"{{When}}"}""", null),
                < 82 => ReadViewAsync(),
                < 88 => ReadStateAsync(),
                < 93 => MutateAsync(),
                < 96 => SendBadInputAsync(),
                < 98 => AskThePastAsync(),
                _ => BranchAsync(),
            });
            await Task.Delay(TimeSpan.FromMilliseconds(_random.Next(5, 60)));
        }

        _tries.Dispose();
    }

    private Uri Node()
    {
        var nodes = cluster.Addresses;
        return nodes[_random.Next(nodes.Count)];
    }

    private string Own() => _fines.Count == 0 ? Shared(0) : _fines[_random.Next(_fines.Count)];

    private string Any() => _random.Next(4) == 0 ? Shared(_random.Next(SharedFines)) : Own();

    private static string IssueBody(string fine) => $$"""{"fineId":"{{fine}}","amount":"35.00","article":157,"points":0,"vehicleClass":"A","officer":"561","occurredAt":"{{When}}"}""";

    private string Payment() => string.Create(CultureInfo.InvariantCulture, $$"""{"amount":"{{_random.Next(1, 50)}}.{{_random.Next(100):00}}","occurredAt":"{{When}}"}""");

    private async Task IssueAsync()
    {
        var fine = $"C{number}-{_fines.Count}";
        _fines.Add(fine);
        await CommandAsync("/fines", IssueBody(fine), fine);
    }

    /// <summary>A fine that nobody pays, and whose term is over when it begins: its penalty is due at once.</summary>
    private async Task NotifyAsync()
    {
        var fine = $"N{number}-{_notified.Count}";
        await CommandAsync("/fines", IssueBody(fine), fine, gives: false);
        if (await CommandAsync($"/fines/{fine}/notification", $$"""{"notificationType":"P","occurredAt":"{{When}}"}""", fine, gives: false) == Outcome.Ok)
        {
            _notified.Add(fine);
        }
    }

    private async Task PayAsync()
    {
        var fine = Any();
        int? version = null;
        if (_random.Next(10) == 0 && await _tries.GetAsync(Node(), $"/fines/{fine}") is { Status: HttpStatusCode.OK } seen)
        {
            version = JsonElement.Parse(seen.Body).GetProperty("version").GetInt32();
        }

        await CommandAsync($"/fines/{fine}/payments", Payment(), fine, version);
    }

    /// <summary>One command from two nodes at the same moment.</summary>
    private async Task TwiceAtOnceAsync()
    {
        var fine = Any();
        var operation = Begin($"/fines/{fine}/payments", Payment(), fine, null);
        var (first, second) = (operation with { }, operation with { });
        var results = await Task.WhenAll(_tries.PostAsync(Node(), first), _tries.PostAsync(Node(), second));
        operation.Tries = 2;
        operation.WasInDoubt = results.Contains(TryResult.Unknown);
        if (results[0] == TryResult.Accepted || results[1] == TryResult.Accepted)
        {
            var said = results[0] == TryResult.Accepted ? first : second;
            (operation.Version, operation.Position) = (said.Version, said.Position);
            End(operation, Outcome.Ok);
            return;
        }

        // Of two that are on their way at once, the one refused says nothing of the other.
        if (results is [TryResult.Refused, TryResult.Refused])
        {
            operation.Code = first.Code;
            End(operation, Outcome.Fail);
            return;
        }

        await InsistAsync(operation, mayGiveUp: true);
    }

    private async Task<Outcome> CommandAsync(string path, string body, string? fine, int? version = null, bool gives = true)
    {
        var operation = Begin(path, body, fine ?? path.Split('/')[2], version);
        await InsistAsync(operation, gives);
        return operation.Outcome;
    }

    private Operation Begin(string path, string body, string fine, int? version)
    {
        var key = CommandId.New(TimeProvider.System).ToString();
        var operation = new Operation(number, CommandId.FromText(key).Value, key, path, body, $"fine/{fine}", version, ContentOf(path, body));
        history.Begin(operation);
        return operation;
    }

    private static string ContentOf(string path, string body)
    {
        var json = JsonElement.Parse(body);
        return path[(path.LastIndexOf('/') + 1)..] switch
        {
            "fines" => $"fine-issued {json.GetProperty("amount").GetString()}",
            "payments" => $"payment-received {json.GetProperty("amount").GetString()}",
            "send" => $"fine-sent {json.GetProperty("expense").GetString()}",
            "notification" => "notification-inserted",
            _ => "credit-collection-begun",
        };
    }

    /// <summary>Sends a command until it is told what became of it; now and then it gives up at the first doubt, and always after a while.</summary>
    private async Task InsistAsync(Operation operation, bool mayGiveUp)
    {
        var isLastTry = givesUp && mayGiveUp && _random.Next(6) == 0;
        var began = TimeProvider.System.GetTimestamp();
        while (true)
        {
            switch (await _tries.PostAsync(Node(), operation))
            {
                case TryResult.Accepted:
                    End(operation, Outcome.Ok);
                    return;
                case TryResult.Refused:
                    End(operation, Outcome.Fail);
                    return;
                case TryResult.Unknown:
                    operation.WasInDoubt = true;
                    break;
                default:
                    break;
            }

            if (isLastTry || operation.Tries >= MaxTries || TimeProvider.System.GetElapsedTime(began) > Patience)
            {
                End(operation, operation.WasInDoubt ? Outcome.Unknown : Outcome.Fail);
                return;
            }

            await Task.Delay(TimeSpan.FromMilliseconds(_random.Next(50, 400)));
        }
    }

    private void End(Operation operation, Outcome outcome)
    {
        operation.Outcome = outcome;
        history.End(operation);
        if (outcome == Outcome.Ok)
        {
            var fine = operation.Stream["fine/".Length..];
            Knows(fine, operation.Position, operation.Position);
        }
    }

    /// <summary>What a client was told or shown of a fine, and of the log by it.</summary>
    private void Knows(string fine, long at, long ofLog)
    {
        _shown[fine] = Math.Max(_shown.GetValueOrDefault(fine), at);
        _knows = Math.Max(_knows, ofLog);
    }

    /// <summary>
    /// A view's row must show at least what this client was told of the fine, and at least what it was shown before. Half of the time it asks for all that it knows of the log.
    /// </summary>
    private async Task ReadViewAsync()
    {
        if (_shown.Count == 0)
        {
            return;
        }

        var (fine, at) = _shown.ElementAt(_random.Next(_shown.Count));
        var asks = _random.Next(2) == 0 ? _knows : at;
        var answer = await _tries.GetAsync(Node(), string.Create(CultureInfo.InvariantCulture, $"/views/fine_summary/{fine}?after={asks}&wait=5"));
        history.Read(answer is { Status: HttpStatusCode.OK });
        switch (answer)
        {
            case { Status: HttpStatusCode.OK } shown:
                var row = JsonElement.Parse(shown.Body).GetProperty("position").GetInt64();
                if (shown.Position < asks || row < at)
                {
                    history.Violation($"I12: the row of {fine}, known at {at}, was asked for after {asks} and reflects {shown.Position}, its last event {row}");
                }

                history.Lines.Read(RunHistory.Name(number), new StreamId($"fine/{fine}"), new LogPosition(shown.Position), isSession: asks == _knows);
                Knows(fine, row, shown.Position);
                break;
            case null or { Status: HttpStatusCode.ServiceUnavailable }:
                break;
            case { } other:
                history.Violation($"I12: the row of {fine} was asked for after {asks}, and the answer was {(int)other.Status}: {other.Body}");
                break;
        }
    }

    /// <summary>An entity's state must be no older than what this client was told of it, whatever node it asks.</summary>
    private async Task ReadStateAsync()
    {
        var fine = Any();
        var at = _shown.GetValueOrDefault(fine);
        var answer = await _tries.GetAsync(Node(), string.Create(CultureInfo.InvariantCulture, $"/fines/{fine}?after={at}"));
        history.Read(answer is { Status: HttpStatusCode.OK or HttpStatusCode.NotFound });
        if (answer is { Status: HttpStatusCode.OK } served)
        {
            var json = JsonElement.Parse(served.Body);
            var position = json.GetProperty("position").GetInt64();
            if (position < at)
            {
                history.Violation($"I12: {fine} was asked for after {at} and shown as of {position}");
            }

            Knows(fine, position, position);
            history.Served.Enqueue(($"fine/{fine}", json.GetProperty("version").GetInt32(), json.GetProperty("state").GetRawText()));
        }
        else
        {
            Expect(answer?.Status, answer?.Body, $"/fines/{fine}", at > 0 ? [] : [HttpStatusCode.NotFound]);
        }
    }

    private async Task MutateAsync()
    {
        var fine = Own();
        var (key, body) = (CommandId.New(TimeProvider.System).ToString(), Payment());
        var taken = new TakenMutation(CommandId.FromText(key), new StreamId($"fine/{fine}"));
        history.Lines.Invoke(taken.Client(number), taken.Command, taken.Stream, ContentOf("payments", body));
        var answer = await _tries.SendAsync(HttpMethod.Post, Node(), $"/fines/{fine}/payments", body, ("Idempotency-Key", key), ("Prefer", "respond-async"), ("ES-Session", _session));
        if (answer is { Status: HttpStatusCode.Accepted })
        {
            _mutations.Add(taken);
        }
        else
        {
            Expect(answer?.Status, answer?.Body, "a mutation", HttpStatusCode.TooManyRequests);
        }
    }

    private async Task SendBadInputAsync()
    {
        var body = BadBodies[_random.Next(BadBodies.Length)];
        var answer = await _tries.SendAsync(HttpMethod.Post, Node(), $"/fines/{Own()}/payments", body);
        history.BadInput();
        if (answer?.Status is { } status and not (HttpStatusCode.BadRequest or HttpStatusCode.RequestEntityTooLarge or HttpStatusCode.ServiceUnavailable))
        {
            history.Violation($"errors: bad input {body[..Math.Min(60, body.Length)]} was answered {(int)status}: {answer?.Body}");
        }
    }

    private async Task AskThePastAsync()
    {
        var fine = Own();
        var answer = await _tries.GetAsync(Node(), $"/fines/{fine}?asOf=v1");
        history.Read(answer is { Status: HttpStatusCode.OK });
        Expect(answer?.Status, answer?.Body, $"/fines/{fine}?asOf=v1", HttpStatusCode.OK, HttpStatusCode.NotFound, HttpStatusCode.UnprocessableEntity, HttpStatusCode.BadRequest);
    }

    /// <summary>What happens on a branch must not be seen on the trunk; that nothing was, the checks at the end tell.</summary>
    private async Task BranchAsync()
    {
        var (branch, fine, node) = ($"b{number}-{_random.Next(1_000_000)}", Own(), Node());
        (string Name, string Value)[] header = [("ES-Operate", "faults")];
        var made = await _tries.SendAsync(HttpMethod.Post, node, "/_es/branches", $$"""{"id":"{{branch}}","reason":"what if","edits":[{"op":"drop","stream":"fine/{{fine}}","version":1}]}""", header);
        var paid = await _tries.SendAsync(HttpMethod.Post, node, $"/fines/{Own()}/payments?branch={branch}", $$"""{"amount":"{{PaidOnBranches}}","occurredAt":"{{When}}"}""");
        var gone = await _tries.SendAsync(HttpMethod.Delete, node, $"/_es/branches/{branch}?reason=asked", null, header);
        foreach (var answer in new[] { made, paid, gone })
        {
            if (answer is { Status: HttpStatusCode.InternalServerError } broken)
            {
                history.Violation($"errors: a branch was answered 500: {broken.Body}");
            }
        }
    }

    private void Expect(HttpStatusCode? status, string? body, string what, params HttpStatusCode[] expected)
    {
        if (status is { } s and not HttpStatusCode.ServiceUnavailable && !expected.Contains(s))
        {
            history.Violation($"errors: {what} was answered {(int)s}: {body}");
        }
    }
}
