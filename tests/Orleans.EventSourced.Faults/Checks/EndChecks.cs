using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Text.Json;
using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Faults.Clients;
using Orleans.EventSourced.Faults.Cluster;
using Orleans.EventSourced.IntegrationTests;

namespace Orleans.EventSourced.Faults.Checks;

/// <summary>What must hold of a cluster when all faults are over.</summary>
internal sealed class EndChecks(FaultCluster cluster, RunHistory history, IReadOnlyList<FineClient> clients, Random random, string program, string folder, Action<string> say)
{
    private const int Samples = 200;
    private const int MaxTries = 20;
    private const long MaxMemory = 1L << 30;
    private const string BranchMark = "/~b/";
    private static readonly TimeSpan HealsWithin = TimeSpan.FromSeconds(90);
    private static readonly TimeSpan LookInterval = TimeSpan.FromMilliseconds(200);

    private readonly List<string> _violations = [];

    public int Repeated { get; private set; }

    public int CompareStates { get; private set; }

    public int Mutations { get; private set; }

    public int Penalties { get; private set; }

    public int UnknownThenSent { get; private set; }

    public int Gaps { get; private set; }

    public async Task<IReadOnlyList<string>> RunAsync()
    {
        if (!await IsAliveAsync())
        {
            return _violations;
        }

        using var tries = new Tries(history);
        (string What, Func<Task> Check)[] checks =
        [
            ("what was left open is sent again", () => SendUnknownAgainAsync(tries)),
            ("accepted commands are sent again", () => RepeatAsync(tries)),
            ("states of the past are compared", () => CompareStatesAsync(tries)),
            ("views and reactions come to the head", CheckAtHeadAsync),
            ("mutations have ended", () => CheckMutationsAsync(tries)),
            ("penalties were added", () => CheckPenaltiesAsync(tries)),
            ("views show the penalties, too", CheckAtHeadAsync),
            ("the server's sessions are idle", CheckSessionsOfServerAsync),
            ("the log and its views are verified", VerifyAsync),
        ];
        foreach (var (what, check) in checks)
        {
            say($"check: {what}");
            await check();
        }

        return _violations;
    }

    /// <summary>I10, I14 and I15, of the log as it is in the end.</summary>
    public IEnumerable<string> CheckLog(IReadOnlyList<RecordedEvent> log)
    {
        var metadata = log.Select(e => EventMetadata.Parse(e.Metadata)).ToList();
        var places = log.ToDictionary(e => e.Id.ToString(), e => e.Position.Value);
        for (var i = 0; i < log.Count; i++)
        {
            places.TryAdd(metadata[i].Command.ToString(), log[i].Position.Value);
        }

        foreach (var twice in log.Where(e => e.Type == "penalty-added").GroupBy(e => e.Stream).Where(g => g.Count() > 1))
        {
            yield return $"I10: {twice.Key} got its penalty at {string.Join(" and ", twice.Select(e => e.Position))}";
        }

        for (var i = 0; i < log.Count; i++)
        {
            var (e, at) = (log[i], log[i].Position.Value);
            if (e.Stream.Value.Contains(BranchMark, StringComparison.Ordinal) || (JsonElement.Parse(e.Data.Span).TryGetProperty("amount", out var amount) && amount.GetString() == FineClient.PaidOnBranches))
            {
                yield return $"I14: the event at {at} happened on a branch";
            }

            if (metadata[i].Causation is not { } cause)
            {
                continue;
            }

            if (!places.TryGetValue(cause, out var causedAt))
            {
                Gaps++;
            }
            else if (causedAt >= at)
            {
                yield return $"I15: the event at {at} is caused by what stands at {causedAt}";
            }
        }
    }

    private async Task<bool> IsAliveAsync()
    {
        try
        {
            await cluster.UntilHealthyAsync(cluster.Silos, HealsWithin);
            return true;
        }
        catch (TimeoutException e)
        {
            _violations.Add($"I19: {e.Message}");
            return false;
        }
    }

    /// <summary>Half of what was left open is sent again, to be told; of the other half the log alone tells.</summary>
    private async Task SendUnknownAgainAsync(Tries tries)
    {
        foreach (var operation in history.Operations.Where(o => o.Outcome == Outcome.Unknown && random.Next(2) == 0))
        {
            UnknownThenSent++;
            var (began, ended) = (operation.Began, operation.Ended);
            var result = await SendAsync(tries, operation);
            operation.Outcome = result == TryResult.Accepted ? Outcome.Ok : result == TryResult.Refused ? Outcome.Fail : Outcome.Unknown;
            history.End(operation);
            (operation.Began, operation.Ended) = (began, ended);
            if (operation.Outcome == Outcome.Unknown)
            {
                _violations.Add($"I19: {operation.Key} is in doubt still, after all faults are over");
            }
        }
    }

