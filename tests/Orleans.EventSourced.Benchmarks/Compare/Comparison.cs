using Npgsql;
using Orleans.EventSourced.Benchmarks.Measures;

namespace Orleans.EventSourced.Benchmarks.Compare;

/// <summary>
/// Runs cases, one after the other. In each everybody warms up, and then all have their rounds in turn (A B C, A B C, ...): the machine's moment, and a database that grows, then count for all
/// alike. A contender that fails does not take the others with it, nor a case the cases behind it.
/// </summary>
internal sealed class Comparison(Ground ground)
{
    public async Task<Results> RunAsync(IReadOnlyList<ICase> cases, Action<CaseResult> done, CancellationToken cancellationToken)
    {
        var results = new List<CaseResult>();
        foreach (var @case in cases)
        {
            results.Add(await TryAsync(@case, cancellationToken));
            done(results[^1]);
        }

        return new Results(results);
    }

    private async Task<CaseResult> TryAsync(ICase @case, CancellationToken cancellationToken)
    {
        try
        {
            var entrants = await @case.PrepareAsync(ground, cancellationToken);
            await SettleAsync(cancellationToken);
            return await RunAsync(@case, [.. entrants.Select(e => new Runner(e))], cancellationToken);
        }
        catch (CaseSkippedException e)
        {
            return new CaseResult(@case, [], Skipped: e.Message);
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            await Console.Error.WriteLineAsync($"{@case.Name}: {e}");
            await ground.DropAllAsync();
            return new CaseResult(@case, [new EntrantResult(@case.Name, [], e.Message)]);
        }
        finally
        {
            await ground.EndCaseAsync();
        }
    }

    private async Task<CaseResult> RunAsync(ICase @case, List<Runner> runners, CancellationToken cancellationToken)
    {
        foreach (var runner in runners.Where(r => r.Entrant.WarmsUp))
        {
            await TryAsync(@case, runner, new RoundPlan(0, ground.Scale.WarmUp), cancellationToken);
        }

        for (var round = 1; round <= ground.Scale.Rounds; round++)
        {
            foreach (var runner in runners)
            {
                await TryAsync(@case, runner, new RoundPlan(round, ground.Scale.Time), cancellationToken);
            }
        }

        return new CaseResult(@case, [.. runners.Select(r => new EntrantResult(r.Entrant.Name, r.Rounds, r.Fault))]);
    }

    /// <summary>One who failed runs no more in this case; for the next one it is started anew.</summary>
    private async Task TryAsync(ICase @case, Runner runner, RoundPlan plan, CancellationToken cancellationToken)
    {
        if (runner.Fault is not null)
        {
            return;
        }

        try
        {
            var before = ServerMeter.Read(ground.Server);
            var round = await runner.Entrant.RunAsync(plan, cancellationToken);
            if (round.Events > 0 && ServerMeter.Read(ground.Server) - before is { } taken)
            {
                round = round.With(Quantity.ServerCpuPerEvent, taken.TotalMicroseconds / round.Events);
            }

            if (plan.Number > 0)
            {
                runner.Rounds.Add(round);
                await Console.Error.WriteLineAsync($"{@case.Name} {plan.Number}/{ground.Scale.Rounds} {runner.Entrant.Name}: {round}");
            }
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            await Console.Error.WriteLineAsync($"{@case.Name} {plan.Number}/{ground.Scale.Rounds} {runner.Entrant.Name}: {e}");
            runner.Fault = e.Message;
            await ground.DropAsync(runner.Entrant.Name);
        }
    }

    /// <summary>What the case before left to be written is written now, not in the first round.</summary>
    private async Task SettleAsync(CancellationToken cancellationToken)
    {
        await using var connection = new NpgsqlConnection(ground.Server.AdminConnectionString + ";Pooling=false;Command Timeout=300");
        await connection.OpenAsync(cancellationToken);
        await using var command = new NpgsqlCommand("checkpoint", connection);
        await command.ExecuteNonQueryAsync(cancellationToken);
    }

    private sealed class Runner(Entrant entrant)
    {
        public Entrant Entrant { get; } = entrant;

        public List<Round> Rounds { get; } = [];

        public string? Fault { get; set; }
    }
}
