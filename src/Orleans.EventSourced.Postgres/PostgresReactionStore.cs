using Npgsql;
using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Projections;
using Orleans.EventSourced.Core.Reactions;

namespace Orleans.EventSourced.Postgres;

/// <summary>The checkpoints of reactions beside the log, in the tables <c>es.reactions</c> and <c>es.reactions_skipped</c>. Safe for concurrent use.</summary>
public sealed class PostgresReactionStore : IReactionStore, IAsyncDisposable
{
    private readonly NpgsqlDataSource _source;

    /// <param name="options">Where the log is; its schema is there already.</param>
    public PostgresReactionStore(PostgresOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        _source = PostgresConnections.Create(options);
    }

    /// <inheritdoc/>
    public Task<OpenedReaction> OpenAsync(ReactionName reaction, LogPosition start, CancellationToken cancellationToken) => RunAsync(
        Statements.OpenReaction,
        [Value(reaction.Value), Value(start.Value)],
        async command =>
        {
            await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
            return !await reader.ReadAsync(cancellationToken).ConfigureAwait(false) ? throw new LogMisconfiguredException("The table es.log is empty: the log has lost its identity.")
                : !reader.GetBoolean(1) ? throw new LogMisconfiguredException($"The checkpoint of reaction {reaction} is of another log.")
                : new OpenedReaction(new LogPosition(reader.GetInt64(0)), Marks.Read(reader, 2));
        },
        cancellationToken);

    /// <inheritdoc/>
    public Task<bool> MoveAsync(ReactionName reaction, LogPosition expected, LogPosition next, LogMark? mark, CancellationToken cancellationToken) => RunAsync(
        Statements.MoveReaction,
        [Value(reaction.Value), Value(expected.Value), Value(next.Value), .. Marks.Parameters(mark)],
        async command => await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false) == 1,
        cancellationToken);

    /// <inheritdoc/>
    public Task<bool> SkipAsync(ReactionName reaction, SkippedEvent skipped, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(skipped);
        return RunAsync(
            Statements.SkipForReaction,
            [Value(reaction.Value), Value(skipped.Position.Value), Value(skipped.Reason), Value(skipped.Actor), Value(skipped.SkippedAt.ToUniversalTime())],
            async command => await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false) == 1,
            cancellationToken);
    }

    /// <inheritdoc/>
    public Task<IReadOnlyList<SkippedEvent>> ReadSkippedAsync(ReactionName reaction, CancellationToken cancellationToken) => RunAsync<IReadOnlyList<SkippedEvent>>(
        Statements.ReadSkippedByReaction,
        [Value(reaction.Value)],
        async command =>
        {
            await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
            var skipped = new List<SkippedEvent>();
            while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
            {
                skipped.Add(new SkippedEvent(new LogPosition(reader.GetInt64(0)), reader.GetString(1), reader.IsDBNull(2) ? null : reader.GetString(2), reader.GetFieldValue<DateTimeOffset>(3)));
            }

            return skipped;
        },
        cancellationToken);

    /// <summary>Closes the connections.</summary>
    public ValueTask DisposeAsync() => _source.DisposeAsync();

    private async Task<T> RunAsync<T>(string sql, NpgsqlParameter[] parameters, Func<NpgsqlCommand, Task<T>> run, CancellationToken cancellationToken)
    {
        try
        {
            await using var command = _source.CreateCommand(sql);
            command.Parameters.AddRange(parameters);
            return await run(command).ConfigureAwait(false);
        }
        catch (Exception e) when (PostgresErrors.IsStoreError(e) && !cancellationToken.IsCancellationRequested)
        {
            throw PostgresErrors.OnRead(e);
        }
    }

    private static NpgsqlParameter Value<T>(T value) => new NpgsqlParameter<T> { TypedValue = value };
}
