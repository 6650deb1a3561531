using Npgsql;
using Orleans.EventSourced.Core.Log;

namespace Orleans.EventSourced.Postgres;

/// <content>The way into the log: the short one for events that come next in their streams, else the long one, which says of each request what became of it.</content>
public sealed partial class PostgresEventLog
{
    /// <inheritdoc/>
    public async Task<IReadOnlyList<AppendOutcome>> AppendAsync(IReadOnlyList<AppendRequest> batch, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(batch);
        var shared = new SharedIds(batch);
        return shared.Complete(await AppendDistinctAsync(shared.Distinct, cancellationToken).ConfigureAwait(false));
    }

    private async Task<IReadOnlyList<AppendOutcome>> AppendDistinctAsync(IReadOnlyList<AppendRequest> batch, CancellationToken cancellationToken)
    {
        var connection = await OpenAsync(cancellationToken).ConfigureAwait(false);
        await using (connection.ConfigureAwait(false))
        {
            try
            {
                return (AppendArrays.NameTheirVersions(batch) ? await TryAppendNextAsync(connection, batch).ConfigureAwait(false) : null)
                    ?? await AppendAsync(connection, Statements.Append, AppendArrays.OfRequests(batch), Outcomes).ConfigureAwait(false);
            }
            catch (Exception e) when (PostgresErrors.IsStoreError(e))
            {
                throw PostgresErrors.OnAppend(e);
            }
        }
    }

    /// <summary>Null: not all of them come next, as after a conflict, a lost reply or a race. Nothing was written.</summary>
    private static async Task<AppendOutcome[]?> TryAppendNextAsync(NpgsqlConnection connection, IReadOnlyList<AppendRequest> batch)
    {
        try
        {
            return await AppendAsync(connection, Statements.AppendNext, AppendArrays.OfNext(batch), reader => Outcomes(batch, reader.GetInt64(0), reader.GetFieldValue<DateTimeOffset>(1))).ConfigureAwait(false);
        }
        catch (PostgresException e) when (PostgresErrors.IsNotNext(e))
        {
            return null;
        }
    }

    private static async Task<AppendOutcome[]> AppendAsync(NpgsqlConnection connection, string sql, NpgsqlParameter[] parameters, Func<NpgsqlDataReader, AppendOutcome[]> outcomes)
    {
        var command = new NpgsqlCommand(sql, connection);
        command.Parameters.AddRange(parameters);
        await using (command.ConfigureAwait(false))
        {
            // From here on the batch may be written: no token may cut the wait short.
            var reader = await command.ExecuteReaderAsync(CancellationToken.None).ConfigureAwait(false);
            await using (reader.ConfigureAwait(false))
            {
                await reader.ReadAsync(CancellationToken.None).ConfigureAwait(false);
                return outcomes(reader);
            }
        }
    }

    private static AppendOutcome[] Outcomes(IReadOnlyList<AppendRequest> batch, long first, DateTimeOffset at)
    {
        var (outcomes, position) = (new AppendOutcome[batch.Count], first - 1);
        for (var i = 0; i < outcomes.Length; i++)
        {
            var events = batch[i].Events.Count;
            position += events;
            outcomes[i] = new AppendOutcome.Appended(batch[i].Expected.Version + events, new LogPosition(position), at);
        }

        return outcomes;
    }

    private static AppendOutcome[] Outcomes(NpgsqlDataReader reader)
    {
        var outcome = reader.GetFieldValue<int[]>(0);
        var version = reader.GetFieldValue<int[]>(1);
        var position = reader.GetFieldValue<long?[]>(2);
        var at = reader.GetFieldValue<DateTimeOffset?[]>(3);
        var outcomes = new AppendOutcome[outcome.Length];
        for (var i = 0; i < outcomes.Length; i++)
        {
            var last = new StreamVersion(version[i]);
            outcomes[i] = outcome[i] switch
            {
                0 => new AppendOutcome.Appended(last, new LogPosition(position[i]!.Value), at[i]!.Value),
                1 => new AppendOutcome.Conflict(last),
                2 => new AppendOutcome.Duplicate(last, new LogPosition(position[i]!.Value), at[i]!.Value),
                3 => new AppendOutcome.IdReused(),
                4 => new AppendOutcome.Deferred(),
                var unknown => throw new LogMisconfiguredException($"es.append answered the outcome {unknown}, which this program does not know."),
            };
        }

        return outcomes;
    }
}
