using Npgsql;
using Orleans.EventSourced.Benchmarks.Measures;

namespace Orleans.EventSourced.Benchmarks.Compare;

/// <summary>
/// Runs cases, one after the other. In each everybody warms up, and then all have their rounds in turn (A B C, A B C, ...): the machine's moment, and a database that grows, then count for all
/// alike. A case that fails does not take the others with it.
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
            return await RunAsync(@case, cancellationToken);
        }
        catch (CaseSkippedException e)
        {
            return new CaseResult(@case, [], e.Message);
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            await Console.Error.WriteLineAsync($"{@case.Name}: {e}");
            return new CaseResult(@case, [], e.Message, Failed: true);
        }
        finally
        {
            await ground.EndCaseAsync();
        }
    }

    private async Task<CaseResult> RunAsync(ICase @case, CancellationToken cancellationToken)
    {
        var entrants = await @case.PrepareAsync(ground, cancellationToken);
        await SettleAsync(cancellationToken);
        foreach (var entrant in entrants.Where(e => e.WarmsUp))
        {
            await entrant.RunAsync(new RoundPlan(0, ground.Scale.WarmUp), cancellationToken);
        }

        var rounds = entrants.ToDictionary(e => e, _ => new List<Round>());
        for (var round = 1; round <= ground.Scale.Rounds; round++)
        {
            foreach (var entrant in entrants)
            {
                var ran = await entrant.RunAsync(new RoundPlan(round, ground.Scale.Time), cancellationToken);
                rounds[entrant].Add(ran);
                await Console.Error.WriteLineAsync($"{@case.Name} {round}/{ground.Scale.Rounds} {entrant.Name}: {ran}");
            }
        }

        return new CaseResult(@case, [.. entrants.Select(e => (e.Name, (IReadOnlyList<Round>)rounds[e]))]);
    }

    /// <summary>What the case before left to be written is written now, not in the first round.</summary>
    private async Task SettleAsync(CancellationToken cancellationToken)
    {
        await using var connection = new NpgsqlConnection(ground.Server.AdminConnectionString + ";Pooling=false;Command Timeout=300");
        await connection.OpenAsync(cancellationToken);
        await using var command = new NpgsqlCommand("checkpoint", connection);
        await command.ExecuteNonQueryAsync(cancellationToken);
    }
}
