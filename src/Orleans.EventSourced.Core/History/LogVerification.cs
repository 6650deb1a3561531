using System.Text;
using Orleans.EventSourced.Core.Log;

namespace Orleans.EventSourced.Core.History;

/// <summary>
/// Checks a log against itself, and against an anchor: every row by what gives a change of it away, be it the chain of links, a seal, or another row. It reads the tables twice, in the order of the log and
/// in that of the streams, and keeps nothing of what it has read; a finding is a value, and the verification goes on behind it. Writers may go on meanwhile: what they append may be looked at or not.
/// </summary>
/// <param name="log">The log's tables.</param>
public sealed class LogVerification(ILogInspector log)
{
    private const int BetweenReports = 10_000;
    private readonly Findings _findings = new();
    private long _streams;
    private long _empty;

    /// <summary>Runs once.</summary>
    /// <param name="anchor">Where the log stood at some time; null: nobody noted it.</param>
    /// <param name="progress">Hears of every ten thousandth event; null: nobody wants to know.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="LogUnavailableException">The store could not answer.</exception>
    public async Task<LogVerificationReport> RunAsync(LogAnchor? anchor, IProgress<VerificationProgress>? progress, CancellationToken cancellationToken)
    {
        var id = await ReadAsync("log", () => IdentityAsync(anchor, cancellationToken)).ConfigureAwait(false);
        var chain = new CommitChain(_findings, anchor);
        await ReadAsync("commits, events", () => FollowAsync(chain, progress, cancellationToken)).ConfigureAwait(false);
        chain.End();
        await ReadAsync("streams, events", () => PlacesAsync(chain.Head, progress, cancellationToken)).ConfigureAwait(false);
        var head = id is { } known ? new LogHead(known, new LogPosition(Math.Max(chain.Head, 0)), chain.Link.IsEmpty ? null : Time(chain.RecordedAt), chain.Link) : null;
        return new LogVerificationReport(head, chain.Events, chain.Commits, chain.Unmarked, _streams, _empty, _findings.ToList());
    }

    private async Task<Guid?> IdentityAsync(LogAnchor? anchor, CancellationToken cancellationToken)
    {
        var rows = await log.ReadLogRowsAsync(cancellationToken).ConfigureAwait(false);
        if (rows.Count != 1)
        {
            Add(null, $"It has {rows.Count} rows; there is one in every log.");
        }

        foreach (var row in rows)
        {
            if (row.OnlyRow != 1)
            {
                Add("only_row", $"It is {row.OnlyRow}; it is 1 in every log.");
            }

            if (!RowSeal.OfLog(row.LogId.Span, row.CreatedAt).AsSpan().SequenceEqual(row.Seal.Span))
            {
                Add("log_id, created_at or seal", "The row does not fit its seal.");
            }

            if (anchor is not null && !row.LogId.Span.SequenceEqual(anchor.LogId.ToByteArray(bigEndian: true)))
            {
                _findings.Add(new Finding(FindingKind.AnchorMissed, "log", "log_id", null, null, null, null, $"The anchor is of the log {anchor.LogId}; this is {Convert.ToHexStringLower(row.LogId.Span)}."));
            }
        }

        return rows is [{ LogId.Length: 16 } one, ..] ? new Guid(one.LogId.Span, bigEndian: true) : null;

        void Add(string? column, string message) => _findings.Add(new Finding(FindingKind.LogChanged, "log", column, null, null, null, null, message));
    }

    private async Task<bool> FollowAsync(CommitChain chain, IProgress<VerificationProgress>? progress, CancellationToken cancellationToken)
    {
        var told = 0L;
        await foreach (var commit in log.ReadCommitRowsAsync(cancellationToken).WithCancellation(cancellationToken).ConfigureAwait(false))
        {
            chain.Add(commit);
            Tell(progress, "commits", chain.Events, ref told);
        }

        return true;
    }

