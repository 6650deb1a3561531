using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Text.Json;
using Orleans.EventSourced.Core.Events;
using Orleans.EventSourced.Faults.Clients;
using Orleans.EventSourced.Faults.Cluster;

namespace Orleans.EventSourced.Faults.Checks;

/// <summary>What must hold of a cluster when all faults are over.</summary>
internal sealed class EndChecks(FaultCluster cluster, RunHistory history, IReadOnlyList<FineClient> clients, Random random, string program, string folder)
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

    public int UnknownThenSent { get; private set; }

    public int Gaps { get; private set; }

    public async Task<IReadOnlyList<string>> RunAsync()
    {
        if (!await IsAliveAsync())
        {
            return _violations;
        }

        using var tries = new Tries(history);
        await SendUnknownAgainAsync(tries);
        await RepeatAsync(tries);
        await CompareStatesAsync(tries);
        await CheckMutationsAsync(tries);
        await UntilProjectedAsync();
        await CheckSessionsOfServerAsync();
        await VerifyAsync();
        return _violations;
    }

    /// <summary>I14 and I15, of the log as it is in the end.</summary>
    public IEnumerable<string> CheckLog(IReadOnlyList<RecordedEvent> log)
    {
        var metadata = log.Select(e => EventMetadata.Parse(e.Metadata)).ToList();
        var places = log.ToDictionary(e => e.Id.ToString(), e => e.Position.Value);
        for (var i = 0; i < log.Count; i++)
        {
            places.TryAdd(metadata[i].Command.ToString(), log[i].Position.Value);
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
            var result = await InsistAsync(tries, operation);
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
            var result = await InsistAsync(tries, again);
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
            if (await AnswerAsync(tries, path) is not { Status: HttpStatusCode.OK } then)
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

    /// <summary>Each mutation that was taken came to an end, once, in the order of its session.</summary>
    private async Task CheckMutationsAsync(Tries tries)
    {
        foreach (var client in clients)
        {
            var last = 0L;
            foreach (var (mutation, fine) in client.Mutations)
            {
                Mutations++;
                var state = await UntilEndedAsync(tries, $"/sessions/{client.Session}/mutations/{mutation}");
                if (state is null)
                {
                    continue;
                }

                if (state.Value.GetProperty("state").GetString() == "accepted")
                {
                    var position = state.Value.GetProperty("position").GetInt64();
                    if (position <= last)
                    {
                        _violations.Add($"I10: mutation {mutation} of {fine} is at {position}, and the one before it in its session at {last}");
                    }

                    last = position;
                }
            }
        }
    }

    /// <summary>Null where the session does not remember it any more.</summary>
    private async Task<JsonElement?> UntilEndedAsync(Tries tries, string path)
    {
        var began = TimeProvider.System.GetTimestamp();
        while (true)
        {
            var answer = await tries.GetAsync(Node(), path);
            if (answer is { Status: HttpStatusCode.NotFound })
            {
                return null;
            }

            if (answer is { Status: HttpStatusCode.OK } known && JsonElement.Parse(known.Body) is var json && json.GetProperty("state").GetString() != "requested")
            {
                return json;
            }

            if (TimeProvider.System.GetElapsedTime(began) > HealsWithin)
            {
                _violations.Add($"I10: {path} has not ended: {answer?.Body}");
                return null;
            }

            await Task.Delay(LookInterval);
        }
    }

    private async Task UntilProjectedAsync()
    {
        var began = TimeProvider.System.GetTimestamp();
        while (true)
        {
            var late = await cluster.QueryAsync(
                "select view || ' v' || version || ' slice ' || slice, position, head from es_views.checkpoints, (select max(position + count) - 1 as head from es.commits) h where position < head",
                r => $"{r.GetString(0)} at {r.GetInt64(1)} of {r.GetInt64(2)}");
            if (late.Count == 0)
            {
                return;
            }

            if (TimeProvider.System.GetElapsedTime(began) > HealsWithin)
            {
                _violations.AddRange(late.Select(l => $"I19: a view is behind: {l}"));
                return;
            }

            await Task.Delay(LookInterval);
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
    private async Task<(HttpStatusCode Status, string Body, long Position)?> AnswerAsync(Tries tries, string path)
    {
        for (var n = 1; ; n++)
        {
            var answer = await tries.GetAsync(Node(), path);
            if (n == MaxTries || answer is { Status: not HttpStatusCode.ServiceUnavailable })
            {
                return answer;
            }

            await Task.Delay(LookInterval);
        }
    }

    private async Task<TryResult> InsistAsync(Tries tries, Operation operation)
    {
        var result = TryResult.Unknown;
        for (var n = 0; n < MaxTries && result is TryResult.Unknown or TryResult.NotWritten; n++)
        {
            await Task.Delay(n == 0 ? TimeSpan.Zero : LookInterval);
            result = await tries.PostAsync(Node(), operation);
        }

        return result;
    }

    private Uri Node() => cluster.Silos[random.Next(cluster.Silos.Count)].Address;
}
