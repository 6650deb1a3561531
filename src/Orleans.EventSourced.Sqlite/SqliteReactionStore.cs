using Orleans.EventSourced.Core.Log;
using Orleans.EventSourced.Core.Projections;
using Orleans.EventSourced.Core.Reactions;

namespace Orleans.EventSourced.Sqlite;

/// <summary>The checkpoints of reactions in a file beside the log's, <c>-reactions.db</c>, with threads of their own. Safe for concurrent use.</summary>
public sealed class SqliteReactionStore : IReactionStore, IAsyncDisposable
{
    private readonly SqliteViewsFile _file;
    private readonly SqliteOptions _options;
    private readonly TimeProvider _time;

    /// <param name="options">Where the log's file is; it is there already.</param>
    /// <param name="time">The clock of the checkpoints.</param>
    /// <exception cref="LogMisconfiguredException">The file is newer than this program, or no file of reactions, or damaged.</exception>
    /// <exception cref="LogUnavailableException">The file cannot be opened.</exception>
    public SqliteReactionStore(SqliteOptions options, TimeProvider time)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(time);
        (_file, _options, _time) = (SqliteViewsFile.OfReactions(options), options, time);
    }

    /// <inheritdoc/>
    public Task<OpenedReaction> OpenAsync(ReactionName reaction, LogPosition start, CancellationToken cancellationToken) => _file.WriteAsync(
        session =>
        {
            using var reader = session.Prepared(
                Statements.OpenReaction, ("$name", reaction.Value), ("$start", start.Value), ("$log_id", SqliteSchema.ReadLogId(_options)), ("$now", Now)).ExecuteReader();
            reader.Read();
            return reader.GetBoolean(1) ? new OpenedReaction(new LogPosition(reader.GetInt64(0)), Marks.Read(reader, 2)) : throw new LogMisconfiguredException($"The checkpoint of reaction {reaction} is of another log.");
        },
        cancellationToken);

    /// <inheritdoc/>
    public Task<bool> MoveAsync(ReactionName reaction, LogPosition expected, LogPosition next, LogMark? mark, CancellationToken cancellationToken) => _file.WriteAsync(
        session => session.Prepared(Statements.MoveReaction, [("$name", reaction.Value), ("$expected", expected.Value), ("$next", next.Value), ("$now", Now), .. Marks.Parameters(mark)]).ExecuteNonQuery() == 1,
        cancellationToken);

    /// <inheritdoc/>
    public Task<bool> SkipAsync(ReactionName reaction, SkippedEvent skipped, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(skipped);
        return _file.WriteAsync(
            session => session.Prepared(
                Statements.SkipForReaction,
                ("$name", reaction.Value),
                ("$position", skipped.Position.Value),
                ("$reason", skipped.Reason),
                ("$actor", (object?)skipped.Actor ?? DBNull.Value),
                ("$skipped_at", HashLink.Microseconds(skipped.SkippedAt))).ExecuteNonQuery() == 1,
            cancellationToken);
    }

    /// <inheritdoc/>
    public Task<IReadOnlyList<SkippedEvent>> ReadSkippedAsync(ReactionName reaction, CancellationToken cancellationToken) => _file.ReadAsync<IReadOnlyList<SkippedEvent>>(
        session =>
        {
            using var reader = session.Prepared(Statements.ReadSkippedByReaction, ("$name", reaction.Value)).ExecuteReader();
            var skipped = new List<SkippedEvent>();
            while (reader.Read())
            {
                skipped.Add(new SkippedEvent(new LogPosition(reader.GetInt64(0)), reader.GetString(1), reader.IsDBNull(2) ? null : reader.GetString(2), HashLink.FromMicroseconds(reader.GetInt64(3))));
            }

            return skipped;
        },
        cancellationToken);

    /// <summary>Finishes what is queued and closes the file.</summary>
    public ValueTask DisposeAsync() => _file.DisposeAsync();

    private long Now => HashLink.Microseconds(_time.GetUtcNow());
}