    /// <summary>A command that is sent again gets its first answer: those that were in doubt, and some of the others.</summary>
    private async Task RepeatAsync(Tries tries)
    {
        var accepted = history.Operations.Where(o => o.Outcome == Outcome.Ok).ToList();
        foreach (var first in accepted.Where(o => o.WasInDoubt).Take(Samples).Concat(accepted.OrderBy(_ => random.Next()).Take(Samples)))
        {
            Repeated++;
            var again = first with { };
            var result = await SendAsync(tries, again);
            if (result != TryResult.Accepted || (again.Version, again.Position) != (first.Version, first.Position))
            {
                _violations.Add($"I2: {first.Key} was answered version {first.Version}, position {first.Position}, and sent again {result}, version {again.Version}, position {again.Position}");
            }
        }
    }

    private async Task CompareStatesAsync(Tries tries)
    {
        foreach (var (stream, version, state) in history.Served.Where(s => s.Version > 0).OrderBy(_ => random.Next()).Take(Samples))
        {
            var path = string.Create(CultureInfo.InvariantCulture, $"/fines/{stream["fine/".Length..]}?asOf=v{version}");
            if (await AskAsync(tries, path) is not { Status: HttpStatusCode.OK } then)
            {
                _violations.Add($"I13: {path} is not answered");
                continue;
            }

            CompareStates++;
            var past = JsonElement.Parse(then.Body).GetProperty("state");
            if (!JsonElement.DeepEquals(past, JsonElement.Parse(state)))
            {
                _violations.Add($"I13: {path} is {past}, and {state} was served when that version was the last");
            }
        }
    }

    /// <summary>Each mutation that was taken came to an end, once, in the order of its session; what it was told goes into the history, for the log to confirm.</summary>
    private async Task CheckMutationsAsync(Tries tries)
    {
        var began = TimeProvider.System.GetTimestamp();
        foreach (var client in clients)
        {
            var last = LogPosition.Start;
            foreach (var taken in client.Mutations)
            {
                Mutations++;
                var (name, path) = (taken.Client(client.Number), $"/sessions/{client.Session}/mutations/{taken.Command}");
                JsonElement fate = default;
                await HoldsAsync("I10", $"{path} has ended", async () => await AskAsync(tries, path) is { Status: HttpStatusCode.OK } known && (fate = JsonElement.Parse(known.Body)).GetProperty("state").GetString() != "requested", since: began);
                switch (fate.ValueKind == JsonValueKind.Object ? fate.GetProperty("state").GetString() : null)
                {
                    case "accepted":
                        var (version, position) = (new StreamVersion(fate.GetProperty("version").GetInt32()), new LogPosition(fate.GetProperty("position").GetInt64()));
                        history.Lines.Ok(name, taken.Command, taken.Stream, version, position, fate.GetProperty("events").GetInt32());
                        if (position <= last)
                        {
                            _violations.Add($"I10: mutation {taken.Command} is at {position}, and the one before it in its session at {last}");
                        }

                        last = position;
                        break;
                    case "rejected":
                        history.Lines.Refused(name, taken.Command, taken.Stream, fate.GetProperty("code").GetString());
                        break;
                    default:
                        history.Lines.Unknown(name, taken.Command, taken.Stream);
                        break;
                }
            }
        }
    }

    /// <summary>What reactions had to do, they did: in the log, and for whoever asks for as much of it. That they did it once, the log tells later.</summary>
    private async Task CheckPenaltiesAsync(Tries tries)
    {
        var began = TimeProvider.System.GetTimestamp();
        foreach (var fine in clients.SelectMany(c => c.Notified))
        {
            Penalties++;
            long? at = null;
            await HoldsAsync("I10", $"{fine} has its penalty", async () => (at = await PenaltyAtAsync(fine)) is not null, since: began);
            if (at is { } position)
            {
                // A fine may be in memory as it was before another cluster wrote; who names a position is never answered from before it.
                var path = string.Create(CultureInfo.InvariantCulture, $"/fines/{fine}?after={position}");
                await HoldsAsync("I12", $"{path} shows the penalty", async () => await AskAsync(tries, path) is { Status: HttpStatusCode.OK } shown && JsonElement.Parse(shown.Body).GetProperty("state").GetProperty("penalty").ValueKind == JsonValueKind.String, since: began);
            }
        }
    }

    /// <summary>Where the log has the penalty of a fine; null: it has none.</summary>
    private async Task<long?> PenaltyAtAsync(string fine) => (await cluster.QueryAsync(
        $"select c.position + e.ordinal from es.events e join es.commits c on c.id = e.commit_id join es.streams s on s.id = e.stream_id where s.name = 'fine/{fine}' and e.type = 'penalty-added'",
        r => r.GetInt64(0))).Select(p => (long?)p).FirstOrDefault();