    /// <summary>Streams and events side by side, both by the stream's number.</summary>
    private async Task<bool> PlacesAsync(long head, IProgress<VerificationProgress>? progress, CancellationToken cancellationToken)
    {
        var streams = log.ReadStreamRowsAsync(cancellationToken).GetAsyncEnumerator(cancellationToken);
        await using (streams.ConfigureAwait(false))
        {
            StreamPlaces? stream = null;
            var (ended, seen, told) = (false, 0L, 0L);
            await foreach (var place in log.ReadEventPlacesAsync(cancellationToken).WithCancellation(cancellationToken).ConfigureAwait(false))
            {
                Tell(progress, "events", ++seen, ref told);
                if (place.CommitPosition > head)
                {
                    // Appended since.
                    continue;
                }

                while (!ended && (stream is null || stream.Row.Id < place.StreamId))
                {
                    Leave(stream);
                    stream = await streams.MoveNextAsync().ConfigureAwait(false) ? new StreamPlaces(streams.Current, _findings) : null;
                    ended = stream is null;
                }

                if (stream?.Row.Id == place.StreamId)
                {
                    stream.Add(place);
                }
                else
                {
                    _findings.Add(new Finding(FindingKind.EventStray, "events", "stream_id", $"stream_id {place.StreamId}", null, place.Version, place.CommitPosition + place.Ordinal, "There is no stream with its number."));
                }
            }

            for (; !ended; ended = stream is null)
            {
                Leave(stream);
                stream = await streams.MoveNextAsync().ConfigureAwait(false) ? new StreamPlaces(streams.Current, _findings) : null;
            }
        }

        return true;
    }

    private void Leave(StreamPlaces? stream)
    {
        if (stream is not null)
        {
            _streams++;
            _empty += stream.IsEmpty ? 1 : 0;
        }
    }

    private async Task<T?> ReadAsync<T>(string tables, Func<Task<T>> read)
    {
        try
        {
            return await read().ConfigureAwait(false);
        }
        catch (LogMisconfiguredException e)
        {
            _findings.Add(new Finding(FindingKind.Unreadable, tables, null, null, null, null, null, e.Message));
            return default;
        }
    }

    private static void Tell(IProgress<VerificationProgress>? progress, string table, long events, ref long told)
    {
        if (events - told >= BetweenReports)
        {
            told = events;
            progress?.Report(new VerificationProgress(table, events));
        }
    }

    private static DateTimeOffset? Time(long microseconds) =>
        microseconds > HashLink.Microseconds(DateTimeOffset.MinValue) && microseconds < HashLink.Microseconds(DateTimeOffset.MaxValue) ? HashLink.FromMicroseconds(microseconds) : null;
}

/// <summary>One stream's row, and its events as they come by version.</summary>
internal sealed class StreamPlaces
{
    private readonly Findings _findings;
    private readonly string _name;
    private long _version;

    public StreamPlaces(StreamRow row, Findings findings)
    {
        (Row, _findings, _name) = (row, findings, Encoding.UTF8.GetString(row.Name.Span));
        if (FaultOf(_name) is { } fault)
        {
            Add("name", fault);
        }

        var slash = row.Name.Span.IndexOf((byte)'/');
        if (!row.Type.Span.SequenceEqual(slash < 0 ? row.Name.Span : row.Name.Span[..slash]))
        {
            Add("type or name", $"The type is '{Encoding.UTF8.GetString(row.Type.Span)}'; it is the part of the name before the slash.");
        }

        if (row.IsTouched)
        {
            Add("touched", "It is written; it never is.");
        }

        if (!RowSeal.OfStream(row.Id, row.Name.Span, row.CreatedAt).AsSpan().SequenceEqual(row.Seal.Span))
        {
            Add("id, name, created_at or seal", "The row does not fit its seal.");
        }
    }

    public StreamRow Row { get; }

    public bool IsEmpty { get; private set; } = true;

    public void Add(EventPlace place)
    {
        IsEmpty = false;
        if (place.CommitPosition is null)
        {
            _findings.Add(new Finding(FindingKind.EventStray, "events", "commit_id", $"commit_id {place.CommitId}", _name, place.Version, null, "There is no commit with its number."));
        }

        if (place.Version != _version + 1)
        {
            _findings.Add(new Finding(
                FindingKind.EventMissing, "events", "version or stream_id", null, _name, place.Version, place.CommitPosition + place.Ordinal, $"Version {_version + 1} of the stream was expected here; found is {place.Version}."));
        }

        _version = place.Version;
    }

    private static string? FaultOf(string name)
    {
        try
        {
            _ = StreamId.Recorded(name);
            return null;
        }
        catch (ArgumentException e)
        {
            return e.Message;
        }
    }

    private void Add(string column, string message) => _findings.Add(new Finding(FindingKind.StreamChanged, "streams", column, $"id {Row.Id}", _name, null, null, message));
}