    /// <summary>Every view has come to the head, and the one reaction of the silos to the last event that concerns it: behind that, its checkpoint is written now and then.</summary>
    private async Task CheckAtHeadAsync()
    {
        List<string> late = [];
        await HoldsAsync(
            "I19",
            "views and reactions are at the head",
            async () => (late = await cluster.QueryAsync(
                """
                select name, position, head
                from (select view || ' v' || version || ' slice ' || slice as name, position from es_views.checkpoints) c, (select max(position + count) - 1 as head from es.commits) h
                where position < head
                union all
                select 'reaction ' || name, r.position, last
                from es.reactions r, (select max(c.position + e.ordinal) as last from es.events e join es.commits c on c.id = e.commit_id where e.type = 'mutation-requested') q
                where r.position < last
                """,
                r => $"{r.GetString(0)} at {r.GetInt64(1)} of {r.GetInt64(2)}")).Count == 0,
            () => string.Join(", ", late));
    }

    /// <summary>What does not come to hold within the time of healing is a violation.</summary>
    /// <param name="invariant">Which one it is.</param>
    /// <param name="what">What is to hold.</param>
    /// <param name="holds">Whether it does.</param>
    /// <param name="seen">What was seen last; left out: nothing is to be seen.</param>
    /// <param name="since">Since when it is waited, where others were waited for before; left out: since now.</param>
    private async Task HoldsAsync(string invariant, string what, Func<Task<bool>> holds, Func<string>? seen = null, long? since = null)
    {
        var left = HealsWithin - (since is { } began ? TimeProvider.System.GetElapsedTime(began) : TimeSpan.Zero);
        try
        {
            await Eventually.Async(what, holds, seen ?? (() => ""), Math.Max(0, (int)left.TotalSeconds), LookInterval);
        }
        catch (TimeoutException e)
        {
            _violations.Add($"{invariant}: {HealsWithin.TotalSeconds} s after the faults: {e.Message}");
        }
    }

    /// <summary>Nothing is left behind in the server, and no silo has grown without bound.</summary>
    private async Task CheckSessionsOfServerAsync()
    {
        var stuck = await cluster.QueryAsync(
            "select pid, state, query from pg_stat_activity where datname = current_database() and application_name <> 'faults' and xact_start < now() - interval '20 s'",
            r => $"{r.GetInt32(0)} {r.GetString(1)}: {r.GetString(2)}");
        _violations.AddRange(stuck.Select(s => $"I19: a transaction is left open: {s}"));
        var waiting = await cluster.QueryAsync("select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock' and query_start < now() - interval '10 s'", r => r.GetInt64(0));
        if (waiting[0] > 0)
        {
            _violations.Add($"I19: {waiting[0]} sessions wait for a lock");
        }

        var sessions = await cluster.QueryAsync("select count(*) from pg_stat_activity where datname = current_database() and application_name <> 'faults'", r => r.GetInt64(0));
        if (sessions[0] > cluster.Silos.Count * 100)
        {
            _violations.Add($"I19: {sessions[0]} sessions are open");
        }

        _violations.AddRange(cluster.Silos.Where(s => s.Memory > MaxMemory).Select(s => $"I19: {s.Name} has {s.Memory >> 20} MiB"));
    }

    /// <summary>I9, I16, I18, and I4 and I5 once more: by the program's own verification.</summary>
    private async Task VerifyAsync()
    {
        var start = new ProcessStartInfo("dotnet", [program, "verify", "--views", "--json"]) { WorkingDirectory = folder, RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment["ConnectionStrings__eventlog"] = cluster.AdminConnectionString;
        using var verify = Process.Start(start)!;
        var errors = verify.StandardError.ReadToEndAsync();
        var report = (await verify.StandardOutput.ReadToEndAsync()).Trim();
        await verify.WaitForExitAsync();
        if (verify.ExitCode != 0)
        {
            _violations.Add($"I9: verify --views ended with {verify.ExitCode}: {report} {await errors}");
        }
    }

    /// <summary>Asks again where no answer comes, or one that says "not now".</summary>
    private Task<(HttpStatusCode Status, string Body, long Position)?> AskAsync(Tries tries, string path) =>
        InsistAsync(() => tries.GetAsync(Node(), path), a => a is { Status: not HttpStatusCode.ServiceUnavailable });

    private Task<TryResult> SendAsync(Tries tries, Operation operation) => InsistAsync(() => tries.PostAsync(Node(), operation), r => r is not (TryResult.Unknown or TryResult.NotWritten));

    private static async Task<T> InsistAsync<T>(Func<Task<T>> call, Func<T, bool> isAnswer)
    {
        for (var n = 1; ; n++)
        {
            var answer = await call();
            if (n == MaxTries || isAnswer(answer))
            {
                return answer;
            }

            await Task.Delay(LookInterval);
        }
    }

    private Uri Node() => cluster.Silos[random.Next(cluster.Silos.Count)].Address;
}
